"""A language model that learns from several data sets of conversations."""

import json
from collections import Counter

import pytest
import torch

from anyorder.build.conversations import told_of_sets
from anyorder.build.runs import training_job
from anyorder.cli import main
from anyorder.config import DataConfig, DataSetConfig, MaskingConfig, RunConfig, TrainingConfig
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError, NothingUsable
from anyorder.language_config import LanguageModelConfig

SIZES = {"vocab_size": 300, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
MODEL = LanguageModelConfig(architecture={"model_type": "bert", "max_position_embeddings": 128, **SIZES})
IMITATE, FORESEE = MaskingConfig({"next_action": 1}), MaskingConfig({"next_observation": 1})
OTHER = "lamp"
"""A word of the second data set alone."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of 40 conversations about doors, and of 20 about lamps."""

    def write(thing, number):
        folder = tmp_path_factory.mktemp(thing)
        said = ["see the {} of room {}", "open {} {}", "it is open", "leave {} {}"]
        lines = []
        for room in range(number):
            turns = [{"from": "human", "value": f"find the {thing} of room {room}"}, {"from": "gpt", "value": "yes"}]
            turns += [
                {"from": "gpt" if place % 2 else "human", "value": text.format(thing, room)} for place, text in enumerate(said)
            ]
            lines.append(json.dumps({"conversations": turns}))
        (folder / "chats.jsonl").write_text("\n".join(lines))
        main(["import", "--input", str(folder / "chats.jsonl"), "--output_dir", str(folder / "data")])
        return str(folder / "data")

    return write("door", 40), write(OTHER, 20)


def config(folders, share=None, other_share=None, renamed=0, **other):
    sets = [DataSetConfig(folders[1], other_share, **other)]
    data = DataConfig(folders[0], share=share, renamed=renamed, sets=sets)
    return RunConfig(data=data, language_model=MODEL, masking=IMITATE, training=TrainingConfig(tokens_per_batch=600))


def drawn(job, passes=4):
    """How many conversations of each set the first passes draw."""
    generator, found = torch.Generator().manual_seed(0), Counter()
    for _ in range(passes):
        for index in job.train.shuffled(job.budget, generator):
            found.update(job.train.batch(index).layout.sets)
    return found


@pytest.mark.parametrize("share", [0.25, None])
def test_each_set_has_its_share(folders, tmp_path, share):
    asked = config(folders, share, None if share is None else 1 - share)
    first, second = (len(members) for members in told_of_sets(asked.data, seed=0))
    found = drawn(training_job(asked, tmp_path, resume=False))
    wanted = first / (first + second) if share is None else share
    assert found[0] / found.total() == pytest.approx(wanted, abs=0.02)


def test_each_set_has_its_orders_and_the_first_is_validated_on(folders, tmp_path):
    job = training_job(config(folders, masking=FORESEE), tmp_path, resume=False)
    batch = job.train.batch(range(len(job.train)))
    order = job.strategy_at(1.0)(batch.layout, torch.Generator().manual_seed(0))
    for row, number in enumerate(batch.layout.sets):
        kinds = set(batch.layout.kind[row][order.targets[row]].tolist())
        assert kinds == {Kind.OBSERVATION if number else Kind.ACTION}
    assert all(OTHER not in mission for mission in job.validation.batch(range(len(job.validation))).layout.missions)


def test_the_tokenizer_knows_the_words_of_all_sets(folders, tmp_path):
    codec = training_job(config(folders), tmp_path, resume=False).store._tokenizer.backend_tokenizer
    assert len(codec.encode(f" {OTHER}", add_special_tokens=False).ids) == 1


def test_copies_with_new_names_belong_to_their_set(folders):
    recorded = told_of_sets(config(folders).data, seed=0)
    told = told_of_sets(config(folders, renamed=3).data, seed=0)
    assert [len(members) for members in told] == [4 * len(members) for members in recorded]
    for copies, members in zip(told, recorded, strict=True):
        assert copies[::4] == members and [one.source for one in copies[1::4]] == [one.source for one in members]


def test_what_a_set_cannot_give_is_refused(folders, tmp_path):
    with pytest.raises(AnyOrderError, match="needs episodes that say whether they succeeded"):
        training_job(config(folders, episodes="successes"), tmp_path, resume=False)
    with pytest.raises(NothingUsable, match="masking.mixture must ask for something"):
        training_job(config(folders, masking=MaskingConfig({"next_return": 1})), tmp_path, resume=False)

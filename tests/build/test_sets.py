"""Several data sets in one run: each has its share, its training orders, and the episodes that count."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from anyorder.build.runs import training_job
from anyorder.build.sets import read_sets
from anyorder.cli import main
from anyorder.commands.train import train_parser
from anyorder.config import DataConfig, DataSetConfig, MaskingConfig, ModelConfig, RunConfig, TrainingConfig
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.damage import Damage
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError, NothingUsable
from anyorder.options import parse

SIZES = ModelConfig(width=16, num_layers=1, num_heads=2)
IMITATE, FORESEE = MaskingConfig({"next_action": 1}), MaskingConfig({"next_observation": 1})


@pytest.fixture(scope="module")
def folders(make_trajectory, tmp_path_factory):
    """Name -> folder: 4 demonstrations, of which every second succeeded, and 12 films without actions."""

    def write(name, number, view=(2, 2), without=()):
        folder = tmp_path_factory.mktemp(name)

        def source(seeds):
            for seed in seeds:
                one = make_trajectory(4, seed=seed, view=view, mission=f"go to {name}")
                yield replace(one, rewards=np.full(4, 0.1 * (seed % 2), np.float32))

        collect(folder, CollectSpec("toy", "toy", number, 2, 0, without=Damage.of(list(without)).rates), source=source)
        return str(folder)

    return {
        "demonstrations": write("demonstrations", 4),
        "films": write("films", 12, without=["actions"]),
        "large": write("large", 3, view=(3, 3)),
    }


def job(folders, tmp_path, share=None, films=None, masking=IMITATE, **data):
    data = DataConfig(folders["demonstrations"], share=share, sets=films and [films], **data)
    config = RunConfig(data=data, model=SIZES, masking=masking, training=TrainingConfig(frames_per_batch=20))
    return training_job(config, tmp_path, resume=False)


def films(folders, **settings):
    return DataSetConfig(folders["films"], **{"masking": FORESEE, **settings})


@pytest.mark.parametrize(("share", "expected"), [(0.75, 0.75), (0.25, 0.25), (None, 0.25)])
def test_each_set_has_its_share_of_what_is_drawn(folders, tmp_path, share, expected):
    data = job(folders, tmp_path, share, films(folders, share=None if share is None else 1 - share)).train
    drawn = Counter()
    for epoch in range(20):
        for index in data.shuffled(Budget(20, "frames"), torch.Generator().manual_seed(epoch)):
            drawn.update(data.batch(index).layout.sets)
    assert sum(drawn.values()) == 20 * 16
    assert drawn[0] / 320 == pytest.approx(expected)


def test_each_set_has_its_own_training_orders(folders, tmp_path):
    made = job(folders, tmp_path, 0.5, films(folders, share=0.5))
    batch = made.train.batch(range(16))
    order = made.strategy_at(0.3)(batch.layout, torch.Generator().manual_seed(0))
    for row, number in enumerate(batch.layout.sets):
        asked = batch.layout.kind[row][order.targets[row]].unique().tolist()
        assert asked == [Kind.OBSERVATION if number else Kind.ACTION]
        assert batch.layout.missions[row].endswith("films" if number else "demonstrations")
    validated = made.validation.batch([0]).layout
    assert validated.sets is None and made.strategy_at(1.0)(validated, torch.Generator()).targets.sum() == 4


def test_what_a_masking_has_nothing_to_ask_of_is_left_out(folders, tmp_path, capsys):
    both = MaskingConfig({"next_action": 0.5, "cell": 0.5})
    assert len(job(folders, tmp_path, films=films(folders, masking=None), masking=both).train) == 16
    assert capsys.readouterr().err == ""
    with pytest.raises(NothingUsable, match="must ask for something that was recorded; found nothing in 12 trajectories"):
        job(folders, tmp_path, films=films(folders, masking=None))
    with pytest.raises(NothingUsable, match="12 trajectories"):
        training_job(RunConfig(data=DataConfig(folders["films"]), model=SIZES, masking=IMITATE), tmp_path, resume=False)


def test_a_part_of_the_trajectories_may_be_left_out(make_trajectory, tmp_path, capsys):
    some = [make_trajectory(3, seed=seed) for seed in range(6)]
    lost = [Damage(actions=1.0)(one) if one.seed < 2 else one for one in some]
    collect(tmp_path / "data", CollectSpec("toy", "toy", 6, 0, 0), source=lambda seeds: [lost[seed] for seed in seeds])
    config = RunConfig(data=DataConfig(str(tmp_path / "data")), model=SIZES, masking=IMITATE)
    made = training_job(config, tmp_path, resume=False)
    assert len(made.train) == 4 and "2 of 6 trajectories have nothing that their masking asks for" in capsys.readouterr().err
    assert made.train.batch(range(4)).layout.of_kind(Kind.ACTION).sum() == 12


@pytest.mark.parametrize(("episodes", "seeds"), [("all", [0, 1, 2, 3]), ("successes", [1, 3]), ("failures", [0, 2])])
def test_episodes_count_by_their_success(folders, episodes, seeds):
    data = DataConfig(folders["demonstrations"], episodes=episodes)
    [found] = read_sets(data, lambda folder: read_split(folder, "train"))
    assert [one.seed for one in found] == seeds
    [first] = read_sets(replace(data, num_demonstrations=1), lambda folder: read_split(folder, "train"))
    assert [one.seed for one in first] == seeds[:1]
    with pytest.raises(AnyOrderError, match=f"between 1 and the {len(seeds)} of"):
        read_sets(replace(data, num_demonstrations=9), lambda folder: read_split(folder, "train"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 0.5}, "must all be given and sum to 1, or none be given; found 0.5"),
        ({"share": 0.5, "sets": [{"path": "a"}]}, "found 0.5, null"),
        ({"share": 0.5, "sets": [{"path": "a", "share": 0.6}]}, "found 0.5, 0.6"),
        ({"sets": [{"path": "a", "share": 0}]}, "share of a must lie above 0"),
        ({"sets": [{"path": "a", "colour": 1}]}, "colour"),
        ({"sets": [{"share": 0.1}]}, "path"),
        ({"filled_weight": 2}, "filled_weight must lie between 0 and 1; found 2"),
        ({"renamed": -1}, "renamed must lie between 0 and 10,000; found -1"),
        ({"common_words": 1.5}, "common_words must lie between 0 and 1; found 1.5"),
        ({"episodes": "good"}, "episodes"),
    ],
)
def test_wrong_settings_are_answered_in_a_sentence(tmp_path, settings, message, capsys):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"data": settings}))
    with pytest.raises(SystemExit):
        main(["train", "--config", str(tmp_path / "run.yaml"), "--output_dir", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said and len(said.splitlines()) == 1


def test_a_wrong_masking_and_other_views_name_the_set(folders, tmp_path):
    with pytest.raises(AnyOrderError, match=r"data.sets\[0\]: .*cel"):
        job(folders, tmp_path, films=films(folders, masking=MaskingConfig({"cel": 1})))
    with pytest.raises(AnyOrderError, match="views must have 2x2 cells.*found 3x3"):
        job(folders, tmp_path, films=DataSetConfig(folders["large"]))


def test_a_file_names_several_sets(folders, tmp_path):
    told = {"path": folders["films"], "share": 0.3, "masking": {"mixture": {"cell": 1}}}
    written = {"data": {"path": folders["demonstrations"], "share": 0.7, "sets": [told]}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(written))
    data = parse(train_parser(), ["--config", str(tmp_path / "run.yaml")]).data
    assert data.sets == [DataSetConfig(folders["films"], 0.3, masking=MaskingConfig({"cell": 1}))] and data.shares == [0.7, 0.3]

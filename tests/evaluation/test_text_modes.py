"""What is asked about conversations, mode by mode, and who sees what."""

import pytest
import torch
from toy_conversations import byte_level, conversation
from toy_text import bert, text_layout, units_of

from anyorder.elements.batch import Batch, Budget
from anyorder.elements.layout import Kind
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedTexts
from anyorder.elements.text.form import PLAIN
from anyorder.evaluation.text_modes import TextFiltering, text_modes
from anyorder.evaluation.text_scoring import score_texts
from anyorder.masking.order import Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell
from anyorder.models.language.masked_lm import MaskedLanguageModel

TALKS = [
    conversation("a red ball", "go to the red ball", "a blue box", "pick up a blue box", "a red ball", source=f"toy:{number}")
    for number in range(3)
]


@pytest.fixture(scope="module")
def codec():
    return TextCodec(byte_level(), mask_id=1, end_id=0)


@pytest.fixture(scope="module")
def texts(codec):
    return EncodedTexts.of(TALKS, codec, PLAIN)


def filtered(rows, rate=0.5, seed=0, **options):
    layout = text_layout(rows)
    batch = Batch(torch.randint(1, 20, layout.shape), layout)
    mode = TextFiltering(Cell(Rate(rate, rate)), **options)
    return batch, list(mode(batch, torch.Generator().manual_seed(seed)))


ROWS = [units_of(2, 3, 2, 2, 1, 3), units_of(1, 2, 1, 3)]


def test_filtering_asks_for_words_of_the_present_and_shows_no_future():
    batch, found = filtered(ROWS)
    for part in found:
        layout, order = part.batch.layout, part.order
        for row in range(len(part.row)):
            asked = order.targets[row]
            (step,) = layout.step[row][asked].unique().tolist()
            assert set(layout.kind[row][asked].tolist()) == {int(Kind.OBSERVATION)}
            later = (layout.step[row] > step) | ((layout.step[row] == step) & (layout.kind[row] == Kind.ACTION))
            assert (order.roles[row][later] == Role.DROPPED).all()
            earlier = layout.present[row] & (layout.step[row] < step)
            assert (order.roles[row][earlier] != Role.DROPPED).all() and not order.targets[row][earlier].any()
            width = layout.shape[1]
            assert torch.equal(part.batch.values[row], batch.values[part.row[row], :width])


def test_no_word_is_asked_for_twice_and_none_of_an_observation_is_forgotten():
    batch, found = filtered(ROWS)
    counts = torch.zeros(batch.layout.shape, dtype=torch.int64)
    for part in found:
        for row, targets in zip(part.row.tolist(), part.order.targets):
            counts[row, : len(targets)] += targets
    drawn = Cell(Rate(0.5, 0.5))(batch.layout, torch.Generator().manual_seed(0))
    assert torch.equal(counts, (drawn.targets & batch.layout.of_kind(Kind.OBSERVATION)).long())


def test_what_was_hidden_earlier_stays_hidden():
    _, found = filtered(ROWS, rate=1.0)
    hidden = [part.order.roles[row] == Role.HIDDEN for part in found for row in range(len(part.row))]
    assert any(one.any() for one in hidden)


def test_filtering_may_ask_at_some_times_alone():
    _, every = filtered(ROWS, rate=1.0)
    _, some = filtered(ROWS, rate=1.0, most_steps=3)
    assert 0 < sum(len(part.row) for part in some) < sum(len(part.row) for part in every)


def test_each_mode_is_scored_beside_its_baselines(codec, texts):
    model = MaskedLanguageModel(bert(vocab_size=codec.size, max_position_embeddings=400).float(), codec.mask_id)
    done = []
    found = score_texts(
        model,
        texts,
        texts,
        "toy",
        codec.size,
        codec.end_id,
        budget=Budget(400, "tokens"),
        on_batch=lambda *said: done.append(said),
    )
    assert list(found.scores) == list(text_modes(0.3)) and sum(size for _, size in done) == 5 * len(texts)
    assert set(found.scores["next action"]) == {"actions", "actions ends"}
    assert set(found.scores["filtering"]) <= {"observations", "observations ends"}
    for way, scores in found.scores.items():
        for score in scores.values():
            count = score.accuracy.count
            assert {share.count for share in (score.most_frequent, score.ngram, score.copy, score.knowable)} == {count}
            assert score.knowable.successes >= max(score.ngram.successes, score.copy.successes, score.most_frequent.successes)
            assert score.right_of_knowable is None or score.right_of_knowable.count == score.knowable.successes
            assert min(score.nll_per_token, score.ngram_nll_per_token, score.copy_nll_per_token) > 0, way
    told = found.scores["forward"]["observations"]
    assert told.ngram_nll_per_token < told.frequency_nll_per_token, "conversations that were counted"

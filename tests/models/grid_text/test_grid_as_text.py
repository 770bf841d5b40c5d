"""A language model asked about grids answers like a grid model: same targets, no leak, and it learns."""

import pytest
import torch
from toy_conversations import wordpiece
from toy_text import bert

from anyorder.acting.policy import ModelPolicy
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind, Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.envs.minigrid import View
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.queries import NextActionQuery
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import AttributeWise, Cell, NextAction, NextStep, Permutation
from anyorder.models.grid_text.grid_as_text import GridAsText
from anyorder.models.grid_text.grid_text import GridText
from anyorder.models.grid_text.grid_tokens import NUM_CELLS, add_grid_tokens
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.training.loss import Weighting

STRATEGIES = {
    "cell": Cell(Rate(0.4, 0.4)),
    "attribute": AttributeWise(Rate(0.4, 0.4)),
    "next_action": NextAction(),
    "next_step": NextStep(),
    "permutation": Permutation(),
}


@pytest.fixture(scope="module")
def codec():
    tokenizer = wordpiece()
    add_grid_tokens(tokenizer)
    return TextCodec(tokenizer, 4, 3, 0)


@pytest.fixture(scope="module")
def batch_and_model(make_trajectory, codec):
    """Three toy trajectories; a random BERT."""
    trajectories = [make_trajectory(n, (2, 2), "go to the red ball", n) for n in (2, 3, 1)]
    vocabulary = GridVocabulary.of(trajectories)
    batch = EncodedTrajectories(trajectories, vocabulary).batch(range(3))
    model = MaskedLanguageModel(bert(vocab_size=codec.size, max_position_embeddings=128), codec.mask_id, codec.pad_id)
    return batch, GridAsText(model, GridText(codec, 49), vocabulary, (2, 2))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_target_gets_probabilities_of_its_own_attribute(batch_and_model, name):
    batch, model = batch_and_model
    order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(0))
    logits = model(batch.values, batch.layout, order)
    assert logits.shape == (int(order.targets.sum()), len(model.vocabulary))
    allowed = model.vocabulary.allowed()[batch.layout.attribute[order.targets]]
    assert torch.equal(logits.isfinite(), allowed)
    assert torch.allclose(logits.exp().sum(dim=1), torch.ones(len(logits), dtype=logits.dtype))


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_hidden_moves_no_answer_of_its_rank(batch_and_model, name, other_values):
    batch, model = batch_and_model
    order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(1))
    ranks = order.ranks[order.targets]
    highest = order.targets & (order.ranks == ranks.max())
    before = model(batch.values, batch.layout, order)
    vocabulary = model.vocabulary
    start = torch.tensor([vocabulary.offsets[a] for a in Attribute])[batch.layout.attribute]
    size = torch.tensor([vocabulary.sizes[a] for a in Attribute])[batch.layout.attribute]
    changed = torch.where(highest, start + (batch.values - start + 1) % size, batch.values)
    assert not torch.equal(changed, batch.values)
    assert torch.equal(before, model(changed, batch.layout, order))


def test_the_probability_of_an_attribute_is_the_sum_over_the_cells_that_have_it(batch_and_model):
    batch, model = batch_and_model
    layout = batch.layout
    hidden = (layout.cell == layout.cell[0][layout.grid.num_words]) & (torch.arange(3) == 0)[:, None]
    order = reconstruct(layout, hidden & (layout.kind == Kind.OBSERVATION))
    written = model.text.write(batch.values, layout, order)
    with torch.no_grad():
        said = model.model(written.batch.values, written.batch.layout, written.order)
        answers = model(batch.values, layout, order).exp()
    assert said.shape[0] == 1 and answers.shape[0] == 3
    cells = said[0, model.text.tokens.first :][:NUM_CELLS].softmax(dim=0)
    for number in range(NUM_CELLS):
        assert cells[number] > 0
    red = sum(cells[number] for number in range(NUM_CELLS) if number // 4 % 6 == 0)
    ball = sum(cells[number] for number in range(NUM_CELLS) if number // 24 == 6)
    state_2 = sum(cells[number] for number in range(NUM_CELLS) if number % 4 == 2)
    assert torch.allclose(torch.stack([answers[0, 6], answers[1, 11], answers[2, 17 + 2]]), torch.stack([ball, red, state_2]))


def test_training_and_acting_ask_the_same(batch_and_model):
    """All next actions in one pass equal one question each, from the history alone."""
    batch, model = batch_and_model
    order = NextAction()(batch.layout, torch.Generator())
    with torch.no_grad():
        together = model(batch.values, batch.layout, order)
        rows, steps = order.targets.nonzero()[:, 0], batch.layout.step[order.targets]
        for number, (row, step) in enumerate(zip(rows.tolist(), steps.tolist())):
            one = batch.rows(torch.tensor([row]))
            alone = model(one.values, one.layout, NextActionQuery(step)(one.layout))
            assert torch.allclose(together[number], alone[0], atol=1e-9)


def test_it_learns(make_trajectory, codec):
    trajectories = [make_trajectory(2, (2, 2), "go to the red ball", n) for n in range(3)]
    vocabulary = GridVocabulary.of(trajectories)
    batch = EncodedTrajectories(trajectories, vocabulary).batch(range(3))
    inner = bert(vocab_size=codec.size, max_position_embeddings=128, initializer_range=0.02).float()
    model = GridAsText(MaskedLanguageModel(inner, codec.mask_id, codec.pad_id), GridText(codec), vocabulary, (2, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    order, losses = NextStep()(batch.layout, torch.Generator()), []
    for _ in range(40):
        loss = Weighting().sums(model(batch.values, batch.layout, order), batch.values, batch.layout, order).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_a_policy_answers_what_was_trained(trajectories, vocabulary, encoded, codec):
    """From two observations and the action between them: the logits of action 1 in one pass over whole trajectories."""
    inner = bert(vocab_size=codec.size, max_position_embeddings=512)
    model = GridAsText(MaskedLanguageModel(inner, codec.mask_id, codec.pad_id), GridText(codec, 49), vocabulary, (7, 7))
    policy, histories = ModelPolicy(model), []
    long_enough = [number for number in range(8) if 2 <= len(trajectories[number]) <= 8][:3]
    for trajectory in (trajectories[number] for number in long_enough):
        history = policy.start(trajectory.mission)
        for step in range(2):
            view = View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission)
            history.observe(view)
            if step == 0:
                history.act(int(trajectory.actions[0]))
        histories.append(history)
    batch = encoded.batch(long_enough)
    order = NextAction()(batch.layout, torch.Generator())
    with torch.no_grad():
        trained = model(batch.values, batch.layout, order)[batch.layout.step[order.targets] == 1]
        answered = policy.logits(histories)
    start = vocabulary.offsets[Attribute.ACTION]
    assert len(long_enough) == 3
    expected = trained[:, start : start + 7].log_softmax(dim=1)
    assert torch.allclose(answered.log_softmax(dim=1), expected.to(answered.dtype), atol=1e-6)


def test_what_it_cannot_answer_is_refused(batch_and_model, codec):
    batch, model = batch_and_model
    with pytest.raises(ValueError, match="words of a grid's mission"):
        model(batch.values, batch.layout, reconstruct(batch.layout, batch.layout.kind == Kind.MISSION))
    with pytest.raises(AnyOrderError, match="views must have 2x2 cells.* found 7x7"):
        model.check((7, 7), 5)
    small = MaskedLanguageModel(bert(), 22, 0)
    with pytest.raises(AnyOrderError, match=rf"found 23; call model.resize_token_embeddings\({codec.size}\)"):
        GridAsText(small, model.text, model.vocabulary, (2, 2))


def test_a_batch_stays_where_it_lies(batch_and_model, monkeypatch):
    """On an accelerator, nothing is brought to the CPU and back."""
    batch, model = batch_and_model
    order = Cell(Rate(0.4, 0.4))(batch.layout, torch.Generator().manual_seed(0))
    expected = model(batch.values, batch.layout, order)
    for owner, name in ((torch.Tensor, "cpu"), (torch.Tensor, "numpy"), (Layout, "to"), (Order, "to")):
        monkeypatch.setattr(owner, name, None)
    assert torch.equal(model(batch.values, batch.layout, order), expected)

"""BERT's own training, imitation and prefix training are special cases, in loss and in every gradient.

Everything is computed in float64; loss and gradients agree to 1e-9 of the largest entry of each tensor. The references
are written without roles, ranks or two copies: transformers' own loss, and loops over truncated prefixes. Ours never
predicts the mask token, so the reference model is given a bias that rules it out.
"""

import pytest
import torch
from torch.nn import functional
from toy_text import MASK, ROWS, bert, random_values, text_layout

from anyorder.elements.layout import Kind
from anyorder.masking.order import Order, in_turn, reconstruct
from anyorder.masking.strategies import NextAction
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.training.loss import Weighting

TOLERANCE = 1e-9


@pytest.fixture(autouse=True)
def double_precision():
    """The loss keeps its sums in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def model():
    model = bert()
    with torch.no_grad():
        model.get_output_embeddings().bias[MASK] = -1e4  # its probability is 0 in float64
    return model


def our_loss(model, values, layout, order):
    logits = MaskedLanguageModel(model, MASK)(values, layout, order)
    return Weighting(balance="target").sums(logits, values, layout, order).mean()


def assert_equal_in_loss_and_gradients(model, ours, theirs):
    assert theirs.item() > 0.1
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE)
    names, parameters = zip(*model.named_parameters())
    for name, mine, other in zip(names, torch.autograd.grad(ours, parameters), torch.autograd.grad(theirs, parameters)):
        assert (mine - other).abs().max() <= TOLERANCE * max(1.0, float(other.abs().max())), name


@pytest.mark.parametrize("seed", range(5))
def test_masked_language_modelling(model, seed):
    """Tokens hidden at a rate of 0.15, with padding: BERT's masking, in which every chosen token is masked."""
    layout = text_layout(ROWS, pad_to=13)
    values = random_values(layout, seed)
    hidden = torch.rand(layout.shape, generator=torch.Generator().manual_seed(seed)) < 0.15
    hidden[1, 2] = True
    chosen = hidden & layout.present
    theirs = model(
        input_ids=values.masked_fill(chosen, MASK),
        attention_mask=layout.present.long(),
        labels=values.masked_fill(~chosen, -100),
    ).loss
    assert_equal_in_loss_and_gradients(model, our_loss(model, values, layout, reconstruct(layout, hidden)), theirs)


def prefixes(model, values, layout, kinds):
    """Logits and true tokens of each unit of these kinds, from the true tokens of the units before it: a forward pass
    for each, on the trajectory cut off after the unit, with the unit's own tokens masked. A unit sees itself and all
    units before it, so what stands before the unit is read without any mask."""
    for tokens, unit, kind in zip(values, layout.unit, layout.kind):
        tokens, unit, kind = tokens[kind != Kind.PADDING], unit[kind != Kind.PADDING], kind[kind != Kind.PADDING]
        for asked in unit.unique().tolist():
            here = unit == asked
            if kind[here][0] not in kinds:
                continue
            cut, prefix = tokens[unit <= asked], unit[unit <= asked]
            no_later_unit = prefix[:, None] >= prefix[None, :]
            logits = model(
                input_ids=torch.where(prefix == asked, MASK, cut)[None], attention_mask=no_later_unit[None, None]
            ).logits[0]
            yield logits[prefix == asked], cut[prefix == asked]


def prefix_loss(model, values, layout, kinds):
    logits, tokens = (torch.cat(parts) for parts in zip(*prefixes(model, values, layout, kinds)))
    return functional.cross_entropy(logits, tokens)


@pytest.mark.parametrize(
    "kinds",
    [(Kind.ACTION,), (Kind.OBSERVATION,), (Kind.OBSERVATION, Kind.ACTION)],
    ids=["imitation", "prefix training (world model)", "both at once"],
)
@pytest.mark.parametrize("seed", range(2))
def test_all_prefixes_in_one_pass(model, kinds, seed):
    layout = text_layout(ROWS, pad_to=13)
    values = random_values(layout, seed)
    asked = torch.stack([layout.of_kind(kind) for kind in kinds]).any(dim=0)
    ours = our_loss(model, values, layout, in_turn(reconstruct(layout, asked), layout))
    assert_equal_in_loss_and_gradients(model, ours, prefix_loss(model, values, layout, kinds))


@pytest.mark.parametrize("seed", range(3))
def test_what_imitation_trains_is_what_acting_asks(model, seed):
    """Acting reads the history and the observation of the step before there is an action to hide, then asks."""
    layout = text_layout(ROWS, pad_to=13)
    values, wrapped = random_values(layout, seed), MaskedLanguageModel(model, MASK)
    order = NextAction()(layout, torch.Generator())
    with torch.no_grad():
        trained = wrapped(values, layout, order).softmax(dim=1)
        acting = torch.cat([logits for logits, _ in prefixes(model, values, layout, [Kind.ACTION])]).softmax(dim=1)
        by_step = Order(order.roles, layout.step.clamp(min=0).int())
        read_beside_the_mask = wrapped(values, layout, by_step).softmax(dim=1)
    torch.testing.assert_close(trained, acting, atol=TOLERANCE, rtol=0)
    assert (read_beside_the_mask - acting).abs().max() > 1e-3, "an observation of the action's rank would have read it"

"""Masked language models do exactly what an order says.

BERT is compared in double precision; ModernBERT and LLaDA2 compute in single precision in places, so their tolerance is
wider.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from toy_text import (
    LONGEST,
    MASK,
    PAD,
    ROWS,
    bert,
    dream,
    llada,
    llada2,
    modern_bert,
    random_order,
    random_values,
    text_layout,
    units_of,
)

from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role, reconstruct, sees_value
from anyorder.models.compiling import compiled
from anyorder.models.language.masked_lm import MaskedLanguageModel

MODELS = {
    "bert": (bert, 1e-10),
    "modern_bert": (modern_bert, 1e-5),
    "llada2": (llada2, 1e-5),
    "llada": (llada, 1e-5),
    "dream": (dream, 1e-5),
}


@pytest.fixture(scope="module", params=MODELS)
def wrapped(request):
    """A model and its tolerance."""
    make, tolerance = MODELS[request.param]
    return MaskedLanguageModel(make(), MASK, PAD).eval(), tolerance


@pytest.mark.parametrize("seed", range(3))
def test_equal_ranks_are_the_plain_model(wrapped, seed):
    model, tolerance = wrapped
    layout = text_layout(ROWS, pad_to=14)
    values, order = random_values(layout, seed), random_order(layout, 1, seed)
    tokens = torch.where(order.roles == Role.CONTEXT, values, MASK)
    exists = order.roles != Role.DROPPED
    plain = model.model(input_ids=tokens, attention_mask=exists.long()).logits
    if model.answers_next:  # from the position before, where something stands there
        plain[:, 1:] = torch.where(exists[:, :-1, None], plain[:, :-1], plain[:, 1:])
    plain = plain[order.targets]
    plain[:, [MASK, PAD]] = -torch.inf
    torch.testing.assert_close(model(values, layout, order), plain, atol=tolerance, rtol=0)


@settings(max_examples=25, deadline=None)
@given(num_ranks=st.integers(1, 6), seed=st.integers(0, 2**30))
def test_a_prediction_feels_what_it_may_see_and_nothing_else(wrapped, num_ranks, seed):
    """Every element of a trajectory is changed in turn, each in its own row."""
    model, tolerance = wrapped
    layout = text_layout(ROWS[:1], pad_to=12)
    order = random_order(layout, num_ranks, seed)
    if not order.targets.any():
        order.roles[0, 0] = Role.TARGET
    values, width = random_values(layout, seed), layout.shape[1]
    changed = values.repeat(width + 1, 1)
    changed[torch.arange(width), torch.arange(width)] = values[0] % (MASK - 1) + 1
    rows = torch.zeros(width + 1, dtype=torch.int64)
    with torch.no_grad():
        logits = model(changed, layout.rows(rows), order.rows(rows))
    logits = logits.view(width + 1, -1, logits.shape[1])[..., 1:MASK]
    moved = (logits[:-1] - logits[-1:]).abs().amax(dim=-1)
    own_rank = order.ranks[order.targets]
    may_see = sees_value(order.roles[0][:, None], order.ranks[0][:, None], own_rank)
    assert torch.equal(moved > tolerance / 10, may_see), moved


@pytest.mark.parametrize("padding", [dict(pad_to=15), dict(pad_left=4)])
@pytest.mark.parametrize("num_ranks", [1, 5])
def test_padding_changes_nothing(wrapped, padding, num_ranks):
    model, tolerance = wrapped
    layout, padded = text_layout(ROWS), text_layout(ROWS, **padding)
    values, order = random_values(layout, 0), random_order(layout, num_ranks, 0)
    more_values = torch.full(padded.shape, PAD)
    more = Order(torch.zeros(padded.shape, dtype=torch.uint8), torch.ones(padded.shape, dtype=torch.int32))
    for wide, narrow in ((more_values, values), (more.roles, order.roles), (more.ranks, order.ranks)):
        wide[padded.present] = narrow[layout.present]
    torch.testing.assert_close(model(more_values, padded, more), model(values, layout, order), atol=tolerance, rtol=0)


def permutation_order(layout, seed):
    """Observation and action units in random turn, ranks 1.., all targets; the mission is context of rank 0."""
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.argsort(torch.rand(len(layout.unit), layout.num_units - 1, generator=generator), dim=1) + 1
    ranks = torch.cat([torch.zeros_like(ranks[:, :1]), ranks], dim=1).gather(1, layout.unit)
    return Order(reconstruct(layout, layout.present & ~layout.of_kind(Kind.MISSION)).roles, ranks.int())


def only_rank(order, rank):
    """Only this rank is asked; earlier targets are context, everything later is dropped. No rank changes."""
    roles = order.roles.clone()
    roles[order.targets & (order.ranks < rank)], roles[order.ranks > rank] = Role.CONTEXT, Role.DROPPED
    return Order(roles, order.ranks)


def mixed_order(layout, seed):
    """Any roles, four ranks, each of which holds a target."""
    order = random_order(layout, 4, seed)
    order.roles[0, :4], order.ranks[0, :4] = Role.TARGET, torch.arange(4, dtype=torch.int32)
    return order


@pytest.mark.parametrize("draw", [permutation_order, mixed_order])
@pytest.mark.parametrize("seed", range(3))
def test_one_pass_is_the_sum_of_single_passes(wrapped, draw, seed):
    model, tolerance = wrapped
    layout = text_layout(ROWS)
    values, order = random_values(layout, seed), draw(layout, seed)
    nll = functional.cross_entropy(model(values, layout, order), values[order.targets], reduction="none")
    together = torch.zeros(layout.shape, dtype=nll.dtype).masked_scatter(order.targets, nll)
    apart = torch.zeros_like(together)
    for rank in order.ranks[order.targets].unique().tolist():
        single = only_rank(order, rank)
        logits = model(values, layout, single)
        nll = functional.cross_entropy(logits, values[single.targets], reduction="none")
        apart = apart.masked_scatter(single.targets, nll)
    assert int((together > 0).sum()) == int(order.targets.sum())
    torch.testing.assert_close(together, apart, atol=tolerance, rtol=0)
    parameters = list(model.parameters())
    gradients = [torch.autograd.grad(loss.sum(), parameters) for loss in (together, apart)]
    torch.testing.assert_close(*gradients, atol=30 * tolerance, rtol=tolerance)


def test_local_layers_measure_distance_between_positions():
    """With local layers only, a target feels the value form of a neighbour and not that of a far element."""
    model = MaskedLanguageModel(modern_bert(), MASK)
    model.model.config.layer_types[:] = ["sliding_attention"] * 3
    for layer in model.model.model.layers:
        layer.attention_type = "sliding_attention"
    layout = text_layout([units_of(*[1] * 12)])
    order = Order(torch.full(layout.shape, Role.TARGET, dtype=torch.uint8), torch.arange(12, dtype=torch.int32)[None])
    values = random_values(layout, 0)
    felt = []
    for element in range(12):
        changed = values.clone()
        changed[0, element] = values[0, element] % (MASK - 1) + 1
        moved = (model(changed, layout, order) - model(values, layout, order)).nan_to_num().abs().amax(dim=1) > 1e-12
        felt.append(moved.tolist())
    assert felt == [[0 < later - element <= 3 * 2 for later in range(12)] for element in range(12)]


def test_every_implementation_of_attention_gives_the_same():
    layout = text_layout(ROWS)
    values, order = random_values(layout, 1), random_order(layout, 4, 1)
    for make, tolerance in MODELS.values():
        models = [MaskedLanguageModel(make(attn_implementation=how), MASK) for how in ("eager", "sdpa")]
        logits = [model(values, layout, order) for model in models]
        torch.testing.assert_close(*logits, atol=max(tolerance, 1e-10), rtol=0)


def test_what_is_never_a_prediction(wrapped):
    model, _ = wrapped
    layout = text_layout(ROWS)
    logits = model(random_values(layout, 0), layout, random_order(layout, 3, 0))
    assert logits.isinf().nonzero()[:, 1].unique().tolist() == [PAD, MASK]


def test_half_precision_answers_in_single_precision():
    layout = text_layout(ROWS)
    values, order = random_values(layout, 0), random_order(layout, 3, 0)
    logits = MaskedLanguageModel(bert().bfloat16(), MASK)(values, layout, order)
    assert logits.dtype == torch.float32
    exact = MaskedLanguageModel(bert(), MASK)(values, layout, order)
    torch.testing.assert_close(logits.double(), exact, atol=0.1, rtol=0.1)


@pytest.mark.slow  # the compiler takes long to import
def test_compiled_it_says_the_same():
    layout, model = text_layout(ROWS), MaskedLanguageModel(bert(), MASK)
    values, order = random_values(layout, 0), random_order(layout, 3, 0)
    torch.testing.assert_close(
        compiled(model, "eager")(values, layout, order), model(values, layout, order), atol=1e-10, rtol=0
    )


def test_parameter_groups_hold_every_parameter_once(wrapped):
    model, _ = wrapped
    grouped = [parameter for group in model.parameter_groups() for parameter in group.parameters]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(model.parameters()))
    assert all((p.ndim >= 2) == group.decays for group in model.parameter_groups() for p in group.parameters)


def test_muon_takes_the_matrices_of_new_models_alone():
    def hidden(**settings):
        groups = MaskedLanguageModel(bert(), MASK, **settings).parameter_groups()
        assert all(group.decays for group in groups if group.is_hidden)
        return sum(len(group.parameters) for group in groups if group.is_hidden), sum(len(g.parameters) for g in groups)

    (none, every), (some, all_of_new) = hidden(), hidden(is_new=True)
    assert none == 0 and every == all_of_new
    assert some == 6 * bert().config.num_hidden_layers  # queries, keys, values, what comes of them, and two of the feed-forward


def test_it_learns_an_order_by_heart():
    torch.manual_seed(0)
    model, layout = MaskedLanguageModel(bert(), MASK), text_layout(ROWS)
    values, order = random_values(layout, 0), permutation_order(layout, 0)
    optimizer = torch.optim.AdamW([{"params": group.parameters} for group in model.parameter_groups()], lr=1e-2)
    for _ in range(60):
        loss = functional.cross_entropy(model(values, layout, order), values[order.targets])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(values, layout, order).argmax(dim=1) == values[order.targets]).all()


def test_too_long_trajectories_are_refused(wrapped):
    layout = text_layout([units_of(LONGEST + 1)])
    with pytest.raises(AnyOrderError, match=f"at most {LONGEST} tokens for this model; found {LONGEST + 1}"):
        wrapped[0](random_values(layout, 0), layout, reconstruct(layout, layout.present))

"""From names and options to queries and decoders."""

import pytest

from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import AlongRanks, ByConfidence, GroupByGroup, SinglePass
from anyorder.inference.questions import DECODERS, DecoderChoice, decoder_of, options_of, query_of
from anyorder.masking.queries import QUERIES, FutureQuery, HiddenCellsQuery, InverseDynamicsQuery, RandomHiddenCellsQuery


@pytest.fixture(scope="module")
def layout(make_batch):
    return make_batch([4]).layout


def test_every_query_has_options_that_can_be_given():
    for name in QUERIES:
        assert options_of(name), name
    assert options_of("goal_conditioned") == {"step": True, "goal_step": True, "mission": False}
    assert options_of("hidden_cells") == {"rate": True, "until": False}, "a seed is given apart"
    assert HiddenCellsQuery not in QUERIES.values(), "its cells are no number"


def test_a_query_gets_what_was_given():
    query = query_of("inverse_dynamics", {"step": 2})
    assert isinstance(query, InverseDynamicsQuery) and query.step == 2
    query = query_of("future", {"step": 1, "autoregressive": True}, seed=5)
    assert isinstance(query, FutureQuery) and (query.step, query.horizon, query.autoregressive) == (1, None, True)
    query = query_of("hidden_cells", {"rate": 0.5}, seed=5)
    assert isinstance(query, RandomHiddenCellsQuery) and (query.rate, query.seed) == (0.5, 5)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("futures", {}, "~query must be one of next_action, "),
        ("infill", {"start": 0}, "infill needs ~stop; its options are ~start, ~stop"),
        ("infill", {"start": 0, "stop": 1, "step": 0}, "infill has no option ~step; it has ~start, ~stop"),
    ],
)
def test_options_are_called_as_the_user_writes_them(name, given, said):
    with pytest.raises(AnyOrderError) as error:
        query_of(name, given, dashes="~")
    assert said in str(error.value)


def test_the_decoder_fits_the_order(layout):
    plain, ranked = FutureQuery(0)(layout), FutureQuery(0, autoregressive=True)(layout)
    assert decoder_of(DecoderChoice(), plain) == SinglePass() and decoder_of(DecoderChoice(), ranked) == AlongRanks()
    choice = DecoderChoice("confidence", num_passes=3, temperature=0.5, top_p=0.9)
    assert decoder_of(choice, plain) == ByConfidence(3, 0.5, 0.9)
    assert decoder_of(DecoderChoice("unit", unit_order="reverse"), plain) == GroupByGroup("unit", "reverse", SinglePass())
    for name in DECODERS:
        decoder_of(DecoderChoice(name), plain)


@pytest.mark.parametrize(
    ("name", "autoregressive", "said"),
    [
        ("beam", False, "--decoder must be one of single, confidence, unit, cell, ranks; found beam"),
        ("single", True, "--decoder must be ranks, since the targets of this query have several; found single"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(layout, name, autoregressive, said):
    with pytest.raises(AnyOrderError) as error:
        decoder_of(DecoderChoice(name), FutureQuery(0, autoregressive=autoregressive)(layout), dashes="--")
    assert said in str(error.value)

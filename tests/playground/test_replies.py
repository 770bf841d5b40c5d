"""Answers to the page are the model's, through the queries and decoders of the package."""

import pytest
import torch

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute
from anyorder.inference.decoding import AlongRanks, ByConfidence, SinglePass
from anyorder.masking.order import Role, reconstruct
from anyorder.masking.queries import QUERIES, ForwardDynamicsQuery, FutureQuery, NextActionQuery
from anyorder.playground.about import ASKS

SOURCE = {"kind": "recorded", "number": 1}


@pytest.fixture(scope="module")
def batch(trajectories, vocabulary):
    return EncodedTrajectories([trajectories[1]], vocabulary).batch([0])


@pytest.fixture(scope="module")
def shown(ask):
    return ask("episode", source=SOURCE)["roles"]


def cell(batch, frame, x, y):
    first = batch.layout.grid.num_words + 150 * frame + 3 * (7 * x + y)
    return range(first, first + 3)


def with_role(roles, elements, role):
    return "".join(str(int(role)) if number in elements else digit for number, digit in enumerate(roles))


def check(told, model, batch, order, decoded):
    """The page is told exactly what a decoder gave."""
    elements = order.targets[0].nonzero()[:, 0].tolist()
    starts = torch.tensor([model.vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute[0]]
    assert [target["element"] for target in told["targets"]] == elements
    assert [target["value"] for target in told["targets"]] == (decoded.values[0] - starts)[elements].tolist()
    probability = [target["probability"] for target in told["targets"]]
    assert probability == pytest.approx(decoded.probability[0, elements].tolist(), abs=1e-4)
    assert told["roles"] == "".join(map(str, order.roles[0].tolist()))


def test_a_hidden_cell_is_rebuilt_from_all_that_is_left(ask, model, batch, shown):
    elements = cell(batch, 1, 3, 5)
    told = ask("answer", source=SOURCE, asked={"kind": "roles", "roles": with_role(shown, elements, Role.TARGET)})
    hidden = torch.zeros(1, batch.layout.shape[1], dtype=torch.bool)
    hidden[0, list(elements)] = True
    order = reconstruct(batch.layout, hidden)
    check(told, model, batch, order, SinglePass()(model, batch, order, torch.Generator()))
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)
    for number, (target, attribute) in enumerate(zip(told["targets"], (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE))):
        start, size = model.vocabulary.offsets[attribute], model.vocabulary.sizes[attribute]
        shares = logits[number, start : start + size].softmax(dim=0)
        assert len(target["values"]) == min(6, size)
        for value, share in target["values"]:
            assert share == pytest.approx(float(shares[value]), abs=1e-4)
    chosen = tuple(target["value"] for target in told["targets"])
    assert chosen in model.vocabulary.contents, "the attributes of a cell are answered together"
    (view,) = told["answer"]["observations"]
    assert (view["step"], view["num_asked"]) == (1, 1) and view["cells"][0]["column"] == 3 and view["cells"][0]["row"] == 5


def test_what_is_only_hidden_is_not_asked_but_missed(ask, batch, shown):
    asked = with_role(shown, cell(batch, 1, 3, 5), Role.TARGET)
    alone = ask("answer", source=SOURCE, asked={"kind": "roles", "roles": asked})
    more = with_role(asked, cell(batch, 1, 3, 4), Role.HIDDEN)
    with_less = ask("answer", source=SOURCE, asked={"kind": "roles", "roles": more})
    assert [t["element"] for t in with_less["targets"]] == [t["element"] for t in alone["targets"]]
    assert [t["probability"] for t in with_less["targets"]] != [t["probability"] for t in alone["targets"]]
    removed = ask("answer", source=SOURCE, asked={"kind": "roles", "roles": more.replace("2", "0")})
    assert [t["probability"] for t in removed["targets"]] != [t["probability"] for t in with_less["targets"]]


@pytest.mark.parametrize(
    ("name", "options", "query"),
    [
        ("next_action", {"step": 1}, NextActionQuery(1)),
        ("forward_dynamics", {"step": 0}, ForwardDynamicsQuery(0)),
    ],
)
def test_a_query_is_the_packages_query(ask, model, batch, name, options, query):
    told = ask("answer", source=SOURCE, asked={"kind": "query", "name": name, "options": options})
    order = query(batch.layout)
    check(told, model, batch, order, SinglePass()(model, batch, order, torch.Generator()))


def test_decoders_are_the_packages_decoders(ask, model, batch):
    asked = {"kind": "query", "name": "future", "options": {"step": 0, "horizon": 1}}
    told = ask("answer", source=SOURCE, asked=asked, decoder={"name": "confidence", "num_passes": 4})
    order = FutureQuery(0, 1)(batch.layout)
    check(told, model, batch, order, ByConfidence(4)(model, batch, order, torch.Generator()))
    assert all(target["values"] is None for target in told["targets"]), "several passes have no one distribution"
    asked["options"]["autoregressive"] = True
    order = FutureQuery(0, 1, autoregressive=True)(batch.layout)
    told = ask("answer", source=SOURCE, asked=asked)
    check(told, model, batch, order, AlongRanks()(model, batch, order, torch.Generator()))


def test_draws_depend_on_the_seed_alone(ask):
    asked = {"kind": "query", "name": "infill", "options": {"start": 1, "stop": 2}}
    draw = lambda seed: ask("answer", source=SOURCE, asked=asked, decoder={"temperature": 1.0}, seed=seed)["targets"]  # noqa: E731
    assert draw(1) == draw(1) != draw(2)


def test_the_page_has_words_for_every_query(client):
    assert set(ASKS) == set(QUERIES) == {query["name"] for query in client.get("/api/about").json()["queries"]}


@pytest.mark.parametrize(
    "asks",
    [
        {"name": "inverse_dynamics", "options": {"step": 0}},
        {"name": "backward_dynamics", "options": {"step": 0}},
        {"name": "goal_conditioned", "options": {"step": 0, "goal_step": 1, "mission": True}},
        {"name": "waypoints", "options": {"step": 0, "waypoints": [1]}},
        {"name": "hidden_cells", "options": {"rate": 0.5}},
    ],
)
def test_every_other_query_is_answered(ask, asks):
    assert ask("answer", source=SOURCE, asked={"kind": "query", **asks})["targets"]


@pytest.mark.parametrize(
    ("asked", "decoder", "parts"),
    [
        ({"kind": "roles", "roles": "111"}, {}, ["elements; found 3 roles", "load it again"]),
        ({"kind": "roles", "roles": "114"}, {}, ["asked.roles.roles", "found 114"]),
        ({"kind": "query", "name": "next_move"}, {}, ["query must be one of next_action", "found next_move"]),
        ({"kind": "query", "name": "next_action"}, {}, ["next_action needs step"]),
        ({"kind": "query", "name": "next_action", "options": {"step": 99}}, {}, ["step must be between 0 and", "found 99"]),
        ({"kind": "query", "name": "next_action", "options": {"step": 10**30}}, {}, ["asked.query.options.step", "1000000"]),
        ({"kind": "query", "name": "next_action", "options": {"step": 0, "rate": 0.3}}, {}, ["no option rate"]),
        ({"kind": "query", "name": "infill", "options": {"start": 0, "stop": 1}}, {"name": "beam"}, ["decoder must be one of"]),
        (
            {"kind": "query", "name": "future", "options": {"step": 0, "autoregressive": True}},
            {"name": "unit"},
            ["decoder must be ranks"],
        ),
        ({"kind": "query", "name": "next_action", "options": {"step": 0}}, {"top_p": 0}, ["decoder.top_p", "greater than 0"]),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_sentence(refusal, asked, decoder, parts):
    said = refusal("answer", source=SOURCE, asked=asked, decoder=decoder)
    assert "\n" not in said and all(part in said for part in parts), said


def test_nothing_asked_is_said(refusal, shown):
    assert "at least one element" in refusal("answer", source=SOURCE, asked={"kind": "roles", "roles": shown})


def test_mission_words_can_be_removed_and_asked(ask, batch, shown):
    words = range(batch.layout.grid.num_words)
    asked = with_role(shown, cell(batch, 1, 3, 5), Role.TARGET)
    assert ask("answer", source=SOURCE, asked={"kind": "roles", "roles": with_role(asked, words, Role.DROPPED)})["targets"]
    told = ask("answer", source=SOURCE, asked={"kind": "roles", "roles": with_role(shown, words, Role.TARGET)})
    assert [one["truth"] for one in told["answer"]["elements"]] == batch.layout.missions[0].split()
    assert {one["attribute"] for one in told["answer"]["elements"]} == {"word"}
    assert [target["element"] for target in told["targets"]] == list(words)
    assert all(one["right"] == (one["answer"] == one["truth"]) for one in told["answer"]["elements"])

"""Episodes of any environment: what the page is told of them, and what is refused."""

import numpy as np
import pytest
import torch

from anyorder.acting.field_policy import FieldPolicy
from anyorder.acting.field_rollout import roll_out_fields
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.layout import Kind
from anyorder.envs.recording import FieldEpisode
from anyorder.errors import AnyOrderError
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import ask
from anyorder.masking.order import Role, reconstruct
from anyorder.masking.queries import QUERIES, FutureQuery
from anyorder.playground.field_scenes import FieldScenes
from anyorder.playground.field_stage import FieldStage
from anyorder.playground.wire import Played, Recorded

SEED = 30_000_004
SOURCE = {"kind": "recorded", "number": 1}
PER_FRAME = 6
OPTIONS = {
    "goal_conditioned": {"step": 2, "goal_step": 6},
    "waypoints": {"step": 2, "waypoints": [4, 6]},
    "infill": {"start": 2, "stop": 4},
    "hidden_cells": {"rate": 0.5},
}


@pytest.fixture(scope="module")
def told(field_post):
    """What comes back, which must be no error."""

    def post(what, **body):
        status, content = field_post(what, **body)
        assert status == 200, content
        return content

    return post


@pytest.fixture(scope="module")
def refused(field_post):
    def post(what, **body):
        status, content = field_post(what, **body)
        assert 400 <= status < 500 and list(content) == ["error"] and "\n" not in content["error"], content
        return content["error"]

    return post


@pytest.fixture(scope="module")
def batch(saved, recorded):
    return EncodedFieldData([recorded[1]], saved.model.spec, saved.model.max_frames).batch([0])


def with_role(roles, elements, role):
    return "".join(str(int(role)) if number in elements else digit for number, digit in enumerate(roles))


def test_an_episode_is_told_as_it_was_recorded(told, saved, recorded):
    frames = saved.model.max_frames
    for part in (0, 1):
        episode = told("episode", source={**SOURCE, "part": part})
        first = part * (frames - 1)
        assert (episode["part"], episode["first_step"], episode["seed"]) == (part, first, recorded[1].seed)
        values = np.array(episode["values"][:4], float).T
        shown = recorded[1].observations["observation"][first : first + frames]
        np.testing.assert_allclose(values, shown[: len(values)], atol=1e-4)
        acted = [value for value in episode["values"][5] if value is not None]
        assert acted == recorded[1].actions["action"][first : first + len(values) - 1].tolist()
        assert episode["num_actions"] == len(recorded[1]) and episode["earned"] == recorded[1].rewards.sum()
        assert episode["roles"] == "111101" * (len(values) - 1) + "111100"


def test_hidden_numbers_come_with_median_band_and_bins(told, saved, batch):
    shown = told("episode", source=SOURCE)["roles"]
    elements = [PER_FRAME * 2 + 1, PER_FRAME * 2 + 5, PER_FRAME * 3]
    reply = told("answer", source=SOURCE, asked={"kind": "roles", "roles": with_role(shown, elements, Role.TARGET)})
    hidden = torch.zeros(batch.layout.shape, dtype=torch.bool)
    hidden[0, elements] = True
    logits = ask(saved.model, batch, reconstruct(batch.layout, hidden))
    assert [target["element"] for target in reply["targets"]] == elements
    speed, action, _ = reply["targets"]
    answers = BinAnswers.of(logits[:1], saved.model.spec.fields[1].values)
    expected = answers.quantiles(0.5, 0.05, 0.95)[0].tolist()
    assert [speed["believed"][name] for name in ("median", "low", "high")] == pytest.approx(expected)
    assert speed["shares"] == pytest.approx(answers.probabilities[0].tolist(), abs=1e-4)
    assert action["distribution"] == pytest.approx(dict(zip("01", logits[1, :2].softmax(dim=0).tolist())), abs=1e-6)


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_answered(told, name):
    options = OPTIONS.get(name, {"step": 2})
    reply = told("answer", source=SOURCE, asked={"kind": "query", "name": name, "options": options})
    assert reply["targets"] and len(reply["targets"]) == reply["roles"].count("3")


def test_a_query_has_the_roles_of_the_package_and_its_decoders(told, batch):
    asked = {"kind": "query", "name": "future", "options": {"step": 1, "horizon": 2}}
    order = FutureQuery(1, 2)(batch.layout)
    for decoder in ({}, {"name": "confidence", "num_passes": 3}, {"name": "unit"}):
        reply = told("answer", source=SOURCE, asked=asked, decoder=decoder)
        assert reply["roles"] == "".join(map(str, order.roles[0].tolist()))
        one_pass = not decoder
        assert all((target["believed"] is not None) == one_pass for target in reply["targets"] if target["kind"] == "number")
    drawn = [
        told("answer", source=SOURCE, asked=asked, decoder={"temperature": 1.0}, seed=seed)["targets"] for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_where_much_is_asked_bins_are_left_out(told, monkeypatch):
    monkeypatch.setattr("anyorder.playground.field_scene.MOST_DETAILED", 3)
    asked = {"kind": "query", "name": "infill", "options": {"start": 2, "stop": 3}}
    targets = told("answer", source=SOURCE, asked=asked)["targets"]
    assert len(targets) == 5 and not any("shares" in target or "distribution" in target for target in targets)


def test_the_agent_plays_a_seed_to_its_end(told, saved):
    source = {"kind": "played", "seed": SEED, "player": "agent"}
    episode = told("episode", source=source)
    (played,) = roll_out_fields(FieldPolicy(saved.model, saved.action_space), "CartPole-v1", [SEED])
    assert episode["num_actions"] == len(played) and episode["outcome"] in ("success", "failure")
    angles = np.array(episode["values"][2], float)
    np.testing.assert_allclose(angles, played.observations["observation"][: len(angles), 2], atol=1e-4)


def live(*actions):
    return {"kind": "live_fields", "seed": SEED, "actions": [{"action": [action]} for action in actions]}


def test_an_episode_goes_on_back_and_anew(told):
    seen = {}
    for actions in ((), (0,), (0, 1, 1), (0, 1), (1,), (0, 1, 1)):  # forward, further, back, elsewhere, all at once
        episode = told("episode", source=live(*actions))
        assert episode["outcome"] == "running" and episode["num_actions"] == len(actions) == episode["earned"]
        assert seen.setdefault(actions, episode["values"]) == episode["values"]
        assert episode["values"][0][0] == seen[()][0][0]
    speed = 1
    assert seen[(0, 1, 1)][speed][:2] == seen[(0,)][speed] != seen[(1,)][speed]


def test_the_environment_stays_where_it_is(told, field_scenes, monkeypatch):
    """Only another past makes it play again from its reset."""
    resets = []

    class Counted(FieldEpisode):
        def __init__(self, *arguments):
            resets.append(arguments[2])
            super().__init__(*arguments)

    monkeypatch.setattr("anyorder.playground.field_stage.FieldEpisode", Counted)
    for actions in ((1,), (1, 0), (1, 0, 1), (1, 0)):
        told("episode", source={**live(*actions), "seed": SEED + 1})
    assert resets == [SEED + 1] * 2


def test_the_agent_sees_the_last_observations_without_what_is_hidden(told, saved, field_scenes):
    actions = (0, 1) * 12
    episode = told("episode", source=live(*actions))
    policy = FieldPolicy(saved.model, saved.action_space)
    frames = episode["num_frames"]
    assert frames <= saved.model.max_frames < len(actions) and episode["first_step"] == len(actions) + 1 - frames
    history = field_scenes.stage.live(SEED, live(*actions)["actions"]).history

    def expected(hide):
        unknown = torch.zeros(frames, PER_FRAME, dtype=torch.bool)
        unknown[-1, 2] = hide
        history.hidden = list(unknown)
        return policy.logits([history])[0, 0, :2].softmax(dim=0).tolist()

    for hide in (False, True):
        roles = with_role(episode["roles"], [PER_FRAME * (frames - 1) + 2] if hide else [], Role.HIDDEN)
        answer = told("agent", source=live(*actions), roles=roles)
        (belief,) = answer["beliefs"]
        assert belief["shares"] == pytest.approx(expected(hide), abs=1e-6)
        assert answer["action"] == {"action": [float(np.argmax(belief["shares"]))]}
    assert expected(True) != pytest.approx(expected(False), abs=1e-9)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ({"kind": "recorded", "number": 99}, ["between 0 and 4", "found 99"]),
        ({"kind": "recorded", "number": 0, "part": 999}, ["the part of this episode", "found 999"]),
        ({"kind": "recorded", "number": 0, "part": -1}, ["part"]),
        ({"kind": "played", "seed": 1, "player": "bot"}, ["no expert of CartPole-v1"]),
        ({"kind": "live", "seed": 1, "actions": [0]}, ["live_fields"]),
        ({"kind": "live_fields", "seed": 1, "actions": [0]}, ["actions"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [7]}]}, ["Discrete(2)"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [0.5]}]}, ["numbers of int64"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [1e300]}]}, ["numbers of int64"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [0, 1]}]}, ["must have the entries"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"other": [0]}]}, ["must have the entries"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [1]}] * 300}, ["ended after"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": [1]}] * 2001}, ["at most 2000"]),
        ({"kind": "live_fields", "seed": 1, "actions": [{"action": ["NaN"]}]}, ["valid number"]),
    ],
)
def test_episodes_that_are_not_there_are_refused(refused, source, parts):
    said = refused("episode", source=source)
    assert all(part in said for part in parts), said


def test_what_cannot_be_asked_is_said(refused, told):
    shown = told("episode", source=SOURCE)["roles"]
    roles = lambda digits: {"kind": "roles", "roles": digits}  # noqa: E731
    assert "found 3 roles" in refused("answer", source=SOURCE, asked=roles("111"))
    assert "at least one element" in refused("answer", source=SOURCE, asked=roles(shown))
    assert "padding must be DROPPED" in refused("answer", source=SOURCE, asked=roles(shown[:-1] + "3"))
    step = {"kind": "query", "name": "next_action", "options": {"step": 99}}
    assert "step must be between 0 and 14" in refused("answer", source=SOURCE, asked=step)
    played = told("episode", source=live())["roles"]
    assert "rebuilds true" in refused("agent", source=live(), roles=played, rebuilds=True)
    assert "found 2 roles" in refused("agent", source=live(), roles="11")
    assert "source" in refused("agent", source=SOURCE, roles=shown)


def test_grids_refuse_what_is_of_fields(refusal):
    assert "found live_fields" in refusal("episode", source=live())
    assert "the part of this episode" in refusal("episode", source={"kind": "recorded", "number": 0, "part": 1})


def test_without_the_environment_recorded_episodes_remain(saved, recorded):
    scenes = FieldScenes(saved.model, "CartPole-v1", recorded, None)
    assert not scenes.about()["plays"] and scenes.about()["num_recorded"] == 5
    with pytest.raises(AnyOrderError, match="cannot be played here"):
        scenes.scene(Played(kind="played", seed=1, player="agent"))


def test_an_environment_of_other_spaces_is_refused(saved):
    with pytest.raises(AnyOrderError, match="must have the observations of the training data"):
        FieldStage(saved.model, "MountainCar-v0", saved.observation_space, saved.action_space)


def test_what_was_not_recorded_is_neither_shown_nor_asked(arm_scenes):
    scene = arm_scenes.scene(Recorded(kind="recorded", number=3))
    told, names = scene.to_json(), [column["name"] for column in arm_scenes.about()["columns"]]
    first, episode = names.index("arm/0"), arm_scenes.recorded[3]
    assert told["values"][first][2] is None and told["values"][first][1] == pytest.approx(
        episode.observations["arm"][1, 0], rel=1e-4
    )
    assert told["roles"][told["num_head"] + 2 * len(names) + first] == "0"
    assert told["values"][names.index("lamp")] == episode.observations["lamp"].tolist()
    (goal,) = told["facts"]
    assert goal["name"] == "goal" and float(goal["value"]) == pytest.approx(episode.observations["goal"][0, 0], rel=1e-3)
    with pytest.raises(AnyOrderError, match="only an episode that goes on"):
        scene.next_action(told["roles"], False)


def test_the_page_knows_every_field(field_post, saved):
    told = field_post.client.get("/api/about").json()
    assert [field["name"] for field in told["fields"]] == list(saved.model.spec.names) and told["kind"] == "fields"
    kinds = [told["fields"][column["field"]]["part"] for column in told["columns"]]
    assert [Kind[kind.upper()] for kind in kinds] == [Kind.OBSERVATION] * 4 + [Kind.RETURN, Kind.ACTION]
    assert told["action_columns"] == [5] and told["players"] == ["agent"]
    assert field_post.client.get("/api/atlas").json() == {}

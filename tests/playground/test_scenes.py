"""Episodes that the page can choose: as recorded, as played, and as they go on."""

import numpy as np
import pytest

from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rollout import roll_out
from anyorder.data.episodes import play_episode
from anyorder.envs import minigrid
from anyorder.envs.experts import make_expert
from anyorder.pages.views import uncoded

SEED = 30_000_004


def images(episode):
    shape = (len(episode["frames"]), episode["columns"], episode["rows"], 3)
    return np.array([frame["cells"] for frame in episode["frames"]]).reshape(shape)


def test_a_recorded_episode_is_told_as_it_was(ask, trajectories):
    told = ask("episode", source={"kind": "recorded", "number": 2})
    recorded = trajectories[2]
    np.testing.assert_array_equal(images(told), recorded.observations)
    assert [frame["direction"] for frame in told["frames"]] == recorded.directions.tolist()
    assert told["actions"] == recorded.actions.tolist() and told["mission"] == recorded.mission
    assert told["seed"] == recorded.seed and told["outcome"] == "success"


def test_every_element_of_an_episode_has_a_role(ask, trajectories):
    told = ask("episode", source={"kind": "recorded", "number": 2})
    words, steps = len(trajectories[2].mission.split()), len(trajectories[2])
    # Cells and direction are shown, the return is left out, the last view has no action.
    assert told["roles"] == "1" * words + ("1" * 148 + "01") * steps + "1" * 148 + "00"


def test_the_world_holds_what_the_agent_sees(ask):
    told = ask("episode", source={"kind": "recorded", "number": 2})
    ahead = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    for world, image in zip(told["worlds"], images(told), strict=True):
        grid = uncoded(world["cells"], world["columns"])
        lit = np.array(world["lit"]).reshape(world["columns"], world["rows"])
        for far in (1, 2):  # straight ahead of the agent, who stands in the middle of the last row
            agent = world["agent"]
            x, y = np.array([agent["x"], agent["y"]]) + far * ahead[agent["direction"]]
            seen = image[3, 6 - far]
            assert seen[0] == 0 or ((grid[x, y] == seen).all() and lit[x, y])


def test_the_agent_and_the_bot_play_a_seed_to_its_end(ask, model):
    by_agent = ask("episode", source={"kind": "played", "seed": SEED, "player": "agent"})
    (expected,) = roll_out(ModelPolicy(model), "BabyAI-GoToRedBall-v0", [SEED])
    assert by_agent["actions"] == expected.actions.tolist() and by_agent["outcome"] != "running"
    by_bot = ask("episode", source={"kind": "played", "seed": SEED, "player": "bot"})
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    expected = play_episode(env, make_expert("bot"), SEED, time_limit=10)
    assert by_bot["actions"] == expected.actions.tolist() and by_bot["outcome"] == "success"


def test_an_episode_goes_on_back_and_anew(ask):
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    expected = [minigrid.reset(env, SEED).image]
    for action in (0, 2, 1):
        expected.append(env.step(action)[0]["image"])
    for actions in ((), (0,), (0, 2, 1), (0, 2), (1,), (0, 2, 1)):  # forward, further, back, elsewhere, all at once
        told = ask("episode", source={"kind": "live", "seed": SEED, "actions": actions})
        assert told["actions"] == list(actions) and told["outcome"] == "running" and len(told["worlds"]) == len(actions) + 1
        if actions[:1] != (1,):
            np.testing.assert_array_equal(images(told), expected[: len(actions) + 1])


def test_an_episode_that_ended_does_not_go_on(ask, refusal):
    played = ask("episode", source={"kind": "played", "seed": SEED, "player": "bot"})
    ended = ask("episode", source={"kind": "live", "seed": SEED, "actions": played["actions"]})
    assert ended["outcome"] == "success" and ended["frames"] == played["frames"]
    said = refusal("episode", source={"kind": "live", "seed": SEED, "actions": [*played["actions"], 0]})
    assert f"ended after {len(played['actions'])} actions" in said and "reset" in said
    again = ask("episode", source={"kind": "live", "seed": SEED, "actions": played["actions"][:1]})
    assert again["outcome"] == "running"


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ({"kind": "recorded", "number": 8}, ["between 0 and 7", "found 8"]),
        ({"kind": "recorded", "number": -1}, ["source.recorded.number", "greater than or equal to 0", "found -1"]),
        ({"kind": "recorded", "number": "1"}, ["source.recorded.number", "valid integer", "found 1"]),
        ({"kind": "dreamt"}, ["source", "'recorded', 'played', 'live'"]),
        ({"kind": "live", "seed": 1, "actions": [7]}, ["actions.0", "less than 7", "found 7"]),
        ({"kind": "live", "seed": 1, "actions": [0], "cheat": 1}, ["cheat", "not permitted"]),
        ({"kind": "played", "seed": 2**31, "player": "bot"}, ["seed", "less than or equal to 2147483647"]),
    ],
)
def test_what_is_not_there_is_said(refusal, source, parts):
    said = refusal("episode", source=source)
    assert all(part in said for part in parts), said

"""Text worlds on the page: what is played is the environment's, and the agent is the package's, as far as it sees."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from starlette.testclient import TestClient
from toy_worlds import ROOMS

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_corruptions import ReadText
from anyorder.acting.text_rollout import make_text_environment, roll_out_texts
from anyorder.acting.text_writing import GeneratingAgent
from anyorder.elements.text.elements import collate_text
from anyorder.envs.telling import TextEpisode
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import ask
from anyorder.masking.order import Role
from anyorder.masking.queries import NextActionQuery
from anyorder.playground.about import about
from anyorder.playground.server import HOST, application
from anyorder.playground.text_stage import TextStage
from anyorder.playground.wire import LiveText, Played

SEED = 30_000_002
"""The lamp is three rooms away."""
WAY = ["go on", "go on", "go on", "take lamp"]


def live(*actions, seed=SEED):
    return {"kind": "live_text", "seed": seed, "actions": list(actions)}


def scene(scenes, *actions, seed=SEED):
    return scenes.scene(LiveText(kind="live_text", seed=seed, actions=actions))


@pytest.fixture
def told(world_client):
    def post(what, **body):
        response = world_client.post(f"/api/{what}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def refused(world_client):
    def post(what, **body):
        response = world_client.post(f"/api/{what}", json=body)
        assert 400 <= response.status_code < 500 and list(response.json()) == ["error"], response.text
        return response.json()["error"]

    return post


def agent_of(scenes, limit=200):
    return TextAgent(scenes.model, scenes.codec, scenes.form, limit)


def history_of(agent, actions, env_id="ToyRow-v0", read=None):
    """What an agent knows after these actions; ``read``: what reached it of the last observation."""
    episode = TextEpisode(make_text_environment(env_id), env_id, SEED)
    history = agent.start(episode.mission)
    history.observe(episode.views[0], None if actions else read)
    for number, action in enumerate(actions, start=1):
        history.observe(episode.step(action), read if number == len(actions) else None)
    return history


def shares(told):
    return {action: share for action, share, _ in told["candidates"]}


def expected(agent, history):
    (found,) = agent.log_probabilities([history])
    return dict(zip(history.view.admissible, found.exp().tolist()))


def test_a_live_episode_is_the_environments(told, refused):
    offered = told("episode", source=live())
    assert offered["outcome"] == "running" and offered["num_actions"] == 0 and offered["score"] == 0
    for number in range(1, len(WAY)):
        shown = told("episode", source=live(*WAY[:number]))
        texts = ["".join(word["text"] for word in turn["words"]) for turn in shown["turns"]]
        assert texts[0] == "Take the lamp." and texts[2::2] == WAY[:number]
        assert [ROOMS[place] in text for place, text in enumerate(texts[1::2])] == [True] * (number + 1)
        assert shown["outcome"] == "running" and shown["num_actions"] == number
    ended = told("episode", source=live(*WAY))
    assert ended["outcome"] == "success" and ended["score"] == 1
    assert "ended after 4 actions; reset it" in refused("episode", source=live(*WAY, "wait"))
    assert told("episode", source=live(*WAY[:2]))["num_actions"] == 2, "undone"
    assert told("episode", source=live(seed=SEED + 1))["source"].endswith(str(SEED + 1))
    assert told("episode", source=live(*["wait"] * 20))["outcome"] in ("truncated", "stopped")


@pytest.mark.parametrize("actions", [(), ("go on",), ("wait", "wait"), ("say hello", "go on", "go back")])
def test_the_agent_is_the_policy(told, world_scenes, actions):
    agent = agent_of(world_scenes)
    history = history_of(agent, actions)
    answer = told("agent", source=live(*actions), roles=told("episode", source=live(*actions))["roles"])
    assert shares(answer) == pytest.approx(expected(agent, history), abs=1e-6)
    assert list(shares(answer).values()) == sorted(shares(answer).values(), reverse=True)
    assert [answer["action"]] == agent.act([history], [None])
    tried = {action: times for action, _, times in answer["candidates"]}
    assert tried == dict(zip(history.view.admissible, history.times_tried(history.view.admissible).tolist()))
    assert tried["wait"] == (2 if actions == ("wait", "wait") else 0)


def with_roles(shown, change, role):
    digits = list(shown["roles"])
    for element in change:
        digits[element] = str(int(role))
    return "".join(digits)


def places(turn):
    return [element for word in turn["words"] for element in word["elements"]] + turn["filling"]


@pytest.mark.parametrize("role", [Role.TARGET, Role.HIDDEN])
def test_it_does_not_read_hidden_words(told, world_scenes, role):
    source = live("go on", "go on")
    shown = told("episode", source=source)
    last = shown["turns"][-1]
    roles = with_roles(shown, [*last["words"][1]["elements"], *last["words"][4]["elements"]], role)
    agent = agent_of(world_scenes)
    text = "You are in the garden."
    unread = expected(agent, history_of(agent, source["actions"], read=ReadText(text, frozenset({1, 4}))))
    found = shares(told("agent", source=source, roles=roles))
    assert found == pytest.approx(unread, abs=1e-6)
    assert found != pytest.approx(expected(agent, history_of(agent, source["actions"])), abs=1e-6)


@pytest.mark.parametrize("turn", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("role", [Role.HIDDEN, Role.DROPPED])
def test_it_reads_what_the_model_is_shown(world_scenes, turn, role):
    """Whatever is hidden, the agent's answer is the model's answer to the question with these roles."""
    now = scene(world_scenes, "go on", "take lamp")
    shown = now.to_json()
    first, after = shown["turns"][turn]["elements"]
    inside = places(shown["turns"][turn]) if role == Role.HIDDEN else range(first, after)
    roles = with_roles(shown, inside, role)
    told = now.next_action(roles, False)
    codec, history = world_scenes.codec, now.history
    rooms = {action: history.room_of(action) for action in history.view.admissible}
    scores = {}
    for action, room in rooms.items():
        batch = collate_text([history.question(room)], codec.pad_id)
        order = NextActionQuery(2)(batch.layout)
        given = torch.tensor([[*map(int, roles), *order.roles[0, len(roles) :].tolist()]], dtype=order.roles.dtype)
        answers = ask(world_scenes.model, batch, replace(order, roles=given)).float().log_softmax(dim=-1)
        scores[action] = answers.gather(1, agent_of(world_scenes).tokens([action], room).T).sum()
    found = torch.stack(list(scores.values())).softmax(dim=0).tolist()
    assert shares(told) == pytest.approx(dict(zip(scores, found)), abs=1e-5)


def test_the_agent_and_questions_are_asked_at_the_same_time(world_scenes):
    """As the page does: what the one hides must not reach the other."""
    now = scene(world_scenes, "go on")
    roles = now.to_json()["roles"]
    first = now.next_action(roles, False)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: now.next_action(roles, False), range(40)))
    assert found == [first] * 40


def test_a_long_episode_is_shown_as_far_as_it_is_read(play_in):
    scenes = play_in("ToyRow-v0", limit=120)
    actions = ["go on", "go back"] * 6
    now = scene(scenes, *actions)
    shown = now.to_json()
    assert 0 < shown["first_step"] < 12 and shown["turns"][0]["part"] == "mission" and len(shown["roles"]) <= 120
    assert shown["turns"][1]["step"] == 0 and shown["num_actions"] == 12
    agent = agent_of(scenes, 120)
    biggest = max(map(now.history.room_of, now.history.view.admissible))
    question = now.history.question(biggest)
    assert torch.equal(question.values[: len(shown["roles"])], now.batch.values[0])
    assert set(shares(now.next_action(shown["roles"], False))) == set(expected(agent, history_of(agent, actions)))


def test_where_nobody_knows_what_is_admissible_it_writes(play_in):
    scenes = play_in("ToyRowSilent-v0")
    now = scene(scenes, "go on")
    told = now.next_action(now.to_json()["roles"], False)
    writer = GeneratingAgent(scenes.model, scenes.codec, scenes.form, 200)
    assert told["candidates"] == []
    assert [told["action"]] == writer.act([history_of(writer, ["go on"], "ToyRowSilent-v0")], [None])
    assert scene(scenes, "go on", told["action"]).num_actions == 2


def test_episodes_are_played_to_their_end(told, world_scenes):
    gold = told("episode", source={"kind": "played", "seed": SEED, "player": "bot"})
    assert gold["outcome"] == "success" and gold["num_actions"] == 4
    (played,) = roll_out_texts(agent_of(world_scenes), "ToyRow-v0", [SEED])
    own = told("episode", source={"kind": "played", "seed": SEED, "player": "agent"})
    said = ["".join(word["text"] for word in turn["words"]) for turn in own["turns"] if turn["part"] == "action"]
    assert said == list(played.actions)[-len(said) :] and own["num_actions"] == len(played)
    assert world_scenes._whole.cache_info().maxsize == 32


def test_the_page_learns_who_can_play(world_scenes, text_scenes):
    offered = about("best.pt", "test", world_scenes)
    assert offered["players"] == ["agent", "bot"] and offered["plays"] and offered["env_id"] == "ToyRow-v0"
    assert not about("best.pt", "test", text_scenes)["plays"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"kind": "live", "seed": 1, "actions": [1]}, "must be of the kind live_text; found live"),
        ({"kind": "live_fields", "seed": 1, "actions": []}, "must be of the kind live_text; found live_fields"),
        ({"kind": "live_text", "seed": 1, "actions": [3]}, "valid string; found 3"),
        ({"kind": "live_text", "seed": 1, "actions": ["a" * 2001]}, "at most 2000 characters"),
        ({"kind": "live_text", "seed": 1, "actions": ["wait"] * 2001}, "at most 2000"),
        ({"kind": "live_text", "seed": -1, "actions": []}, "greater than or equal to 0"),
        ({"kind": "played", "seed": 1, "player": "agent", "part": 99}, "the part of this episode must lie between"),
        ({"kind": "recorded", "number": 0}, "there are no recorded episodes"),
    ],
)
def test_what_cannot_be_played_is_said(refused, told, source, said):
    assert said in refused("episode", source=source)
    assert told("episode", source=live("go on"))["num_actions"] == 1, "and the next one is played"


def test_what_the_agent_cannot_be_asked_is_said(refused, told):
    shown = told("episode", source=live())["roles"]
    assert "found rebuilds true" in refused("agent", source=live(), roles=shown, rebuilds=True)
    assert "found 2 roles" in refused("agent", source=live(), roles="11")
    over = told("episode", source=live(*WAY))["roles"]
    assert "whose end is success" in refused("agent", source=live(*WAY), roles=over)


def test_an_environment_that_fails_is_named(play_in):
    scenes = play_in("ToyRowFalling-v0")
    with pytest.raises(AnyOrderError, match=r"seed 30000003 at its reset failed \(OSError: the row fell down\)"):
        scene(scenes, seed=30_000_003)
    with pytest.raises(AnyOrderError, match="the row fell down"):
        scenes.scene(Played(kind="played", seed=30_000_003, player="agent"))
    assert scene(scenes, "go on").num_actions == 1


def test_an_environment_that_is_not_played_in_words_is_refused(world_scenes):
    with pytest.raises(AnyOrderError, match="observations and actions are texts; found CartPole-v1"):
        TextStage(world_scenes.stage.chooser, "CartPole-v1")


def test_an_episode_that_never_ends_is_given_up(world_scenes, monkeypatch):
    monkeypatch.setattr("anyorder.playground.text_stage.MOST_ACTIONS", 3)
    with pytest.raises(AnyOrderError, match="must end within 3 actions; found that of seed 30000002 going on"):
        world_scenes.stage.played(SEED, "bot")


def test_environments_are_closed_with_the_server(play_in, monkeypatch):
    closed = []
    monkeypatch.setattr("toy_worlds.RowOfRooms.close", lambda self: closed.append(self))
    scenes = play_in("ToyRow-v0+ToyRowSilent-v0")
    with TestClient(application(scenes, about("best.pt", "test", scenes)), base_url=f"http://{HOST}") as client:
        for seed in (SEED, SEED + 1, SEED + 2):
            response = client.post("/api/episode", json={"source": live("go on", seed=seed)})
            assert response.status_code == 200 and not closed
    assert len(closed) == 2, "one of each id"
    assert scene(scenes, "go on").num_actions == 1, "another call makes them again"

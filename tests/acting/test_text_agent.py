"""An agent in words scores all that is admissible in one pass, and plays each episode as if it were alone."""

import numpy as np
import pytest
import torch
import toy_worlds  # noqa: F401  (registers its environments)
from toy_conversations import byte_level
from transformers import BertConfig, BertForMaskedLM

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_policy import TextPolicy
from anyorder.acting.text_rollout import play_texts, roll_out_texts
from anyorder.data.manifest import Failure
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TooLong
from anyorder.envs.played_text import PlayedText
from anyorder.envs.telling import TextView
from anyorder.errors import AnyOrderError
from anyorder.evaluation.text_acting import choice_scores, task_scores
from anyorder.models.language.masked_lm import MaskedLanguageModel

FORM = ChatForm(
    {"system": ("system ", ""), "user": ("user ", ""), "assistant": ("assistant ", "")}, rooms={"observation": 0, "action": 4}
)
ACTIONS = ("go", "open the yellow door", "pick up a blue box", "wait")


@pytest.fixture(scope="module")
def codec():
    return TextCodec(byte_level(), mask_id=1, end_id=0)


@pytest.fixture(scope="module")
def agent(codec):
    """A small BERT that has learned nothing."""
    torch.manual_seed(0)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=160)
    inner = BertForMaskedLM(BertConfig(vocab_size=codec.size, initializer_range=0.2, **sizes))
    return TextAgent(MaskedLanguageModel(inner, codec.mask_id).eval(), codec, FORM, limit=160)


def history_of(agent, *said, admissible=ACTIONS):
    """Observations and actions in turn."""
    history = agent.start("go to the red ball")
    for number in range(0, len(said), 2):
        history.observe(TextView(said[number], admissible, 0.0, "go to the red ball", said[number - 1] if number else None))
    return history


def episode(*said):
    number = len(said) // 2
    return PlayedText(
        *("toy", 20_000_000, "go to the red ball", said[::2], said[1::2], (0.0,) * number, (0.0,) * (number + 1)),
        *((ACTIONS,) * (number + 1), True, True, False),
    )


def test_one_pass_gives_the_probabilities_of_one_pass_for_each_action(agent):
    said = "a red ball", "wait", "a green box"
    found = agent.log_probabilities([history_of(agent, *said)])[0]
    policy = TextPolicy(agent.model, agent.codec, FORM, 160)
    scores = torch.tensor(policy.score(episode(*said, "wait", "").turns(until=1), ACTIONS), dtype=torch.float64)
    assert len({FORM.room("action", len(agent.codec.encode(action))) for action in ACTIONS}) > 1, "rooms differ"
    assert torch.allclose(found.double(), scores.log_softmax(dim=0), atol=1e-4)


def test_histories_do_not_depend_on_one_another(agent):
    several = [history_of(agent, "a red ball"), history_of(agent, "a box", "go", "a yellow door"), history_of(agent, "a key")]
    for alone, together in zip(several, agent.log_probabilities(several)):
        assert torch.allclose(agent.log_probabilities([alone])[0], together, atol=1e-4)


def test_the_oldest_steps_are_left_out_and_the_mission_stays(agent):
    long = ["a red ball on your left", "wait"] * 30 + ["a key"]
    asked = history_of(agent, *long).question(4)
    assert len(asked) <= 160 and int(asked.places["step"].max()) < 30
    assert agent.codec.decode(asked.values[:12].tolist()).startswith("system go to the red ball")


def test_of_an_observation_that_does_not_fit_the_beginning_is_read(agent):
    history = history_of(agent, "a red ball", "wait", "a green box " + "a red ball " * 100)
    asked = history.question(4)
    read = agent.codec.decode(asked.values.tolist())
    assert len(asked) == 160 and read.startswith("system go to the red ball") and "a green box a red ball" in read
    assert sum(map(len, history.read_now())) < 160
    assert agent.log_probabilities([history])[0].isfinite().all()
    assert history.units[-1].room > 160, "what was shown is kept whole"
    history = agent.start("go to the red ball " * 100)
    history.observe(TextView("a key", ACTIONS, 0.0, "", None))
    with pytest.raises(TooLong, match="must fit into 160 tokens"):
        history.question(4)


def test_what_was_tried_in_vain_is_tried_later(agent):
    history = history_of(agent, "a key", "wait", "a key", "wait", "a key")
    assert history.tried == {"wait": 2}
    patient = TextAgent(agent.model, agent.codec, FORM, 160, tried_penalty=1000.0)
    done = []
    for _ in ACTIONS:
        history = history_of(agent, *[part for action in done for part in ("a key", action)], "a key")
        done += patient.act([history], [np.random.default_rng(0)])
    assert sorted(done) == sorted(ACTIONS)


def test_chance_follows_the_probabilities(codec, agent):
    warm = TextAgent(agent.model, codec, FORM, 160, temperature=1.0, tried_penalty=0.0)
    history = history_of(agent, "a key")
    shares = warm.log_probabilities([history])[0].exp()
    drawn = [warm.act([history], [np.random.default_rng(seed)])[0] for seed in range(200)]
    found = torch.tensor([drawn.count(action) / 200 for action in ACTIONS])
    assert (found - shares).abs().max() < 0.12


def test_it_must_know_what_is_admissible(agent):
    with pytest.raises(AnyOrderError, match=r'needs info\["admissible"\]'):
        agent.log_probabilities([history_of(agent, "a key", admissible=())])


def test_episodes_do_not_depend_on_how_many_are_played_at_once(agent):
    warm = TextAgent(agent.model, agent.codec, FORM, 160, temperature=1.0)
    seeds, told = range(30_000_000, 30_000_006), []
    played = roll_out_texts(warm, "ToyRow-v0", seeds, lambda: told.append(1), slots=3)
    assert roll_out_texts(warm, "ToyRow-v0", seeds, slots=1) == played and len(told) == 6
    assert [one.seed for one in played] == list(seeds) and all(one.truncated or one.success for one in played)


def test_an_episode_that_fails_costs_itself_alone(agent):
    seeds = range(2, 5)
    episodes = play_texts(agent, "ToyRowFalling-v0", seeds)
    played = [one.result for one in episodes]
    assert played[1] == Failure(3, "OSError: the row fell down") and all(isinstance(one, PlayedText) for one in played[::2])
    (score,) = task_scores("ToyRowFalling-v0", seeds, episodes)
    assert (score.task, score.split, score.num_episodes, score.num_failed) == ("ToyRowFalling-v0", "train", 3, 1)
    assert score.success.count == 3 and score.steps.value == np.mean([len(one) for one in played[::2]])


def test_grids_are_refused(agent):
    with pytest.raises(AnyOrderError, match="observations and actions are texts; found BabyAI-GoToObj-v0"):
        roll_out_texts(agent, "BabyAI-GoToObj-v0", [0])


def test_choices_are_counted_by_hand(agent):
    said = "a red ball", "wait", "a key", "go", "a box"
    best = [history_of(agent, *said[:length]) for length in (1, 3)]
    chosen = [ACTIONS[int(one.argmax())] for one in agent.log_probabilities(best)]
    (found,) = choice_scores(agent, [episode("x", "go", "y")], [episode(*said)])
    assert (found.task, found.split, found.chance) == ("toy", "test", 1 / len(ACTIONS))
    assert found.agent.successes == (chosen[0] == "wait") + (chosen[1] == "go") and found.agent.count == 2
    assert found.most_frequent.successes == 1

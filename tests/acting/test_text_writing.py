"""An agent in words writes freely or within what is admissible, each episode as if it were alone, and ends over its budget."""

import numpy as np
import pytest
import torch
import toy_worlds
from toy_conversations import byte_level
from transformers import BertConfig, BertForMaskedLM

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_costs import EpisodeBudget
from anyorder.acting.text_rollout import play_texts, roll_out_texts
from anyorder.acting.text_ways import TEXT_WAYS
from anyorder.acting.text_writing import ConstrainedAgent, GeneratingAgent
from anyorder.elements.layout import Kind
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import ChatForm
from anyorder.envs.telling import TextView
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.text_acting import acting_tables, task_scores
from anyorder.models.language.masked_lm import MaskedLanguageModel

FORM = ChatForm(
    {"system": ("system ", ""), "user": ("user ", ""), "assistant": ("assistant ", "")}, rooms={"observation": 0, "action": 32}
)
LIMIT = 320
ACTIONS = ("go back", "go on", "take lamp", "wait")
SEEDS = range(30_000_000, 30_000_003)


@pytest.fixture(scope="module")
def codec():
    return TextCodec(byte_level(), mask_id=1, end_id=0)


@pytest.fixture(scope="module")
def unlearned(codec):
    """A small BERT that has learned nothing."""
    torch.manual_seed(0)
    sizes = dict(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=LIMIT
    )
    inner = BertForMaskedLM(BertConfig(vocab_size=codec.size, initializer_range=0.5, **sizes))
    return MaskedLanguageModel(inner, codec.mask_id).eval()


class Certain(torch.nn.Module):
    """Expects one of two actions; the second one is a little less probable at one place, where they differ."""

    def __init__(self, codec, first, second=None):
        super().__init__()
        rows = [[*codec.encode(text).ids] for text in (first, second or first)]
        rows = [[*row, *[codec.end_id] * (32 - len(row))] for row in rows]
        self.logits = torch.zeros(32, codec.size)
        for row, strength in zip(rows, (10.0, 9.0)):
            self.logits[range(32), row] = torch.maximum(self.logits[range(32), row], torch.tensor(strength))

    def forward(self, values, layout, order):
        last = layout.step.where(layout.kind == Kind.ACTION, -1).amax(dim=1, keepdim=True)
        inside = (layout.kind == Kind.ACTION) & (layout.step == last) & ~layout.exempt
        return self.logits[(inside.cumsum(dim=1) - 1)[order.targets]]


def agent_of(way, model, codec, **options):
    return way(model, codec, FORM, LIMIT, **options)


def history_of(agent, *said, admissible=ACTIONS):
    history = agent.start("take the lamp")
    for number in range(0, len(said), 2):
        history.observe(TextView(said[number], admissible, 0.0, "take the lamp", said[number - 1] if number else None))
    return history


def act(agent, history, seed=0):
    return agent.act([history], [np.random.default_rng(seed)])[0]


@pytest.mark.parametrize("way", TEXT_WAYS.values())
@pytest.mark.parametrize("action", ACTIONS)
def test_all_ways_do_what_a_certain_model_says(codec, way, action):
    agent = agent_of(way, Certain(codec, action), codec)
    assert act(agent, history_of(agent, "a cellar")) == action


@pytest.mark.parametrize("way", [GeneratingAgent, ConstrainedAgent])
def test_what_was_tried_in_vain_is_not_written_again(codec, way):
    agent = agent_of(way, Certain(codec, "go on", "go in"), codec, num_passes=32, threshold=1.0)
    tried = history_of(agent, "a cellar", "go on", "a cellar", admissible=("go in", "go on"))
    assert act(agent, tried) == "go in"
    elsewhere = history_of(agent, "a cellar", "go on", "a garden", admissible=("go in", "go on"))
    assert act(agent, elsewhere) == "go on"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("form", [FORM, ChatForm(FORM.marks, rooms={"observation": 0, "action": 4})])
def test_constrained_writing_never_leaves_what_is_admissible(codec, unlearned, temperature, form):
    """The second form has several rooms."""
    agent = ConstrainedAgent(unlearned, codec, form, LIMIT, temperature, 0.0)
    done = {act(agent, history_of(agent, place), seed) for place in toy_worlds.ROOMS for seed in range(3)}
    assert done <= set(ACTIONS)
    free = GeneratingAgent(unlearned, codec, form, LIMIT, temperature)
    assert act(free, history_of(free, "a cellar")) not in ACTIONS, "the model alone would have left it"


def test_in_one_pass_constrained_writing_is_scoring(codec, unlearned):
    scoring, written = TextAgent(unlearned, codec, FORM, LIMIT), ConstrainedAgent(unlearned, codec, FORM, LIMIT, num_passes=1)
    for place in toy_worlds.ROOMS:
        history = history_of(scoring, place, "wait", place)
        assert act(written, history) == act(scoring, history)


@pytest.mark.parametrize("way", [GeneratingAgent, ConstrainedAgent])
def test_episodes_do_not_depend_on_how_many_are_written_at_once(codec, unlearned, way):
    agent = agent_of(way, unlearned, codec, temperature=1.0, num_passes=2)
    assert roll_out_texts(agent, "ToyRow-v0", SEEDS, slots=3) == roll_out_texts(agent, "ToyRow-v0", SEEDS, slots=1)


def test_a_world_that_does_not_say_what_is_admissible_is_played_by_writing_freely(codec):
    agent = agent_of(GeneratingAgent, Certain(codec, "go on"), codec)
    (played,) = roll_out_texts(agent, "ToyRowSilent-v0", [30_000_000])
    assert played.actions[0] == "go on" and played.success is False
    for way in (TextAgent, ConstrainedAgent):
        with pytest.raises(AnyOrderError, match=r'needs info\["admissible"\].* --acting generating'):
            roll_out_texts(agent_of(way, Certain(codec, "go on"), codec), "ToyRowSilent-v0", [30_000_000])


def test_tokens_are_those_of_every_pass(codec, unlearned):
    for passes in (1, 3):
        agent = GeneratingAgent(unlearned, codec, FORM, LIMIT, num_passes=passes, threshold=1.0)
        history = history_of(agent, "a cellar")
        act(agent, history)
        assert history.tokens_read == passes * len(history.question(32))


@pytest.mark.parametrize("budget", [EpisodeBudget(tokens=1), EpisodeBudget(seconds=1e-9)])
def test_an_episode_over_its_budget_ends(codec, budget):
    agent = agent_of(TextAgent, Certain(codec, "wait"), codec)
    found = play_texts(agent, "ToyRow-v0", SEEDS, budget=budget)
    assert all(one.over_budget and len(one.result) == 1 and one.result.success is False for one in found)
    (score,) = task_scores("ToyRow-v0", SEEDS, found)
    assert (score.num_over_budget, score.success.successes, score.success.count) == (3, 0, 3)
    assert score.tokens_per_decision.value == np.mean([one.cost.tokens for one in found])
    (table,) = acting_tables([score], [])
    assert list(table.columns[3].cells) == ["3"]


def test_what_is_won_within_the_budget_counts(codec):
    agent = agent_of(TextAgent, Certain(codec, "take lamp"), codec)
    (free,) = play_texts(agent, "ToyRow-v0", [30_000_000])
    (exact,) = play_texts(agent, "ToyRow-v0", [30_000_000], budget=EpisodeBudget(tokens=free.cost.tokens))
    (less,) = play_texts(agent, "ToyRow-v0", [30_000_000], budget=EpisodeBudget(tokens=free.cost.tokens - 1))
    assert (exact.result, exact.over_budget, less.over_budget) == (free.result, False, True)
    assert free.cost.decisions == len(free.result) and free.cost.seconds > 0


@pytest.mark.parametrize("settings", [{"token_budget": 0}, {"time_budget": -1.0}, {"time_budget": float("nan")}])
def test_budgets_are_above_zero(settings):
    with pytest.raises(AnyOrderError, match="_budget must be above 0"):
        EvaluationConfig(**settings)


def test_each_kind_of_model_knows_its_own_ways():
    config = EvaluationConfig(metric="task_success")
    assert config.way_of_acting(TEXT_WAYS, "texts") == "scoring"
    with pytest.raises(AnyOrderError, match="acting must be direct or foreseeing for a grid; found generating; leave it out"):
        EvaluationConfig(metric="task_success", acting="generating").way_of_acting(["direct", "foreseeing"], "a grid")
    with pytest.raises(AnyOrderError, match="are for language models of conversations; found a grid; leave them out"):
        EvaluationConfig(token_budget=5).check_no_option_of_texts("a grid")
    with pytest.raises(AnyOrderError, match="mixed_precision are for language models of conversations; found a grid"):
        EvaluationConfig(mixed_precision="bf16").check_no_option_of_texts("a grid")

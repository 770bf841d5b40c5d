"""The live agent is the package's policy, and does not see what is hidden from it."""

import numpy as np
import pytest

from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.envs import minigrid

SEED = 30_000_004
ACTIONS = [0, 2]


@pytest.fixture(scope="module")
def views():
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    return [minigrid.reset(env, SEED), *(minigrid.read_view(env.step(action)[0]) for action in ACTIONS)]


def expected(policy, views, unknown=None, unknown_direction=False, unknown_action=False):
    """Probabilities where ``unknown`` (bool [X, Y]) of the last view, its direction and the last action are unknown."""
    history = policy.start(views[0].mission)
    for number, view in enumerate(views):
        last = number == len(ACTIONS)
        history.observe(view, unknown if last else None, last and unknown_direction)
        if not last:
            history.act(ACTIONS[number], unknown=unknown_action and number == len(ACTIONS) - 1)
    return policy.logits([history])[0].softmax(dim=0).tolist()


@pytest.fixture
def probabilities(ask):
    source = {"kind": "live", "seed": SEED, "actions": ACTIONS}

    def given(change=lambda roles, first: None, **options):
        roles = list(ask("episode", source=source)["roles"])
        change(roles, len(roles) - 150)
        return ask("agent", source=source, roles="".join(roles), **options)["probabilities"]

    return given


def test_the_agent_is_the_policy(probabilities, model, views):
    assert probabilities() == pytest.approx(expected(ModelPolicy(model), views), abs=1e-6)


@pytest.mark.parametrize("role", "230")
def test_it_does_not_see_hidden_cells(probabilities, model, views, role):
    def hide(roles, first):
        roles[first + 3 * (7 * 2 + 4) : first + 3 * (7 * 2 + 4) + 3] = role * 3

    unknown = np.zeros((7, 7), bool)
    unknown[2, 4] = True
    found = probabilities(hide)
    assert found == pytest.approx(expected(ModelPolicy(model), views, unknown), abs=1e-6)
    assert found != pytest.approx(probabilities(), abs=1e-6)
    rebuilt = probabilities(hide, rebuilds=True)
    assert rebuilt == pytest.approx(expected(RebuildingPolicy(model), views, unknown), abs=1e-6)


def test_a_hidden_attribute_leaves_the_others(probabilities, model, views):
    def hide(roles, first):
        roles[first + 3 * (7 * 2 + 4) + 1] = "3"

    unknown = np.zeros((7, 7, 3), bool)
    unknown[2, 4, 1] = True
    assert probabilities(hide) == pytest.approx(expected(ModelPolicy(model), views, unknown), abs=1e-6)


def test_directions_and_past_actions_can_be_hidden(probabilities, model, views):
    def hide(roles, first):
        roles[first + 147] = roles[first - 1] = "2"

    found = expected(ModelPolicy(model), views, unknown_direction=True, unknown_action=True)
    assert probabilities(hide) == pytest.approx(found, abs=1e-6)


def test_roles_of_another_episode_are_refused(refusal):
    said = refusal("agent", source={"kind": "live", "seed": SEED, "actions": []}, roles="1111")
    assert "found 4 roles" in said

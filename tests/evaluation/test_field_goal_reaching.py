"""Goals are the last observations of an expert; whoever reaches them is judged by the environment."""

import pytest
import torch
from gymnasium import spaces

from anyorder.acting.field_goals import FieldGoalPolicy
from anyorder.config import ElementModelConfig, SpecConfig
from anyorder.data.episodes import ExpertSource
from anyorder.elements.grid_fields import fields_of_grid, grid_spec
from anyorder.envs.experts import require_expert
from anyorder.errors import AnyOrderError
from anyorder.evaluation.field_findings import FieldFindings
from anyorder.evaluation.field_goal_reaching import last_state, reach_field_goals
from anyorder.models.element.element_transformer import ElementTransformer

ENV, SEEDS = "BabyAI-GoToRedBall-v0", range(30_000_000, 30_000_003)


def test_the_bot_shows_goals_to_the_general_model(tmp_path):
    shown = [fields_of_grid(one) for one in ExpertSource(ENV, num_processes=1)(SEEDS)]
    torch.manual_seed(0)
    config = ElementModelConfig(width=16, num_layers=1, num_heads=2, max_frames=2)
    model = ElementTransformer(config, grid_spec(shown, SpecConfig())).eval()
    finished = []
    policy = FieldGoalPolicy(model, spaces.Discrete(7), temperature=1.0)
    score = reach_field_goals(policy, ENV, SEEDS, lambda: finished.append(1))
    assert len(finished) == score.num_goals == score.success.count == 3 and score.num_left_out == 0
    assert score.expert_length.value == pytest.approx(sum(map(len, shown)) / 3)
    assert score.mean_length.value <= 64 and score.nearest is None, "a grid has no numbers"
    assert last_state(shown[0]).step == len(shown[0]) and score.seeds == (SEEDS[0], SEEDS[-1])
    findings = FieldFindings(ENV, goals=score)
    assert "Goals reached" in str(findings.tables(["goals"])[0].title)
    assert findings.to_json()["goals"]["success"]["count"] == 3


def test_without_an_expert_there_are_no_goals():
    require_expert(ENV)
    with pytest.raises(AnyOrderError, match="no expert of CartPole-v1 is known"):
        require_expert("CartPole-v1")

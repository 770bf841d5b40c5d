"""What an evaluation leaves for the eye."""

import pytest

from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.pictures.evaluation import write_pictures

PICTURES = {
    "all": {"reconstruction.png", "reliability.png", "reliability.svg", "episodes.gif", "episodes.mp4"},
    "accuracy": {"reconstruction.png", "reliability.png", "reliability.svg"},
    "dynamics": {"reliability.png", "reliability.svg"},
    "task_success": {"episodes.gif", "episodes.mp4"},
}


@pytest.mark.usefixtures("short_episodes")
@pytest.mark.parametrize("metric", PICTURES)
def test_what_was_found_is_drawn(make_model, vocabulary, encoded, tmp_path, metric):
    config = EvaluationConfig(metric=metric, num_episodes=2, num_gif_episodes=1, robustness={})
    evaluation = Evaluation(make_model((7, 7), vocabulary), encoded, encoded, "MiniGrid-Empty-5x5-v0", config)
    findings = evaluation.run(tmp_path)
    before = set(tmp_path.iterdir())
    write_pictures(evaluation, findings, tmp_path)
    assert {path.name for path in set(tmp_path.iterdir()) - before} == PICTURES[metric]

"""Outcomes of runs that were never run, with the episodes a test wants."""

import yaml

from anyorder.studies.runner import Outcome
from anyorder.studies.study_file import read_study

STUDY = """
levels:
  Red: {env: BabyAI-GoToRedBall-v0, data: data/red, arms: [low, middle, high, schedule]}
  Two: {env: BabyAI-GoToRedBall-v0+BabyAI-PickupLoc-v0, data: data/two, arms: [middle],
        test_on: [BabyAI-GoToObj-v0, BabyAI-OpenDoor-v0]}
seeds: [0, 1]
arms:
  low: {masking: {mask_prob: 0.15}}
  middle: {masking: {mask_prob: 0.3}, test_on: [BabyAI-GoToObj-v0, BabyAI-OpenDoor-v0]}
  high: {masking: {mask_prob: 0.5}}
  schedule: {masking: {mask_prob: {linear: [0.15, 0.5]}}}
comparisons:
  Rate: [middle, low, high]
  Schedule: [middle, schedule]
  Levels: [Red: middle, Two: middle]
"""
UNSEEN = ("BabyAI-GoToObj-v0", "BabyAI-OpenDoor-v0")


def make_study(tmp_path):
    """Three comparisons; the last is across levels."""
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(STUDY), sort_keys=False))
    return read_study(file, False, tmp_path / "out")


def share(successes, count):
    """As result files hold it."""
    return {"rate": successes / count, "low": 0.0, "high": 1.0, "successes": successes, "count": count}


def played(won, first_seed=30_000_100):
    """Content of episodes.json: True or False for each episode."""
    return {
        "seed": list(range(first_seed, first_seed + len(won))),
        "success": list(won),
        "reward": [0.5] * len(won),
        "length": [7] * len(won),
    }


def outcome(run, episodes, groups=None, robustness=()):
    """Of a run that was judged.

    Args:
        run: of a study.
        episodes: environment -> whether each was won; "" is its own level.
        groups: attribute -> (right, most frequent, count).
        robustness: entries of metrics.json.
    """
    metrics = {env: {"task_success": {"success": share(sum(won), len(won))}} for env, won in episodes.items()}
    metrics[""]["smoothing"] = {
        "groups": {
            name: {"accuracy": share(right, count), "most_frequent": share(base, count)}
            for name, (right, base, count) in (groups or {}).items()
        }
    }
    metrics[""]["robustness"] = list(robustness)
    return Outcome(run, {}, metrics, {env: played(won) for env, won in episodes.items()})


def runs_of(study, level, arm):
    """One per seed."""
    return [run for run in study.runs() if (run.level.name, run.arm.name) == (level, arm)]

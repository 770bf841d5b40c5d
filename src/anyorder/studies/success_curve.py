"""Task success while training: a few episodes at every validation."""

from __future__ import annotations

from dataclasses import dataclass

from anyorder.acting.rollout import roll_out
from anyorder.acting.stepwise import quickest_policy
from anyorder.envs.splits import SPLIT_OFFSETS
from anyorder.evaluation.outcomes import success
from anyorder.models.contract import GridModel

SUCCESS = "success"
"""Name of the success rate among the validation scores."""


@dataclass(frozen=True)
class PlayedWhileTraining:
    """The success rate of the model in training, for `anyorder.training.trainer.Job.watch`.

    Attributes:
        env_id: where episodes are played.
        num_episodes: how many are played, always on the first seeds of the validation split. The seeds that a finished model
            is judged on stay unseen.
        temperature, tried_penalty: how actions are chosen, see `anyorder.acting.policy.SampledPolicy`.
    """

    env_id: str
    num_episodes: int
    temperature: float
    tried_penalty: float

    def __call__(self, model: GridModel) -> dict[str, float]:
        """``{"success": share of the episodes}``. Random choices come from a generator of its own; the model
        is in training mode afterwards."""
        first = SPLIT_OFFSETS["validation"]
        model.eval()
        policy = quickest_policy(model, self.temperature, tried_penalty=self.tried_penalty)
        played = roll_out(policy, self.env_id, range(first, first + self.num_episodes))
        model.train()
        return {SUCCESS: success(played).rate}

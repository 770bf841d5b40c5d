"""Task success while training: a few episodes at every validation."""

from __future__ import annotations

from dataclasses import dataclass

from anyorder.acting.rollout import roll_out
from anyorder.acting.stepwise import quickest_policy
from anyorder.data.collect import SPLIT_OFFSETS
from anyorder.evaluation.outcomes import success
from anyorder.models.contract import GridModel

SUCCESS = "success"
"""Its name among the validation scores."""


@dataclass(frozen=True)
class PlayedWhileTraining:
    """What `anyorder.training.trainer.Job.watch` may be.

    Attributes:
        env_id: where episodes are played.
        num_episodes: how many, always the same: the first seeds of the validation split. Seeds that a finished model is
            judged on stay unseen.
        temperature, tried_penalty: of the actions, see `SampledPolicy`.
    """

    env_id: str
    num_episodes: int
    temperature: float
    tried_penalty: float

    def __call__(self, model: GridModel) -> dict[str, float]:
        """``{"success": share of the episodes}``. Draws from a stream of its own; the model is in training mode
        afterwards."""
        first = SPLIT_OFFSETS["validation"]
        model.eval()
        policy = quickest_policy(model, self.temperature, tried_penalty=self.tried_penalty)
        played = roll_out(policy, self.env_id, range(first, first + self.num_episodes))
        model.train()
        return {SUCCESS: success(played).rate}

"""What an agent in words spends on an episode, and how much it may."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anyorder.data.manifest import Failure
from anyorder.envs.played_text import PlayedText


@dataclass(frozen=True)
class EpisodeCost:
    """What the decisions of one episode took.

    Attributes:
        decisions: how many there were.
        tokens: what the model read and wrote for them, in all passes.
        seconds: wall time; where several episodes are decided together, an equal share of it.
    """

    decisions: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def after(self, tokens: int, seconds: float) -> EpisodeCost:
        """With one more decision, after which ``tokens`` were read in all, and which took so long."""
        return EpisodeCost(self.decisions + 1, tokens, self.seconds + seconds)


@dataclass(frozen=True)
class EpisodeBudget:
    """How much the decisions of one episode may take; None: any amount.

    Attributes:
        tokens, seconds: as of `EpisodeCost`.
    """

    tokens: int | None = None
    seconds: float | None = None

    def is_exceeded_by(self, cost: EpisodeCost) -> bool:
        """True if a cost is more than this."""
        too_many = self.tokens is not None and cost.tokens > self.tokens
        return too_many or (self.seconds is not None and cost.seconds > self.seconds)


@dataclass(frozen=True)
class MeteredEpisode:
    """An episode and its cost.

    Attributes:
        result: what became of it.
        cost: of its decisions.
        over_budget: True if it ended because its decisions took more than they may. The action of the last one was still done,
            but what it won does not count.
    """

    result: PlayedText | Failure
    cost: EpisodeCost
    over_budget: bool = False

    @classmethod
    def stopped(cls, played: PlayedText, cost: EpisodeCost) -> MeteredEpisode:
        """An episode that is over its budget: it counts as no success where the environment says something of success."""
        return cls(replace(played, success=None if played.success is None else False, truncated=True), cost, over_budget=True)

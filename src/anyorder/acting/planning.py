"""Looking before acting: the same weights propose actions, imagine what follows, and judge it.

A policy that sees nothing change has no reason to change its answer. Where the policy is in doubt, or back where it has
been, the planner imagines what its most probable actions lead to (`anyorder.acting.imagination`), and adds a score of the
outcome to their log-probability.

Legend: N episodes, C candidates (episodes x actions x samples), S cells of a view, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.imagination import Choose, Imagined, imagine, observation_offsets
from anyorder.acting.policy import History, ModelPolicy, passes
from anyorder.elements.batch import Batch
from anyorder.elements.grid import NUM_RETURNS, NUM_VALUES, Attribute, collate
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.inference.decoding import ask
from anyorder.masking.order import in_turn, reconstruct
from anyorder.models.contract import GridModel


class Objective(Protocol):
    """How good imagined futures are.

    Args:
        model: the one that imagined them.
        before: C histories, up to where imagination began.
        imagined: the C futures.

    Returns:
        float32 ``[C]``; higher is better.
    """

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor: ...


def _logits_of(imagined: Imagined) -> Tensor:
    """``[C, H, 3S + 1, V]``; a ValueError where the decoder gave none."""
    if imagined.logits is None:
        raise ValueError("this objective needs the logits of imagined observations; imagine them with SinglePass")
    return imagined.logits


@dataclass(frozen=True)
class Novelty:
    """Minus the expected number of times that the last imagined observation (view and direction) has been seen in
    the episode: the sum, over the observations seen, of the probability that exactly this one follows, with its elements
    independent given the past. An action that is known to change nothing scores -1 or less."""

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor:
        log_probabilities = _logits_of(imagined)[:, -1].float().log_softmax(dim=-1)
        return torch.stack([-_repeats(history, row) for history, row in zip(before, log_probabilities)])


def _repeats(history: History, log_probabilities: Tensor) -> Tensor:
    """float32: the expected number of frames that equal an observation of these log-probabilities ``[3S + 1, V]``."""
    seen = history.encoded().frames[:, :-2]
    terms = log_probabilities.gather(1, seen.T)
    # Whether a cell is as before cannot be said if it was never seen, so it does not count.
    unknown = history.unknown().repeat_interleave(3, dim=1).T
    terms[:-1].masked_fill_(unknown, 0.0)
    return terms.sum(dim=0).exp().sum()


@dataclass(frozen=True)
class Tried:
    """Minus the number of times that the first imagined action was taken in the episode after exactly the last
    observation (view and direction). It needs no imagination. It helps where demonstrations teach nothing: nobody walks
    into an object in them, so the model does not learn that this has no effect."""

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor:
        return torch.stack([-history.tried()[action] for history, action in zip(before, imagined.actions[:, 0])])


@dataclass(frozen=True)
class Sum:
    """The sum of several objectives.

    Attributes:
        outcomes: the objectives, of equal weight.
    """

    outcomes: tuple[Objective, ...]

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor:
        return torch.stack([outcome(model, before, imagined) for outcome in self.outcomes]).sum(dim=0)


@dataclass(frozen=True)
class GoalMatch:
    """The expected share of cells that an imagined observation has in common with a goal observation, at the imagined step
    where this share is highest. A cell counts if its object, its color and its state are all the same.

    Attributes:
        goal: the observation to reach; its direction and mission do not count.
    """

    goal: View

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor:
        wanted = torch.from_numpy(self.goal.image.reshape(-1).astype(np.int64)) + observation_offsets(model)[:-1]
        probabilities = _logits_of(imagined)[:, :, :-1].float().softmax(dim=-1)
        matching = probabilities.gather(3, wanted.expand(*probabilities.shape[:2], -1)[..., None])[..., 0]
        return matching.unflatten(2, (-1, 3)).prod(dim=3).mean(dim=2).amax(dim=1)


@dataclass(frozen=True)
class Return:
    """The expected return-to-go at the end of the imagined future, 0..1; for a model that was trained to predict
    returns (the strategies next_return or value)."""

    def __call__(self, model: GridModel, before: Sequence[History], imagined: Imagined) -> Tensor:
        expected = torch.empty(len(imagined.histories))
        first = model.vocabulary.offsets[Attribute.RETURN]
        for chosen in passes([len(history) for history in imagined.histories]):
            encoded = [imagined.histories[index].encoded() for index in chosen]
            batch = Batch(*collate(encoded, *model.view))
            last = torch.tensor([len(one.frames) for one in encoded])[:, None] - 1
            asked = batch.layout.of_kind(Kind.RETURN) & (batch.layout.step == last)
            logits = ask(model, batch, in_turn(reconstruct(batch.layout, asked), batch.layout))
            probabilities = logits[:, first : first + NUM_RETURNS].float().softmax(dim=-1)
            expected[chosen] = probabilities @ torch.linspace(0, 1, NUM_RETURNS)
        return expected


class UniformPolicy(ModelPolicy):
    """Proposes some actions with equal probability: for goals that no policy was trained for.

    Args:
        model: only its vocabulary and view are used.
        actions: numbers of the actions; by default left, right and forward.
        seed: of the draws.
    """

    def __init__(self, model: GridModel, actions: Sequence[int] = (0, 1, 2), seed: int = 0) -> None:
        super().__init__(model, temperature=1.0, seed=seed)
        self._row = torch.full((NUM_VALUES[Attribute.ACTION],), -torch.inf)
        self._row[list(actions)] = 0.0

    def all_logits(self, histories: Sequence[History]) -> Tensor:
        return self._row.repeat(len(histories), 1)


@dataclass(frozen=True)
class Search:
    """What is imagined, and when.

    Attributes:
        weight: factor of the outcome's score when it is added to the log-probability, in nats per unit; 0 gives the plain
            policy.
        num_actions: how many actions of an episode are imagined, the most probable ones. Each other action gets the worst
            score among these.
        depth: how many steps are imagined; the actions after the first come from the policy.
        num_samples: how many futures of each action are imagined; the best one counts.
        certain: nothing is imagined where the policy gives an action at least this probability and the last observation is
            new to the episode. Above 1: always imagine.
    """

    weight: float = 4.0
    num_actions: int = 3
    depth: int = 1
    num_samples: int = 1
    certain: float = 0.0

    def __post_init__(self) -> None:
        for name, lowest in (("num_actions", 1), ("depth", 1), ("num_samples", 1), ("weight", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be at least {lowest}; found {getattr(self, name)}")


class Planner(ModelPolicy):
    """Acts as `ModelPolicy` does, on log-probabilities corrected by imagined outcomes.

    Args:
        policy: proposes actions, and chooses those after the first imagined step (there its temperature and seed count).
        outcome: scores what was imagined.
        search: what is imagined, and when.
        temperature: as in `ModelPolicy`, of the corrected distribution.
        seed: of the draws.
    """

    def __init__(
        self, policy: ModelPolicy, outcome: Objective, search: Search = Search(), temperature: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(policy.model, temperature, seed)
        self.policy, self.outcome, self.search = policy, outcome, search

    def start(self, mission: str) -> History:
        return self.policy.start(mission)

    @torch.no_grad()
    def all_logits(self, histories: Sequence[History]) -> Tensor:
        """float32 ``[N, 7]``: log-probability of each action under the policy, plus the weighted score of its outcome
        where that was imagined."""
        scores = self.policy.logits(histories).log_softmax(dim=-1)
        asked = [row for row, history in enumerate(histories) if self._in_doubt(scores[row], history)]
        if asked:
            scores[asked] += self.search.weight * self._outcomes([histories[row] for row in asked], scores[asked])
        return scores

    def _in_doubt(self, log_probabilities: Tensor, history: History) -> bool:
        return float(log_probabilities.max().exp()) < self.search.certain or came_back(history)

    def _outcomes(self, histories: Sequence[History], log_probabilities: Tensor) -> Tensor:
        """float32 ``[N, 7]``: the score of each action's outcome; actions that were not imagined get the worst score."""
        search = self.search
        proposed = log_probabilities.topk(search.num_actions, dim=-1).indices
        first = proposed.repeat_interleave(search.num_samples, dim=1)
        before = [history for history, row in zip(histories, first) for _ in row]
        imagined = imagine(self.model, before, self._go_on(first.flatten().tolist()), search.depth)
        found = self.outcome(self.model, before, imagined).view(*proposed.shape, search.num_samples).amax(dim=2)
        # Where the policy has fewer actions to propose, the others count as its first one, so that none is the worst.
        found = torch.where(log_probabilities.gather(1, proposed) > -torch.inf, found, found[:, :1])
        worst = found.amin(dim=1, keepdim=True).expand_as(log_probabilities)
        return worst.scatter(1, proposed, found)

    def _go_on(self, first: Sequence[int]) -> Choose:
        return lambda histories, number: self.policy.actions(histories) if number else first


def came_back(history: History) -> bool:
    """True if the last observation (view and direction) was seen before in the episode."""
    seen = [history.frame(number)[0][:-2] for number in range(len(history))]
    return any(np.array_equal(seen[-1], earlier) for earlier in seen[:-1])

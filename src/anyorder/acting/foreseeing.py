"""Acting by foreseeing: what would an expert see next, and which action leads there?

A policy that needs no model of what experts do, only of what they see (the world model, asked without the action) and of what
lies between two observations (inverse dynamics): what recordings without actions can teach (behavioural cloning from
observation, Torabi et al., 2018; UniPi, Du et al., 2023, for videos).

Legend: N episodes, C candidates (episodes x samples), S cells of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from anyorder.acting.imagination import next_observations
from anyorder.acting.policy import History, ModelPolicy, SampledPolicy, passes
from anyorder.acting.stepwise import quickest_policy
from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, collate
from anyorder.elements.layout import Kind
from anyorder.inference.decoding import ByConfidence, Decoder, ask
from anyorder.masking.order import Role, reconstruct
from anyorder.models.contract import GridModel


class ForeseeingPolicy(ModelPolicy):
    """Samples the observation that follows, without knowing the action, and asks which action lies in between; several samples
    of each episode, each weighed by the geometric mean of the probabilities with which its values were drawn.

    Args:
        model: one that was trained to predict what follows, also where actions are hidden (`cell`, `future`), and to tell
            actions from what comes before and after them (`cell`, `actions_only`), in evaluation mode.
        temperature, seed, tried_penalty: as of `SampledPolicy`; the seed is that of the samples, too.
        num_samples: how many observations are sampled for each action.
        decoder: draws an observation; by default in four passes, so that its parts fit together.
    """

    def __init__(
        self,
        model: GridModel,
        temperature: float = 0.0,
        seed: int = 0,
        tried_penalty: float = 0.0,
        num_samples: int = 8,
        decoder: Decoder = ByConfidence(num_passes=4, temperature=1.0),
    ) -> None:
        super().__init__(model, temperature, seed, tried_penalty)
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1; found {num_samples}")
        self.num_samples, self.decoder = num_samples, decoder
        self._draws = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def all_logits(self, histories: Sequence[History]) -> Tensor:
        """float32 ``[N, 7]``: the log-probability of each action, averaged over what was foreseen."""
        candidates = [_without_action(history) for history in histories for _ in range(self.num_samples)]
        foreseen = next_observations(self.model, candidates, self.decoder, self._draws)
        for candidate, view in zip(candidates, foreseen.views(candidates)):
            candidate.observe(view)
        actions = self._between(candidates).softmax(dim=-1).unflatten(0, (-1, self.num_samples))
        weights = torch.from_numpy(foreseen.probability).clamp(min=1e-9).log().mean(dim=1).exp().view(-1, self.num_samples, 1)
        return ((actions * weights).sum(dim=1) / weights.sum(dim=1)).log()

    def _between(self, candidates: Sequence[History]) -> Tensor:
        """float32 ``[C, 7]``: logits of the action before the last observation, from all that was seen and done."""
        if self.model.max_frames is not None:
            candidates = [candidate.recent(self.model.max_frames) for candidate in candidates]
        first, size = self.model.vocabulary.offsets[Attribute.ACTION], self.model.vocabulary.sizes[Attribute.ACTION]
        found = torch.empty(len(candidates), size)
        for chosen in passes([len(candidate) for candidate in candidates]):
            some = [candidates[number] for number in chosen]
            encoded = [replace(one, num_actions=one.num_actions - 1) for one in (history.encoded() for history in some)]
            batch = Batch(*collate(encoded, *self.model.view))
            steps = torch.tensor([len(history) - 2 for history in some])[:, None]
            order = reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION) & (batch.layout.step == steps))
            roles = batch.layout.grid.frames(order.roles)
            for row, history in enumerate(some):
                seen = roles[row, : len(history)]
                seen[history.unknown_elements() & (seen == Role.CONTEXT)] = Role.HIDDEN
            found[chosen] = ask(self.model, batch, order)[:, first : first + size].float()
        return found


WAYS_OF_ACTING: dict[str, Callable[[GridModel, float, int, float], SampledPolicy[History]]] = {
    "direct": quickest_policy,
    "foreseeing": ForeseeingPolicy,
}
"""Name -> policy of a model, a temperature, a seed and a tried_penalty (`SampledPolicy`)."""


def _without_action(history: History) -> History:
    """The history after an action that nobody knows."""
    later = deepcopy(history)
    later.act(0, unknown=True)
    return later

"""From a model and a split to its scores, in one mode.

Legend: B trajectories, N episodes, K targets, V values, C columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Budget
from anyorder.elements.fields import EncodedFieldData, FieldLayout
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Spec
from anyorder.evaluation.calibration import ConfidenceSums
from anyorder.evaluation.field_baselines import FieldBaseline
from anyorder.evaluation.field_modes import FieldMode, FieldPass
from anyorder.evaluation.field_scores import FIELD_COLUMNS, LEVELS, FieldScore, FieldScores
from anyorder.evaluation.neighbours import FieldQuestions
from anyorder.evaluation.statistics import ItemSums
from anyorder.inference.bin_answers import NEAR_TRUTH, BinAnswers, density_nats
from anyorder.inference.decoding import ask
from anyorder.models.contract import Model
from anyorder.seeding import stream


@torch.no_grad()
def score_fields(
    model: Model[FieldLayout],
    data: EncodedFieldData,
    mode: FieldMode,
    baselines: Sequence[FieldBaseline],
    budget: Budget,
    seed: int,
    on_batch: Callable[[int], None] = lambda num_trajectories: None,
) -> FieldScores:
    """Score a model on a split. The same arguments give the same questions.

    Args:
        model: in evaluation mode.
        data: the split.
        mode: which elements are hidden, and what may be seen, pass by pass.
        baselines: of each field, fitted in the same mode on the training split.
        budget: size of one pass; with another one, other elements are hidden.
        seed: of what is random in the mode, and of the resamples for intervals.
        on_batch: called with the number of trajectories of each batch, for progress bars.
    """
    tally, total = _FieldTally(data, baselines), 0
    for number, index in enumerate(data.in_order(budget)):
        batch = data.batch(index)
        total += int((batch.layout.of_kind(Kind.OBSERVATION) | batch.layout.of_kind(Kind.ACTION)).sum())
        origins = torch.tensor([data.origins[i] for i in index])
        for found in mode(batch, stream(seed, "evaluation", number)):
            tally.add(found, ask(model, found.batch, found.order), origins[found.row])
        on_batch(len(index))
    return tally.scores(total, seed)


class _FieldTally:
    """Sums over a split: float64 ``[C]`` for every field, for all questions and those whose value changed, and episode."""

    def __init__(self, data: EncodedFieldData, baselines: Sequence[FieldBaseline]) -> None:
        self._spec, self._baselines, self._num_episodes = data.spec, baselines, max(data.origins) + 1
        self._sums = torch.zeros(len(data.spec.fields), 2, self._num_episodes, len(FIELD_COLUMNS), dtype=torch.float64)
        self._confidence, self._num_asked = ConfidenceSums(), 0

    def add(self, found: FieldPass, logits: Tensor, origins: Tensor) -> None:
        """Add one pass; ``logits`` is ``[K, V]``, ``origins`` int64 ``[B]``: the episode of each row."""
        asked = found.questions()
        self._num_asked += int((found.order.targets & ~found.batch.layout.of_kind(Kind.RETURN)).sum())
        for number in asked.field.unique().tolist():
            chosen = (asked.field == number).nonzero()[:, 0]
            of_field, own = asked.rows(chosen), logits.cpu()[chosen]
            values, baseline = self._spec.fields[number].values, self._baselines[number]
            if isinstance(values, Bins):
                columns = _of_numbers(of_field, own, values, baseline)
            else:
                shares = own[:, : len(values)].double().softmax(dim=-1)
                self._confidence.add(shares.amax(dim=-1), shares.argmax(dim=-1) == of_field.truth)
                columns = _of_categories(of_field, shares, baseline)
            episode = origins[of_field.row]
            self._sums[number, 0].index_add_(0, episode, columns)
            self._sums[number, 1].index_add_(0, episode[of_field.changed], columns[of_field.changed])

    def scores(self, num_elements: int, seed: int) -> FieldScores:
        """The scores of all that was added; ``num_elements`` counts elements of observations and actions, asked for or not."""
        items = ItemSums(self._num_episodes, np.random.default_rng(seed))
        found: tuple[dict[str, FieldScore], dict[str, FieldScore]] = ({}, {})
        together = list(named_together(self._spec))
        for name, numbers in together:
            for scores, sums in zip(found, self._sums[list(numbers)].sum(dim=0).numpy()):
                if sums.any():
                    scores[name] = FieldScore.of(sums, items)
        some = bool(self._sums[..., FIELD_COLUMNS.index("categories")].any())
        calibration = self._confidence.calibration() if some else None
        parts = [name for name, own in together if any(set(own) < set(others) for _, others in together)]
        return FieldScores(self._num_episodes, self._num_asked / num_elements, *found, calibration, parts)


def named_together(spec: Spec) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names with the numbers of the fields that they stand for: each field, then groups of several fields, then all
    observations and all actions where they are neither one field nor one group."""
    fields = spec.of_kind("observation", "return", "action")
    numbers = {one.name: spec.names.index(one.name) for one in fields}
    yield from ((name, (number,)) for name, number in numbers.items())
    of_kind = {f"all {kind}s": tuple(numbers[one.name] for one in spec.of_kind(kind)) for kind in ("observation", "action")}
    for group in spec.groups:
        together = tuple(numbers[one.name] for one in group if one.name in numbers)
        if len(together) > 1 and together not in of_kind.values():
            yield group[0].group, together
    yield from ((name, together) for name, together in of_kind.items() if len(together) > 1)


def _of_categories(asked: FieldQuestions, shares: Tensor, baseline: FieldBaseline) -> Tensor:
    """float64 ``[K, C]``; ``shares``, float64 ``[K, V]``, are the model's probabilities."""
    truth = asked.truth
    frequent = baseline.shares.argmax()
    copies = torch.where(asked.copied, asked.copy, frequent)
    return _columns(
        len(asked),
        {
            "categories": 1.0,
            "model right": shares.argmax(dim=-1) == truth,
            "marginal right": frequent == truth,
            "copy right": copies == truth,
            "model loss": -shares.gather(1, truth[:, None])[:, 0].log(),
            "marginal loss": -baseline.shares[truth].log(),
            "copy loss": -baseline.likelihood_of_copies(truth, asked.copy, asked.copied).log(),
        },
    )


def _of_numbers(asked: FieldQuestions, logits: Tensor, bins: Bins, baseline: FieldBaseline) -> Tensor:
    """float64 ``[K, C]``."""
    truth, number, found = asked.truth, asked.number, BinAnswers.of(logits, bins)
    copies, lines = (torch.where(asked.copied, guess, baseline.median) for guess in (asked.copy_number, asked.line_number))
    likelihoods = {
        "marginal": baseline.shares[truth],
        "copy": baseline.likelihood_around(truth, copies, baseline.copy_scale, asked.copied, bins),
        "line": baseline.likelihood_around(truth, lines, baseline.line_scale, asked.copied, bins),
    }
    mean, median = ((guess - bins.mean) / bins.deviation for guess in (found.means(), found.quantiles(0.5)[:, 0]))
    means = {"model": mean, "marginal": torch.zeros_like(mean), "copy": copies, "line": lines}
    medians = {**means, "model": median, "marginal": torch.full_like(mean, baseline.median)}
    return _columns(
        len(asked),
        {
            "numbers": 1.0,
            "model nats": found.nats(truth),
            **{f"{guesser} nats": density_nats(likelihood, bins) for guesser, likelihood in likelihoods.items()},
            **{f"{guesser} square": (guess - number).square() for guesser, guess in means.items()},
            **{f"{guesser} absolute": (guess - number).abs() for guesser, guess in medians.items()},
            **{f"{guesser} near": (guess - number).abs() <= NEAR_TRUTH for guesser, guess in medians.items()},
            **dict(zip(_BELOW, found.below(truth, torch.tensor(LEVELS, dtype=torch.float64)).T)),
        },
    )


_BELOW = [f"below {level}" for level in LEVELS]


def _columns(count: int, found: dict[str, Tensor | float]) -> Tensor:
    columns = torch.zeros(count, len(FIELD_COLUMNS), dtype=torch.float64)
    for name, column in found.items():
        columns[:, FIELD_COLUMNS.index(name)] = torch.as_tensor(column, dtype=torch.float64)
    return columns

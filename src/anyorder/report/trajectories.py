"""Test trajectories for the player: what happened, what the model was shown, what it rebuilt.

A *film* is what ``assets/player.js`` plays; see the top of that file.

Legend: F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from anyorder.elements.batch import EncodedTrajectories
from anyorder.envs.minigrid import ACTIONS
from anyorder.evaluation.modes import Filtering, Mode, WholeTrajectory
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, ForwardDynamics
from anyorder.models.contract import GridModel
from anyorder.pages.views import bits, frame, marks, percent
from anyorder.report.answered import Answered, answered
from anyorder.seeding import stream
from anyorder.types import Trajectory


@dataclass(frozen=True)
class Question:
    """One way of asking, of the three that an evaluation has.

    Attributes:
        name, help: for people.
        mode: what is asked.
    """

    name: str
    help: str
    mode: Mode


def asked_modes(cell_rate: float) -> list[Question]:
    """The three ways to ask a world model: fill in, fill in live, predict; ``cell_rate`` is the share that is hidden."""
    cells = Cell(Rate(cell_rate, cell_rate))
    hidden = f"{cell_rate:.0%} of the cells and actions are hidden."
    return [
        Question(
            "Fill in", f"{hidden} The model sees the rest of the past and of the future (smoothing).", WholeTrajectory(cells)
        ),
        Question(
            "Fill in, live",
            f"{hidden} At each step the model sees only what came before and what is left of the present view (filtering).",
            Filtering(cells),
        ),
        Question(
            "Predict",
            "Each view is hidden as a whole. The model sees the views and actions before it (forward dynamics).",
            WholeTrajectory(ForwardDynamics()),
        ),
    ]


def trajectory_groups(
    model: GridModel,
    trajectories: Sequence[Trajectory],
    num_shown: int,
    cell_rate: float,
    seed: int,
    on_part: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """One group per question, each with the same films.

    Args:
        model: in evaluation mode.
        trajectories: those of the test split.
        num_shown: how many of them are shown, from short to long.
        cell_rate: share of the cells that is hidden.
        seed: of the random choice of what is hidden.
        on_part: called after each group, for progress bars.
    """
    chosen = spread([len(trajectory) for trajectory in trajectories], num_shown)
    shown = [trajectories[index] for index in chosen]
    batches = [EncodedTrajectories([trajectory], model.vocabulary).batch([0]) for trajectory in shown]
    groups = []
    for question in asked_modes(cell_rate):
        answers = [
            answered(model, batch, question.mode, stream(seed, "report", trajectory.seed))
            for batch, trajectory in zip(batches, shown)
        ]
        films = [_film(trajectory, answer) for trajectory, answer in zip(shown, answers)]
        groups.append({"name": question.name, "help": question.help, "films": films})
        on_part()
    return groups


def spread(sizes: Sequence[int], num: int) -> list[int]:
    """Numbers of at most ``num`` items, evenly spread from the smallest to the largest."""
    by_size = sorted(range(len(sizes)), key=lambda index: (sizes[index], index))
    last, num = len(by_size) - 1, min(num, len(by_size))
    return [by_size[round(last * (place + 0.5) / num)] for place in range(num)]


def _film(trajectory: Trajectory, answer: Answered) -> dict[str, Any]:
    asked, right = int(answer.asked.sum()), int((answer.asked & answer.right).sum())
    rate = f" ({right / asked:.0%})" if asked else ""
    size = dict(zip(("columns", "rows"), trajectory.observations.shape[1:3]))
    return {
        "name": f"{trajectory.mission} · {len(trajectory)} steps · seed {trajectory.seed}",
        "title": trajectory.mission,
        "note": f"{right:,} of {asked:,} hidden cells right{rate}",
        "panels": [
            {"title": "What happened", **size},
            {"title": "What the model was shown", **size},
            {"title": "What it rebuilt", **size},
        ],
        "steps": list(_steps(trajectory, answer)),
    }


def _steps(trajectory: Trajectory, answer: Answered) -> Iterator[dict[str, Any]]:
    for step, view in enumerate(trajectory.observations):
        hidden, asked = bits(answer.hidden[step]), answer.asked[step]
        yield {
            "views": [frame(view), frame(view, hidden=hidden), rebuilt_frame(answer, step)],
            "said": _score(answer, step),
            "action": _action(trajectory, answer, step),
        } | ({} if asked.any() else {"said": "nothing is hidden here"})


def rebuilt_frame(answer: Answered, step: int) -> dict[str, Any]:
    """The view at a step as the model rebuilt it: each answer marked as right or wrong, with its confidence."""
    asked = answer.asked[step]
    return frame(
        answer.cells[step],
        marks=marks(asked, answer.right[step]),
        confidence=percent(answer.confidence[step], asked),
    )


def _score(answer: Answered, step: int) -> str:
    asked = answer.asked[step]
    return f"{int((asked & answer.right[step]).sum())} of {int(asked.sum())} hidden cells right"


def _action(trajectory: Trajectory, answer: Answered, step: int) -> dict[str, Any]:
    """What was done after a view, and what the model took it for if that was hidden."""
    if step == len(trajectory):
        return {"name": "", "end": "the end"}
    name = ACTIONS[trajectory.actions[step]]
    if not answer.actions_hidden[step]:
        return {"name": name}
    guess = ACTIONS[answer.actions[step]]
    sure = round(100 * float(answer.actions_confidence[step]))
    return {"name": name, "guess": guess, "right": guess == name, "sure": sure}

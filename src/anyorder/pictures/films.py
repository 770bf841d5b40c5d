"""Episodes as they were played, beside what the agent was shown and what the model believed: a film for people.

Legend: T steps, F = T + 1 frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from anyorder.acting.corruptions import Corruption, Percept, corruption_generator
from anyorder.acting.policy import History
from anyorder.elements.batch import Batch
from anyorder.elements.grid import Encoded, collate
from anyorder.elements.raw_grid import raw_cells
from anyorder.envs import minigrid
from anyorder.envs.minigrid import ACTIONS, View
from anyorder.inference.decoding import most_probable
from anyorder.masking.order import reconstruct
from anyorder.models.contract import GridModel
from anyorder.pictures.tiles import FAINT, INK, PAPER, RIGHT, TILE, WRONG, Text, draw_view, frame_cells, write
from anyorder.pictures.video import Film
from anyorder.types import Trajectory

MARGIN, TITLE = 16, 24
MILLISECONDS_PER_STEP, MILLISECONDS_AT_THE_END = 500, 1500


def episode_film(model: GridModel, trajectories: Sequence[Trajectory], corruption: Corruption) -> Film:
    """A few episodes, one after the other.

    At the left is the whole environment, in the middle what the agent was shown, at the right what the model believes
    about the cells hidden from it, given only the past up to that step (right cells framed green, wrong ones red).

    Args:
        model: a grid model, in evaluation mode.
        trajectories: recorded in episodes that were played under ``corruption``.
        corruption: one of views, not of actions. It is applied again, with the same generator, to find what reached the
            agent and what it was told not to trust.

    Raises:
        ValueError: when an environment does not repeat what a trajectory recorded.
    """
    pages: list[Image.Image] = []
    durations: list[int] = []
    for trajectory in trajectories:
        pages += _pages(model, trajectory, corruption)
        durations += [MILLISECONDS_PER_STEP] * len(trajectory) + [MILLISECONDS_AT_THE_END]
    return Film(pages, durations)


def episode_frames(trajectory: Trajectory, size: int) -> Iterator[Image.Image]:
    """The whole environment at each of the F frames, at most ``size`` pixels wide and high.

    Raises:
        ValueError: when the environment does not repeat what the trajectory recorded.
    """
    env = minigrid.make_env(trajectory.env_id)
    view = minigrid.reset(env, trajectory.seed)
    for step, recorded in enumerate(trajectory.observations):
        if step:
            view = minigrid.read_view(env.step(int(trajectory.actions[step - 1]))[0])
        if not np.array_equal(view.image, recorded):
            raise ValueError(
                f"{trajectory.env_id} with seed {trajectory.seed} must show what was recorded; found another view at step"
                f" {step}; use the version of minigrid that recorded it"
            )
        world = minigrid.grid_world(env)
        pixels = world.get_frame(tile_size=max(8, size // world.grid.height))
        picture = Image.fromarray(pixels)
        picture.thumbnail((size, size))
        yield picture


def percepts(trajectory: Trajectory, corruption: Corruption) -> list[Percept]:
    """What reached the agent at each of the F frames."""
    generator = corruption_generator(trajectory.seed)
    shown: list[Percept] = []
    for image, direction in zip(trajectory.observations, trajectory.directions):
        view = View(image, int(direction), trajectory.mission)
        shown.append(corruption.perceive(view, shown[-1] if shown else None, generator))
    return shown


def beliefs(model: GridModel, trajectory: Trajectory, shown: Sequence[Percept]) -> np.ndarray:
    """What the model believes that each view was, from the views and actions up to that step, the last ones if the model reads
    no more. Whatever is unknown there is rebuilt in one pass.

    Returns:
        uint8 ``[F, X, Y, 3]``.
    """
    history = History(model.vocabulary, trajectory.mission)
    for percept, action in zip(shown, [*trajectory.actions.tolist(), None]):
        history.observe(percept.view, percept.unknown, percept.unknown_direction)
        if action is not None:
            history.act(action)
    whole, unknown = history.encoded(), history.unknown_elements()
    return np.stack([_belief(model, whole, unknown, step) for step in range(len(shown))])


def _belief(model: GridModel, whole: Encoded, unknown: torch.Tensor, step: int) -> np.ndarray:
    """uint8 ``[X, Y, 3]``: the view at ``step``, from the prefix that ends there. ``unknown``: bool ``[F, 3S + 3]``."""
    first = 0 if model.max_frames is None else max(0, step + 1 - model.max_frames)
    read = slice(first, step + 1)
    # One action less than frames: the action taken at this step is not there yet.
    batch = Batch(*collate([replace(whole, frames=whole.frames[read], num_actions=step - first)], *model.view))
    shape = batch.layout.grid
    hidden = torch.zeros_like(batch.layout.present)
    shape.frames(hidden)[:] = unknown[read]
    values = most_probable(model, batch, reconstruct(batch.layout, hidden))
    return raw_cells(values, shape, model.vocabulary)[0, step - first]


def _pages(model: GridModel, trajectory: Trajectory, corruption: Corruption) -> Iterator[Image.Image]:
    shown = percepts(trajectory, corruption)
    believed = beliefs(model, trajectory, shown)
    side = TILE * max(model.view)
    outcome = "success" if trajectory.success else "no success"
    for step, world in enumerate(episode_frames(trajectory, side)):
        hidden = _unknown(shown[step])
        right = (believed[step] == trajectory.observations[step]).all(axis=-1)
        belief = draw_view(believed[step])
        frame_cells(belief, hidden & right, RIGHT)
        frame_cells(belief, hidden & ~right, WRONG)
        done = step == len(trajectory)
        action = outcome if done else ACTIONS[trajectory.actions[step]]
        titles = ("the environment", f"what the agent sees ({hidden.sum()} hidden)", "what the model believes")
        views = (world, draw_view(shown[step].view.image, hidden), belief)
        color = INK if not done else RIGHT if trajectory.success else WRONG
        status = Text(f"step {step} of {len(trajectory)}: {action}", color)
        yield _page(trajectory.mission, list(zip(titles, views)), side, status)


def _unknown(percept: Percept) -> np.ndarray:
    """bool ``[X, Y]``."""
    return np.zeros(percept.view.image.shape[:2], bool) if percept.unknown is None else percept.unknown


def _page(mission: str, panels: Sequence[tuple[str, Image.Image]], side: int, status: Text) -> Image.Image:
    page = Image.new("RGB", (MARGIN + len(panels) * (side + MARGIN), 2 * MARGIN + 3 * TITLE + side), PAPER)
    write(page, (MARGIN, MARGIN / 2), Text(f"“{mission}”", INK, 18))
    for number, (title, view) in enumerate(panels):
        left, top = MARGIN + number * (side + MARGIN), MARGIN + TITLE
        write(page, (left + side / 2, top), Text(title, FAINT, 13), "ma")
        page.paste(view, (left + (side - view.width) // 2, top + TITLE + (side - view.height) // 2))
    write(page, (MARGIN, page.height - MARGIN - TITLE / 2), status)
    return page

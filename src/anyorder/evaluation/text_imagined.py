"""Imagined conversations against what was really said, step by step into the future.

A model goes on from the beginning of a conversation with the actions that were really done. It is compared with a copy of the
last real observation. Tokens are compared place by place, the end of a turn included.

Legend: H steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.table import Table

from anyorder.acting.text_imagination import ImaginedStep, TextWorld, given_turns
from anyorder.elements.text.codec import TextCodec
from anyorder.errors import AnyOrderError
from anyorder.evaluation.beginnings import Beginning
from anyorder.evaluation.imagined import Comparison, HorizonScore
from anyorder.evaluation.statistics import Proportion
from anyorder.seeding import stream
from anyorder.terminal import titled_table
from anyorder.types import TextTrajectory, Turn


class TextPrefix(Beginning[TextTrajectory]):
    """The beginning of a conversation."""

    def history(self) -> list[Turn]:
        """The mission, and what was said and done up to the observation of step ``start``."""
        return [
            turn
            for turn, step in zip(self.trajectory.turns, self.trajectory.steps)
            if step < self.start or (step == self.start and turn.part == "observation")
        ]

    def actions(self) -> list[Turn]:
        """Those from step ``start`` on."""
        return self._from("action", self.start)

    def observations(self) -> list[Turn]:
        """Those that follow, the first one after the first of `actions`."""
        return self._from("observation", self.start + 1)

    def last_text(self) -> str:
        """The last observation that is shown; empty where there is none."""
        return next((turn.text for turn in reversed(self.history()) if turn.part == "observation"), "")

    def _from(self, part: str, first: int) -> list[Turn]:
        pairs = zip(self.trajectory.turns, self.trajectory.steps)
        return [turn for turn, step in pairs if turn.part == part and step >= first]


def score_text_imagination(
    world: TextWorld,
    prefixes: Sequence[TextPrefix],
    horizon: int,
    seed: int = 0,
    on_prefix: Callable[[], None] = lambda: None,
) -> list[HorizonScore]:
    """Go on from each prefix with the true actions and compare with what was said, up to its conversation's end.

    Args:
        world: that imagines.
        prefixes: of any conversations, at least one.
        horizon: H, at least 1.
        seed: of a decoder that draws.
        on_prefix: called after each prefix, for progress bars.

    Returns:
        One score for each horizon 1..H that at least one conversation reaches. Groups: ``token``; ``changed_token``, which a
        copy of the last real observation gets wrong; ``turn``, whole observations, word for word; ``room``, whose size the
        model chose.
    """
    generator = stream(seed, "imagined", "decoder")
    tally: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for prefix in prefixes:
        steps = world.imagine(prefix.history(), given_turns(prefix.actions()), horizon, generator)
        for number, (step, truth) in enumerate(zip(steps, prefix.observations()), start=1):
            for name, counts in _counted(world, step, truth.text, prefix.last_text()):
                tally[number, name] = [before + more for before, more in zip(tally[number, name], counts)]
        on_prefix()
    return [HorizonScore(number, dict(groups)) for number in range(1, horizon + 1) if (groups := list(_groups(tally, number)))]


def _groups(tally: dict[tuple[int, str], list[int]], horizon: int) -> Iterator[tuple[str, Comparison]]:
    for (number, name), (count, model, copied) in tally.items():
        if number == horizon and count:
            yield name, Comparison(Proportion(model, count), Proportion(copied, count))


def _counted(world: TextWorld, step: ImaginedStep, truth: str, before: str) -> Iterator[tuple[str, list[int]]]:
    """For each group, how many were asked, how many the model has right, and how many the copy."""
    said, copied = (
        right_places(world.codec, tokens, truth) for tokens in (step.observation.tokens, world.codec.encode(before).ids)
    )
    room, old_room = (world.form.room("observation", len(world.codec.encode(text))) for text in (truth, before))
    yield "token", [len(said), sum(said), sum(copied)]
    changed = [right for right, same in zip(said, copied) if not same]
    yield "changed_token", [len(changed), sum(changed), 0]
    yield "turn", [1, int(all(said)), int(all(copied))]
    yield "room", [1, int(len(step.observation.tokens) == room), int(old_room == room)]


def right_places(codec: TextCodec, said: Sequence[int], truth: str) -> list[bool]:
    """Which tokens of a true text, and of its end, stand at the same places in what was said."""
    expected = [*codec.encode(truth).ids, codec.end_id]
    padded = [*said, *[codec.end_id] * max(0, len(expected) - len(said))]
    return [one == other for one, other in zip(expected, padded)]


def told_beside(world: TextWorld, prefix: TextPrefix, steps: Sequence[ImaginedStep]) -> list[dict[str, Any]]:
    """Imagined steps as plain values, beside what really happened; None where the conversation had ended. ``right`` is the
    share of tokens that are right, None once another action was really done."""
    actions, observations = prefix.actions(), prefix.observations()
    told, same = [], True
    for number, step in enumerate(steps):
        done = actions[number].text if number < len(actions) else None
        seen = observations[number].text if number < len(observations) else None
        same = same and done == step.action.text and seen is not None
        right = right_places(world.codec, step.observation.tokens, seen) if same and seen is not None else None
        told.append(
            {
                "step": prefix.start + number,
                "action": step.action.text,
                "true_action": done,
                "observation": step.observation.turn.text,
                "true_observation": seen,
                "probability": step.observation.probability,
                "right": None if right is None else sum(right) / len(right),
            }
        )
    return told


def check_goes_on(prefix: TextPrefix) -> None:
    """Raise an AnyOrderError where nothing is said after a beginning, so that there is nothing to compare with."""
    if not prefix.observations():
        raise AnyOrderError(
            f"{prefix.trajectory.source} must go on after step {prefix.start}; found its end; choose another start"
        )


def told_table(told: Sequence[dict[str, Any]], title: str) -> Table:
    """Imagined steps beside what really happened, for people."""
    table = titled_table(title, "step", "turn", "imagined", "in truth", "a token", "right", right=("step", "a token", "right"))
    for one in told:
        table.add_row(str(one["step"]), "action", one["action"] or "(nothing)", one["true_action"] or "-", "", "")
        right = "-" if one["right"] is None else f"{one['right']:.1%}"
        seen = "-" if one["true_observation"] is None else one["true_observation"]
        shares = f"{one['probability']:.1%}", right
        table.add_row(str(one["step"] + 1), "observation", one["observation"] or "(nothing)", seen, *shares, end_section=True)
    return table

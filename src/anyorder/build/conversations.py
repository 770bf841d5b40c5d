"""The conversations of a data set, as a model reads them and a run asks about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from anyorder.build.sets import read_sets
from anyorder.build.splits import say
from anyorder.config import DataConfig
from anyorder.data.text_storage import read_text_split
from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Layout
from anyorder.elements.several import InSets
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import SHORTENINGS, EncodedTexts
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.renaming import with_renamed
from anyorder.errors import NothingUsable
from anyorder.masking.strategies import Strategy, answerable
from anyorder.types import TextTrajectory

TRIED_AT_ONCE = Budget(16384, "tokens")
NAMED = 5
"""How many conversations that are left out a message names."""


@dataclass(frozen=True, eq=False)
class ConversationReader:
    """Reads conversations for a model.

    Attributes:
        codec: the codec of the model's tokenizer.
        form: the marks between turns, and their rooms.
        max_tokens: the most tokens that the configuration allows; None: as many as the model can read.
        readable: the most tokens that the model can read.
        long_texts: what is read of conversations that are too long, a key of `anyorder.elements.text.elements.SHORTENINGS`.
    """

    codec: TextCodec
    form: ChatForm
    max_tokens: int | None
    readable: int
    long_texts: str = "last"

    @property
    def limit(self) -> int:
        """The most tokens that a conversation may have."""
        return self.readable if self.max_tokens is None else min(self.max_tokens, self.readable)

    def read(self, data: DataConfig, split: str, strategies: Sequence[Strategy] = ()) -> EncodedTexts:
        """The conversations of a split that fit into the limit and that each of the strategies can ask about. Lines on stderr
        say which ones are left out.

        Raises:
            NothingUsable: when none is left.
            AnyOrderError: when the data set does not hold conversations.
        """
        recorded = read_text_split(Path(data.path), split, data.num_demonstrations)
        return self._asked(recorded, f"{data.path}, {split}", strategies)

    def of_sets(
        self, data: DataConfig, told: Sequence[Sequence[TextTrajectory]], strategies: Sequence[Sequence[Strategy]]
    ) -> EncodedData[Layout]:
        """The training conversations of all data sets of a run, each with its share.

        Args:
            data: of the run.
            told: see `told_of_sets`.
            strategies: for each data set, the main one first, those that must find something to ask; otherwise as of `read`.

        Raises:
            NothingUsable: when none is left of a data set.
        """
        paths = [data.path, *(one.path for one in data.sets or ())]
        parts = [self._asked(*one) for one in zip(told, (f"{path}, train" for path in paths), strategies, strict=True)]
        if len(parts) == 1:
            return parts[0]
        sets = [number for number, part in enumerate(parts) for _ in range(len(part))]
        return InSets(EncodedTexts.together(parts), sets, data.shares)

    def _asked(self, trajectories: Sequence[TextTrajectory], where: str, strategies: Sequence[Strategy]) -> EncodedTexts:
        sources = [trajectory.source for trajectory in trajectories]
        fitting, _ = EncodedTexts.fitting(trajectories, self.codec, self.form, self.limit, SHORTENINGS[self.long_texts])
        _say_left_out(where, sources, fitting.sources, f"do not fit and are left out; {self._remedy}")
        if not len(fitting):
            raise NothingUsable(f"{where}: no conversation fits into {self.limit} tokens; {self._remedy}")
        asked = fitting.chosen(_asked_by_all(fitting, strategies)) if strategies else fitting
        _say_left_out(where, fitting.sources, asked.sources, "have nothing that masking.mixture asks for and are left out")
        if not len(asked):
            raise NothingUsable(
                f"{where}: masking.mixture must ask for something that a conversation has, such as actions; found nothing in"
                f" {len(fitting)} conversations; add next_action or unit to it"
            )
        return asked

    @property
    def _remedy(self) -> str:
        if self.limit < self.readable:
            return f"raise language_model.max_tokens (this model reads up to {self.readable})"
        return (
            f"this model reads {self.readable} tokens at most (its max_position_embeddings), so a larger"
            " language_model.max_tokens changes nothing; take a model that reads more, or shorten the conversations"
        )


def told_of_sets(data: DataConfig, seed: int) -> list[list[TextTrajectory]]:
    """The training conversations of each data set of a run, the main one first, with the copies that have new names. What is
    common to all sets together keeps its name.

    Raises:
        AnyOrderError: see `anyorder.build.sets.read_sets`; or when a data set does not hold conversations.
    """
    sets = read_sets(data, lambda folder: read_text_split(folder, "train"))
    told = iter(with_renamed([one for members in sets for one in members], data.renamed, data.common_words, seed))
    return [list(islice(told, len(members) * (1 + data.renamed))) for members in sets]


def _different(strategies: Sequence[Strategy]) -> list[Strategy]:
    """The strategies that differ from one another, in their order."""
    found: list[Strategy] = []
    for strategy in strategies:
        found += [strategy] if strategy not in found else []
    return found


def _asked_by_all(texts: EncodedTexts, strategies: Sequence[Strategy]) -> list[int]:
    """The conversations that each strategy can ask about, in their order."""
    able, different = torch.ones(len(texts), dtype=torch.bool), _different(strategies)
    for index in texts.in_order(TRIED_AT_ONCE):
        layout = texts.batch(index).layout
        for strategy in different:
            able[index] &= answerable(strategy, layout)
    return able.nonzero()[:, 0].tolist()


def _say_left_out(where: str, before: Sequence[str], after: Sequence[str], reason: str) -> None:
    """Say how many conversations are not among those after, and the names of some."""
    names = list((Counter(before) - Counter(after)).elements())
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        say(f"{where}: {len(names)} of {len(before)} conversations ({', '.join(names[:NAMED])}{more}) {reason}")

"""The tokens of grids: a small closed vocabulary that is added to a language model's own.

| tokens | how many | value |
|---|---|---|
| a whole cell, `<cell ball red 0>` | 264 | object, color and state at once |
| one attribute, `<color red>`; a direction, return-to-go or action, `<action left>` | 53 | as in `anyorder.elements.grid` |
| `<observation>` | 1 | a mark: a frame begins |
| a run, `<wall x 7>` | 144 | so many cells that are all unseen, all empty or all wall |
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer
from torch import Tensor

from anyorder.elements.grid import NUM_VALUES, Attribute
from anyorder.elements.text.codec import TextCodec
from anyorder.envs.minigrid import ACTIONS, COLORS, DIRECTIONS, OBJECTS
from anyorder.errors import AnyOrderError

CELL = (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)
NUM_CELLS = NUM_VALUES[Attribute.OBJECT] * NUM_VALUES[Attribute.COLOR] * NUM_VALUES[Attribute.STATE]
NUM_SINGLE = sum(NUM_VALUES.values())
BACKGROUND = ("unseen", "empty", "wall")
"""Objects that come in runs; MiniGrid always shows them in `BACKGROUND_COLORS` and in state 0."""
BACKGROUND_COLORS = (0, 0, COLORS.index("grey"))
SHORTEST_RUN, LONGEST_RUN = 2, 49
LENGTHS = LONGEST_RUN - SHORTEST_RUN + 1


def token_names() -> list[str]:
    """Names of all tokens, in the order of their ids. They are made of words, whose embeddings are a good place to start."""
    states = range(NUM_VALUES[Attribute.STATE])
    cells = [f"<cell {o} {c} {s}>" for o in OBJECTS for c in COLORS for s in states]
    values = {
        Attribute.OBJECT: OBJECTS,
        Attribute.COLOR: COLORS,
        Attribute.ACTION: ACTIONS,
        Attribute.DIRECTION: DIRECTIONS,
    }
    single = [
        f"<{attribute.name.lower()} {values[attribute][number] if attribute in values else number}>"
        for attribute, size in NUM_VALUES.items()
        for number in range(size)
    ]
    runs = [f"<{name} x {length}>" for name in BACKGROUND for length in range(SHORTEST_RUN, LONGEST_RUN + 1)]
    return [*cells, *single, "<observation>", *runs]


def add_grid_tokens(tokenizer: Tokenizer) -> None:
    """Add the tokens to a tokenizer (of `transformers`: its ``backend_tokenizer``), as special tokens, so that no text
    can spell them. The model then needs more embeddings; see `GridTokens.size`."""
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in token_names()])


@dataclass(frozen=True)
class GridTokens:
    """Where in a tokenizer the tokens of the grid are.

    Attributes:
        first: the id of the first; the others follow in the order of `token_names`.
    """

    first: int

    @classmethod
    def of(cls, codec: TextCodec) -> GridTokens:
        """The tokens of the grid in a tokenizer.

        Raises:
            AnyOrderError: for a tokenizer without them, or with others between them.
        """
        names = token_names()
        first = codec.id_of(names[0])
        if first is None or [codec.id_of(name) for name in names] != list(range(first, first + len(names))):
            raise AnyOrderError(
                f"the {len(names)} tokens of the grid must follow one another in a tokenizer; found none, or others among them;"
                " call add_grid_tokens(tokenizer) before the codec is made"
            )
        return cls(first)

    @property
    def single(self) -> int:
        """The first token of a single attribute; it stands for value 0 of `anyorder.elements.grid`, the others follow."""
        return self.first + NUM_CELLS

    @property
    def mark(self) -> int:
        """`<observation>`."""
        return self.single + NUM_SINGLE

    @property
    def answers(self) -> range:
        """The tokens that can be asked for: all but the mark and runs."""
        return range(self.first, self.mark)

    @property
    def size(self) -> int:
        """How many embeddings a model must have at least."""
        return self.mark + 1 + len(BACKGROUND) * LENGTHS

    def run(self, background: Tensor, length: Tensor) -> Tensor:
        """The tokens of runs, int64; ``background`` is an index into `BACKGROUND`, ``length`` from 2 to 49."""
        return self.mark + 1 + background * LENGTHS + length - SHORTEST_RUN

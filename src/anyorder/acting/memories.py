"""What the episodes in progress remember of their past, side by side in tensors that stay where they are.

Each episode has a row. The rows in use come first and have no gaps: when an episode ends, the last row moves into its place.
So a step of all episodes reads and writes in place; nothing of the past is copied.

Legend: R rows, N episodes that take a step, W mission words, P places of keys, K of them in use: words, then register, action,
register, action, ...; L layers, H heads, d = D/H, D width, S cells of a view.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.models.grid.registers import MAX_STEPS_APART, Reader
from anyorder.models.grid.transport import Transport
from anyorder.models.grid.visibility import NUM_SYMBOLS

FIRST_ROWS, FIRST_PLACES = 16, 64
"""The tensors begin with room for so many. When there are more, rows double, since a group of episodes begins one by one, and
places, of which long episodes have many, grow by a quarter."""
OF_WORD, OF_NOTHING = 2 * MAX_STEPS_APART + 1, 2 * MAX_STEPS_APART + 2
"""Columns that follow those of `Reader.time_bias`: for words, which have no time, and for what must not be read."""


@dataclass(eq=False)
class Row:
    """Where an episode's memory lies, and how far the episode is.

    Attributes:
        number: of its row; it changes when another episode ends.
        num_words: W.
        num_frames: how many frames were computed.
    """

    number: int
    num_words: int
    num_frames: int = 0


class Hold:
    """An episode's hold on its row, which is given back when nobody has the hold any more. A deep copy holds a copy."""

    def __init__(self, memories: Memories, row: Row) -> None:
        self.row, self._memories = row, memories
        weakref.finalize(self, memories.end, row).atexit = False

    def __deepcopy__(self, memo: dict[int, object]) -> Hold:
        return self._memories.copied(self.row)


class Memories:
    """The memories of all episodes in progress.

    Args:
        like: any tensor of their type and device, ``[D]``.
        num_layers, num_heads, num_cells: L, H and S.

    Attributes:
        cells: ``[L, R, H, d, S]``, what the cells of the last frame remember at each layer.
        registers, views: ``[L, R, D]`` and ``[L, R, S, D]``, the last frame's register and its cells at each layer.
        keys_values: ``[L + 1, 2, R, H, P, d]``, for every reader of the model.
        unknown: bool ``[R, P]``; True for actions that nothing attends to.
        mission: ``[R, D]``, what modulates the cells.
        logits: ``[R, 7]``, of the action after the last frame.
    """

    def __init__(self, like: Tensor, num_layers: int, num_heads: int, num_cells: int) -> None:
        (width,), size = like.shape, len(like) // num_heads
        self.cells = like.new_zeros(num_layers, FIRST_ROWS, num_heads, size, num_cells)
        self.registers = like.new_zeros(num_layers, FIRST_ROWS, width)
        self.views = like.new_zeros(num_layers, FIRST_ROWS, num_cells, width)
        self.keys_values = like.new_zeros(num_layers + 1, 2, FIRST_ROWS, num_heads, FIRST_PLACES, size)
        self.unknown = torch.zeros(FIRST_ROWS, FIRST_PLACES, dtype=torch.bool, device=like.device)
        self.mission = like.new_zeros(FIRST_ROWS, width)
        self.logits = like.new_zeros(FIRST_ROWS, NUM_SYMBOLS - 1)
        self._rows: list[Row] = []

    def __len__(self) -> int:
        """Number of rows in use."""
        return len(self._rows)

    def begin(self, keys_values: Tensor, mission: Tensor) -> Hold:
        """The memory of a new episode: keys and values of its words, ``[L + 1, W, 2D]``, and what modulates its cells."""
        num_words = keys_values.shape[1]
        row = self._new_row(num_words, num_words)
        heads, size = self.keys_values.shape[3], self.keys_values.shape[5]
        of_words = keys_values.unflatten(2, (2, heads, size)).permute(0, 2, 3, 1, 4)
        self.keys_values[:, :, row.number, :, :num_words] = of_words
        self.cells[:, row.number], self.unknown[row.number], self.mission[row.number] = 0, False, mission
        return Hold(self, row)

    def copied(self, row: Row) -> Hold:
        """A copy of an episode's memory."""
        copy = self._new_row(row.num_words, 0)
        copy.num_frames = row.num_frames
        self._copy(row.number, copy.number)
        return Hold(self, copy)

    def end(self, row: Row) -> None:
        """Give a row back."""
        last = self._rows.pop()
        if last is not row:
            self._copy(last.number, row.number)
            self._rows[row.number], last.number = last, row.number

    def next_frames(self, rows: Sequence[Row]) -> NextFrames:
        """The next frame of each of these rows, which rise; there is room for its action and its register."""
        self._reserve(len(self._rows), max(row.num_words + 2 * row.num_frames + 1 for row in rows))
        return NextFrames(self, rows)

    def _new_row(self, num_words: int, num_places: int) -> Row:
        row = Row(len(self._rows), num_words)
        self._rows.append(row)
        self._reserve(len(self._rows), num_places)
        return row

    def _copy(self, source: int, target: int) -> None:
        of_layers = ((self.cells, 1), (self.registers, 1), (self.views, 1), (self.keys_values, 2))
        for tensor, rows in (*of_layers, (self.unknown, 0), (self.mission, 0), (self.logits, 0)):
            tensor.select(rows, target).copy_(tensor.select(rows, source))

    def _reserve(self, num_rows: int, num_places: int) -> None:
        rows, places = self.unknown.shape
        if num_rows > rows:
            rows = 2 * num_rows
        if num_places > places:
            rows, places = _with_reserve(num_rows), _with_reserve(num_places)  # the longer episodes are, the fewer go on
        if (rows, places) != self.unknown.shape:
            of_frames = self.cells, self.registers, self.views
            self.cells, self.registers, self.views = (_resized(tensor, {1: rows}) for tensor in of_frames)
            self.keys_values = _resized(self.keys_values, {2: rows, 4: places})
            self.unknown = _resized(self.unknown, {0: rows, 1: places})
            self.mission, self.logits = (_resized(tensor, {0: rows}) for tensor in (self.mission, self.logits))


def _with_reserve(needed: int) -> int:
    return needed + needed // 4


def _resized(tensor: Tensor, sizes: dict[int, int]) -> Tensor:
    """A copy with other sizes of some dimensions; what is new is zero."""
    resized = tensor.new_zeros([sizes.get(number, size) for number, size in enumerate(tensor.shape)])
    kept = tuple(slice(min(sizes.get(number, size), size)) for number, size in enumerate(tensor.shape))
    resized[kept] = tensor[kept]
    return resized


class NextFrames:
    """Computes the next frame of N episodes beside what they remember.

    Attributes:
        rows: int64 ``[N]``.
    """

    def __init__(self, memories: Memories, rows: Sequence[Row]) -> None:
        device = memories.cells.device
        self._memories, self._of = memories, rows
        numbers, words, steps = torch.tensor(
            [(row.number, row.num_words, row.num_frames) for row in rows], device=device
        ).T.contiguous()
        self.rows, self._steps = numbers, steps
        self._action, self._register = words + (2 * steps - 1).clamp(min=0), words + 2 * steps
        self._num_keys = int(self._register.max()) + 1
        # Rows without gaps are looked at where they lie; others are copied.
        first, last = rows[0].number, rows[-1].number
        self._where = slice(first, last + 1) if last - first + 1 == len(rows) else numbers
        self._words = words

    def remember_actions(self, keys_values: Tensor, unknown: Tensor) -> None:
        """Keep the action before the frame: ``[N, L + 1, 2D]``, and bool ``[N]``, whether it is unknown. In a first frame,
        which has none before it, the register takes its place."""
        heads, size = self._memories.keys_values.shape[3], self._memories.keys_values.shape[5]
        self._memories.keys_values[:, :, self.rows, :, self._action] = keys_values.unflatten(2, (2, heads, size))
        self._memories.unknown[self.rows, self._action] = unknown & (self._steps > 0)
        key = torch.arange(self._num_keys, device=self.rows.device) - self._words[:, None]
        # After the words come register, action, register, action, ...
        apart = (key // 2 - self._steps[:, None]).clamp(-MAX_STEPS_APART, 0) + MAX_STEPS_APART
        absent = (key > 2 * self._steps[:, None]) | self._memories.unknown[self._where, : self._num_keys]
        self._columns = apart.masked_fill(key < 0, OF_WORD).masked_fill(absent, OF_NOTHING)

    def read(self, number: int, reader: Reader, registers: Tensor, cells: Tensor) -> Tensor:
        """``[N, 2, D]``: what the new register and reader read; see `Reader.forward`."""
        size, num, width = registers.shape
        heads = reader.num_heads
        memory = self._memories.keys_values[number]
        own = reader.keys_values(registers[:, 0]).view(size, 2, heads, -1)
        memory[:, self.rows, :, self._register] = own
        keys, values = memory[:, self._where, :, : self._num_keys]
        query = reader.query(registers).view(size, num, heads, -1).transpose(1, 2) * (width // heads) ** -0.5
        other_scores = query @ keys.transpose(2, 3) + self._bias(reader)
        cell_query = reader.cell_query(registers).view(size, num * heads, width) * width**-0.5
        cell_scores = (cell_query @ cells.transpose(1, 2)).view(size, num, heads, -1).transpose(1, 2)
        nothing = cell_scores.new_zeros(size, heads, num, 1)
        weights = torch.cat([cell_scores, other_scores, nothing], dim=-1).softmax(dim=-1)
        on_cells, on_others, _ = weights.split([cells.shape[1], self._num_keys, 1], dim=-1)
        from_cells = on_cells.transpose(1, 2).flatten(1, 2) @ cells
        from_others = (on_others @ values).transpose(1, 2)
        return reader.cell_value(from_cells.view(size, num, -1)) + reader.out(from_others.flatten(2))

    def _bias(self, reader: Reader) -> Tensor:
        """``[N, H, 1, K]``: by distance in time; zero for words, and -inf for what must not be read."""
        of_word = reader.time_bias.new_zeros(reader.num_heads, 1)
        columns = torch.cat([reader.time_bias, of_word, torch.full_like(of_word, -torch.inf)], dim=1)
        return columns[:, self._columns].transpose(0, 1)[:, :, None]

    def before(self, number: int, which: Tensor) -> tuple[Tensor, Tensor]:
        """``[G, D]`` and ``[G, S, D]``: register and cells, at a layer, of the frames before ``which`` of the new ones (int64
        ``[G]``)."""
        rows = self.rows[which]
        return self._memories.registers[number, rows], self._memories.views[number, rows]

    def keep(self, number: int, registers: Tensor, cells: Tensor) -> None:
        """Keep registers ``[N, D]`` and cells ``[N, S, D]`` of the new frames at a layer, for `before` of the next ones."""
        self._memories.registers[number, self._where], self._memories.views[number, self._where] = registers, cells

    def transport(self, number: int, transport: Transport, cells: Tensor, kernels: Tensor) -> Tensor:
        """``[N, S, D]``: what arrived from the frame itself and the memory of the past; see `Transport.forward`.
        ``kernels`` is ``[N, H, S, S]``, zero for a first frame."""
        memory = self._memories.cells[number]
        found, memory[self._where] = transport.step(cells, memory[self._where] @ kernels.transpose(2, 3))
        return found

    def end(self, logits: Tensor) -> None:
        """Keep the logits, ``[N, 7]``; the frames are computed."""
        self._memories.logits[self._where] = logits
        for row in self._of:
            row.num_frames += 1

"""The small model: a bidirectional transformer over grid trajectories that learns on a laptop CPU.

Cells remember the frames before and after through kernels learned per transition (`transport`) and think under
the mission's influence (`mission`); registers, one per frame, attend to its cells, to the mission, to actions and
returns and to the registers of the whole episode (`registers`), and tell their frame what they found. Directions are
read from registers and follow from one another (`heading`), actions, returns and words of the mission are read from readers,
which look like registers and are seen by nobody (`visibility`).

Legend: B trajectories, P of them with a value copy, M = B + P copies, F frames, N = M*F, C forms, S cells of a view, W mission
words, R registers and readers, E elements, K targets, H heads, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.config import ModelConfig
from anyorder.elements.grid import Attribute, GridLayout, GridShape, GridVocabulary, check_view
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.models.compiling import uncompiled
from anyorder.models.grid.guesses import Guesser, guessed
from anyorder.models.grid.heading import WAYS, Heading
from anyorder.models.grid.memory import Links, link
from anyorder.models.grid.mission import MissionEncoder, ModulatedFeedForward
from anyorder.models.grid.precision import lowered
from anyorder.models.grid.ranks_apart import needs_readings, readings
from anyorder.models.grid.registers import Looks, Reader, looks
from anyorder.models.grid.transport import Kernels, Transport
from anyorder.models.grid.visibility import (
    NUM_SYMBOLS,
    SINGLES,
    UNKNOWN_ACTION,
    Visibility,
    needs_values,
    visibility,
)
from anyorder.models.parameters import ParameterGroup, matrices, without


class GridTransformer(nn.Module):
    """Rebuild what an order hides from what it shows.

    Args:
        config: sizes.
        vocabulary: of the data set.
        view: columns and rows of the agent's view.
    """

    max_frames: int | None = None
    """Trajectories may be of any length."""
    allowed: Tensor
    """bool ``[attributes, V]``; True where an attribute can take the value."""

    def __init__(self, config: ModelConfig, vocabulary: GridVocabulary, view: tuple[int, int]) -> None:
        super().__init__()
        if config.width % config.num_heads:
            raise ValueError(f"num_heads must divide width; found {config.num_heads} heads and width {config.width}")
        self.config, self.vocabulary, self.view = config, vocabulary, view
        num_cells, dim = view[0] * view[1], config.width
        self.first_action = vocabulary.offsets[Attribute.ACTION]
        self.first_mask_symbol = len(vocabulary)
        # One row per value, then one mask symbol per attribute, then the zero of what is dropped.
        self.nothing = self.first_mask_symbol + len(Attribute)
        self.embedding = _embedding(self.nothing + 1, dim, padding_idx=self.nothing)
        self.arrival = _embedding(NUM_SYMBOLS + 1, dim)  # the last row: no frame before
        self.cell_position = nn.Parameter(0.02 * torch.randn(num_cells, dim))
        self.word_position = nn.Parameter(0.02 * torch.randn(config.max_words, dim))
        self.kernels = Kernels(NUM_SYMBOLS, config.num_heads, num_cells)
        self.heading = Heading(UNKNOWN_ACTION, dim)
        self.mission = MissionEncoder(dim)
        self.layers = nn.ModuleList(Layer(config, num_cells) for _ in range(config.num_layers))
        self.cell_norm, self.register_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.last_reader = Reader(dim, config.num_heads)
        self.head = nn.Linear(dim, len(vocabulary))
        self.register_buffer("allowed", vocabulary.allowed(), persistent=False)

    def forward(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """Logits of the targets.

        Args:
            values: int64 ``[B, E]``; true values, read only where the order shows them.
            layout: of the batch.
            order: any roles and ranks.

        Returns:
            Logits ``[K, V]`` of the targets, in row-major order of ``order.targets``; -inf for values that the
            target's attribute cannot take.
        """
        shape = layout.grid
        self.check((shape.columns, shape.rows), shape.num_words)
        apart = needs_readings(shape, order)
        if bool(apart.any()):
            read = readings(order, apart)
            return self(values[read.trajectory], layout.rows(read.trajectory), read.order)[read.place]
        with_values = needs_values(layout, order)
        # Trajectories that need value copies come first.
        first = with_values.argsort(descending=True, stable=True)
        place, num_values = first.argsort(), int(with_values.sum())
        rebuilt = self._rebuild(values[first], layout.rows(first), order.rows(first), num_values)
        cells, registers, directions, seen = rebuilt
        answers = self._answers(cells, registers, seen, layout, order, place)
        return self._turned(answers, directions, registers, seen, layout, order, place)

    def _rebuild(
        self, values: Tensor, layout: GridLayout, order: Order, num_values: int
    ) -> tuple[Tensor, Tensor, Tensor, Visibility]:
        """Cells ``[N, S, D]`` and registers and readers ``[B, R, D]`` after the last layer, the symbols of directions, int64
        ``[M, F]``, and what is seen, where the first ``num_values`` trajectories have a value copy."""
        shape = layout.grid
        seen = visibility(shape.actions(values) - self.first_action, layout, order, num_values)
        symbols = self._symbols(values, layout, order, num_values)
        words = self.embedding(shape.words(symbols[: len(values)])) + self.word_position[: shape.num_words]
        mission = seen.copies(self.mission(words, seen.words))
        lasting = torch.cat([words] + [self.embedding(SINGLES[a](shape, values)) for a in seen.tokens], dim=1)
        cells, registers = self._first(shape, symbols, words, seen)
        kernels = self.kernels()
        links = link(kernels, seen.sources, seen.symbols, num_values)
        look = looks(seen)
        for layer in self.layers:
            cells, registers = layer(cells, registers, lasting, mission, kernels, links, look, seen)
        cells = lowered(self.cell_norm(cells))
        read = self.last_reader(self.register_norm(registers), cells, lasting, look, seen)
        return cells, registers + read, shape.directions(symbols), seen

    def check_order(self, layout: GridLayout, order: Order) -> None:
        """Accept it: this model honours any order."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """The tables learn faster than the rest; only matrices decay."""
        tables = [parameter for name, parameter in self.named_parameters() if "tables" in name]
        hidden = matrices(nn.ModuleList([self.mission, self.layers, self.last_reader]))
        rest = without(self.parameters(), tables + hidden)
        return [
            ParameterGroup(hidden, decays=True, is_hidden=True),
            ParameterGroup([p for p in rest if p.ndim >= 2], decays=True),
            ParameterGroup([p for p in rest if p.ndim < 2], decays=False),
            ParameterGroup(tables, decays=False, is_table=True),
        ]

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Raise an AnyOrderError if the model is too small for a mission or was made for another view."""
        check_view(self.view, view)
        if num_words > self.config.max_words:
            raise AnyOrderError(
                f"missions must have at most {self.config.max_words} words for this model; found {num_words}; train one with"
                " a higher model.max_words"
            )

    @uncompiled  # see `visibility`
    def _symbols(self, values: Tensor, layout: GridLayout, order: Order, num_values: int) -> Tensor:
        """int64 ``[M, E]``: in query copies the value of CONTEXT and the mask symbol of its attribute for HIDDEN and TARGET; in
        value copies the value of a TARGET too."""
        mask = self.first_mask_symbol + layout.attribute
        query = torch.where(order.roles == Role.CONTEXT, values, mask).masked_fill(order.roles == Role.DROPPED, self.nothing)
        shown = torch.where(order.targets[:num_values], values[:num_values], query[:num_values])
        return torch.cat([query, shown])

    def _first(self, shape: GridShape, symbols: Tensor, words: Tensor, seen: Visibility) -> tuple[Tensor, Tensor]:
        """Cells ``[N, S, D]`` and registers and readers ``[B, R, D]`` before the first layer; ``words`` is ``[B, W, D]``."""
        starts = torch.arange(shape.num_frames, device=symbols.device) == 0
        arrival = self.arrival(torch.where(starts, NUM_SYMBOLS, seen.symbols[0]))
        of_frames = self.embedding(shape.directions(symbols)) + arrival
        cells = functional.embedding_bag(
            shape.cells(symbols).reshape(-1, 3), self.embedding.weight, mode="sum", padding_idx=self.nothing
        )
        cells = cells.view(-1, shape.num_cells, self.config.width) + self.cell_position
        asked = self.embedding.weight[[self.first_mask_symbol + attribute for attribute in seen.readers]]
        readers = asked[:, None] + self.arrival(torch.where(starts, NUM_SYMBOLS, seen.reader_symbol))
        of_words = words[:, : seen.num_word_readers]
        registers = torch.cat([*_in_forms(of_frames, seen), readers.flatten(1, 2), of_words], dim=1)
        return cells + of_frames.flatten(0, 1)[:, None], registers

    def _answers(
        self, cells: Tensor, registers: Tensor, seen: Visibility, layout: GridLayout, order: Order, place: Tensor
    ) -> Tensor:
        """Logits of the targets: cells answer for their three attributes, a frame's register for the direction, readers
        for actions, returns and words. Trajectory b stands at ``place[b]`` of the cells and registers."""
        shape = layout.grid
        row, element = order.targets.nonzero(as_tuple=True)
        attribute, row = layout.attribute[row, element], place[row]
        of_frames, in_mission = element - shape.num_words, element < shape.num_words
        step, within = of_frames // shape.per_frame, of_frames % shape.per_frame
        in_cell = (within < 3 * shape.num_cells) & ~in_mission
        who = self._first_register(shape, seen)[(within - 3 * shape.num_cells).clamp(min=0)] + step
        who = torch.where(in_mission, registers.shape[1] - shape.num_words + element, who)
        # The targets of one cell follow one another, and one reading answers them all.
        cell = ((row * shape.num_frames + step) * shape.num_cells + within // 3)[in_cell]
        asked, which = cell.unique_consecutive(return_inverse=True)
        others = registers[row[~in_cell], who[~in_cell]]
        reading = torch.arange(len(asked), len(asked) + len(row), device=row.device)
        reading[in_cell], reading[~in_cell] = which, len(asked) + torch.arange(len(others), device=row.device)
        answers = self.head(torch.cat([cells.flatten(0, 1).index_select(0, asked), others]))
        logits = answers.index_select(0, reading)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return logits.masked_fill_(~self.allowed[attribute], -torch.inf)

    def _turned(
        self,
        answers: Tensor,
        directions: Tensor,
        registers: Tensor,
        seen: Visibility,
        layout: GridLayout,
        order: Order,
        place: Tensor,
    ) -> Tensor:
        """The answers, to which the directions that are seen (symbols, int64 ``[M, F]``) have added what they say about those
        that are asked."""
        row, element = order.targets.nonzero(as_tuple=True)
        asked = (layout.attribute[row, element] == Attribute.DIRECTION).nonzero()[:, 0]
        if not len(asked):  # a gradient of zero: other processes may have one and wait for it
            return answers + sum(parameter.sum() for parameter in self.heading.parameters()) * 0.0
        shape, first = layout.grid, self.vocabulary.offsets[Attribute.DIRECTION]
        shown = directions - first
        shown = shown.masked_fill(shown >= WAYS, -1)
        said = self.heading(shown, _of_copies(registers, seen).view(*shown.shape, -1), seen.sources, seen.symbols)
        step = (element[asked] - shape.num_words) // shape.per_frame
        answers[asked, first : first + WAYS] += said[place[row[asked]], step].to(answers.dtype)
        return answers

    def _first_register(self, shape: GridShape, seen: Visibility) -> Tensor:
        """int64 ``[3]``: which register or reader answers for the direction, the return and the action of step 0."""
        answers = {a: seen.num_registers + number * shape.num_frames for number, a in enumerate(seen.readers)}
        return torch.tensor([0, answers.get(Attribute.RETURN, 0), answers.get(Attribute.ACTION, 0)], device=seen.keys.device)


def _in_forms(of_frames: Tensor, seen: Visibility) -> list[Tensor]:
    """C times ``[B, F, D]`` from ``[M, F, D]``: for each form that of every trajectory, zero where there is no value copy."""
    if not seen.num_values:
        return [of_frames]
    size = len(of_frames) - seen.num_values
    values = functional.pad(of_frames[size:], (0, 0, 0, 0, 0, size - seen.num_values))
    return [of_frames[:size], values]


def _of_copies(registers: Tensor, seen: Visibility) -> Tensor:
    """``[N, D]``, the registers of every copy's frames, from registers ``[B, R, D]``."""
    num_frames = seen.sources.shape[2]
    queries = registers[:, :num_frames]
    values = registers[: seen.num_values, num_frames : 2 * num_frames]
    return torch.cat([queries, values] if seen.num_values else [queries]).flatten(0, 1)


class Layer(nn.Module):
    """One round: registers and readers read, think and guess what happened between frames, then cells exchange values, listen
    to their frame's register and think."""

    def __init__(self, config: ModelConfig, num_cells: int) -> None:
        super().__init__()
        dim = config.width
        self.cell_norm, self.register_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.reader = Reader(dim, config.num_heads)
        self.register_think = _feed_forward(dim, config.register_expansion)
        self.guess = Guesser(NUM_SYMBOLS, dim, config.num_heads)
        self.transport = Transport(dim, config.num_heads, num_cells)
        self.tell = nn.Linear(dim, dim)
        self.cell_think = ModulatedFeedForward(dim, config.cell_expansion)

    def forward(
        self,
        cells: Tensor,
        registers: Tensor,
        lasting: Tensor,
        mission: Tensor,
        kernels: Tensor,
        links: Links,
        look: Looks,
        seen: Visibility,
    ) -> tuple[Tensor, Tensor]:
        """``cells [N, S, D]`` and ``registers [B, R, D]`` after the round; ``kernels`` is ``[2, A + 1, H, S, S]``."""
        normed = lowered(self.cell_norm(cells))
        registers = registers + self.reader(self.register_norm(registers), normed, lasting, look, seen)
        registers = registers + self.register_think(registers)
        of_frames = _of_copies(registers, seen)
        links = guessed(self.guess, of_frames, normed, kernels, links)
        cells = cells + self.transport(normed, seen.absent, links) + self.tell(of_frames)[:, None]
        return cells + self.cell_think(cells, mission), registers


def _embedding(num: int, width: int, padding_idx: int | None = None) -> nn.Embedding:
    embedding = nn.Embedding(num, width, padding_idx=padding_idx)
    nn.init.normal_(embedding.weight, std=0.3)
    if padding_idx is not None:
        nn.init.zeros_(embedding.weight[padding_idx])
    return embedding


def _feed_forward(width: int, expansion: int) -> nn.Module:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
    )

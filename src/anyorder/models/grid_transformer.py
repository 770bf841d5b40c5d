"""The small model: a bidirectional transformer over grid trajectories that learns on a laptop CPU.

Cells exchange values with the neighbouring frames through kernels learned per transition (`transport`) and think under
the mission's influence (`mission`); registers, one per step, attend to the cells of their own frame, to the mission and
to the registers of the whole episode (`registers`), and tell their frame what they found. Actions and directions are
read from registers, everything else from cells.

Legend: B trajectories, F frames, S cells of a view, W mission words, E elements, K targets, H heads, D width,
V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.config import ModelConfig
from anyorder.data.grid import GridLayout, GridShape, GridVocabulary
from anyorder.data.layout import Attribute
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.models.mission import MissionEncoder, ModulatedFeedForward
from anyorder.models.parameters import ParameterGroup
from anyorder.models.registers import Reader
from anyorder.models.transport import Kernels, Route, Transport, plan_route
from anyorder.models.visibility import NUM_SYMBOLS, Visibility, visibility


class GridTransformer(nn.Module):
    """Rebuild what an order hides from what it shows.

    Args:
        config: sizes.
        vocabulary: of the data set.
        view: columns and rows of the agent's view.
    """

    def __init__(self, config: ModelConfig, vocabulary: GridVocabulary, view: tuple[int, int]) -> None:
        super().__init__()
        if config.width % config.num_heads:
            raise ValueError(f"num_heads divides width; found {config.num_heads} heads and width {config.width}")
        self.config, self.vocabulary, self.view = config, vocabulary, tuple(view)
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
        self.mission = MissionEncoder(dim)
        self.layers = nn.ModuleList(Layer(config, num_cells) for _ in range(config.num_layers))
        self.cell_norm, self.register_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.last_reader = Reader(dim, config.num_heads)
        self.head = nn.Linear(dim, len(vocabulary))
        self.register_buffer("allowed", vocabulary.allowed(), persistent=False)

    def forward(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """
        Args:
            values: int64 ``[B, E]``; true values, read only where the order shows them.
            layout: of the batch.
            order: roles and ranks; see `visibility` for the orders that are refused.

        Returns:
            Logits ``[K, V]`` of the targets, in row-major order of ``order.targets``; -inf for values that the
            target's attribute cannot take.
        """
        shape = layout.shape_of_grid
        self.check((shape.columns, shape.rows), shape.num_words)
        seen = visibility(shape.actions(values) - self.first_action, layout, order)
        symbols = self._symbols(values, layout, order)
        cells, registers = self._first(shape, symbols, seen)
        words = self.embedding(shape.words(symbols)) + self.word_position[: shape.num_words]
        mission = self.mission(words, seen.words).repeat_interleave(shape.num_frames, dim=0)
        kernels = self.kernels()
        routes = (
            plan_route(seen.past, seen.past_symbol, 1, NUM_SYMBOLS),
            plan_route(seen.future, seen.future_symbol, -1, NUM_SYMBOLS),
        )
        for layer in self.layers:
            cells, registers = layer(cells, registers, words, mission, kernels, routes, seen)
        cells = self.cell_norm(cells)
        registers = registers + self.last_reader(self.register_norm(registers), cells, words, seen)
        return self._read(cells, registers, layout, order)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The tables learn faster than the rest; only matrices decay."""
        tables = [parameter for name, parameter in self.named_parameters() if "tables" in name]
        known = {id(parameter) for parameter in tables}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return [
            ParameterGroup([p for p in rest if p.ndim >= 2], decays=True),
            ParameterGroup([p for p in rest if p.ndim < 2], decays=False),
            ParameterGroup(tables, decays=False, is_table=True),
        ]

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Raise an AnyOrderError if the model is too small for a mission or was made for another view."""
        if tuple(view) != self.view:
            made, found = ("x".join(map(str, size)) for size in (self.view, view))
            raise AnyOrderError(
                f"this model was made for views of {made} cells, found {found}; choose an environment or data with those"
            )
        if num_words > self.config.max_words:
            raise AnyOrderError(
                f"this model reads missions of at most {self.config.max_words} words, found {num_words}; train one with"
                " a higher model.max_words"
            )

    @torch.compiler.disable  # see `visibility`
    def _symbols(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """int64 ``[B, E]``: the value of CONTEXT, the mask symbol of its attribute for HIDDEN and TARGET."""
        symbols = torch.where(order.roles == Role.CONTEXT, values, self.first_mask_symbol + layout.attribute)
        return symbols.masked_fill(order.roles == Role.DROPPED, self.nothing)

    def _first(self, shape: GridShape, symbols: Tensor, seen: Visibility) -> tuple[Tensor, Tensor]:
        """Cells ``[N, S, D]`` and registers ``[B, F, D]`` before the first layer."""
        direction = self.embedding(shape.directions(symbols))
        starts = torch.arange(shape.num_frames, device=symbols.device) == 0
        arrival = self.arrival(torch.where(starts, NUM_SYMBOLS, seen.past_symbol))
        register_arrival = self.arrival(torch.where(starts, NUM_SYMBOLS, seen.register_symbol))
        cells = functional.embedding_bag(
            shape.cells(symbols).reshape(-1, 3), self.embedding.weight, mode="sum", padding_idx=self.nothing
        )
        cells = cells.view(-1, shape.num_cells, self.config.width) + self.cell_position
        cells = cells + (direction + arrival).flatten(0, 1)[:, None]
        taken = self.embedding(shape.actions(symbols))
        return cells, taken + register_arrival + direction * seen.register_sees_frame[..., None]

    def _read(self, cells: Tensor, registers: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """Logits of the targets: cells answer for their three attributes, registers for actions and directions."""
        shape = layout.shape_of_grid
        row, element = order.targets.nonzero(as_tuple=True)
        per_frame = 3 * shape.num_cells + 2
        frame = row * shape.num_frames + (element - shape.num_words) // per_frame
        place = (element - shape.num_words) % per_frame
        in_cell = place < 3 * shape.num_cells
        tokens = registers.new_empty(len(row), registers.shape[-1])
        tokens[in_cell] = cells[frame[in_cell], place[in_cell] // 3]
        tokens[~in_cell] = registers.flatten(0, 1)[frame[~in_cell]]
        logits = self.head(tokens).float()
        return logits.masked_fill(~self.allowed[layout.attribute[row, element]], -torch.inf)


class Layer(nn.Module):
    """One round: registers read and think, then cells exchange values, listen to their register and think."""

    def __init__(self, config: ModelConfig, num_cells: int) -> None:
        super().__init__()
        dim = config.width
        self.cell_norm, self.register_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.reader = Reader(dim, config.num_heads)
        self.register_think = _feed_forward(dim, config.register_expansion)
        self.transport = Transport(dim, config.num_heads, num_cells)
        self.tell = nn.Linear(dim, dim)
        self.cell_think = ModulatedFeedForward(dim, config.cell_expansion)

    def forward(
        self,
        cells: Tensor,
        registers: Tensor,
        words: Tensor,
        mission: Tensor,
        kernels: tuple[Tensor, Tensor],
        routes: tuple[Route, Route],
        seen: Visibility,
    ) -> tuple[Tensor, Tensor]:
        """``cells [N, S, D]`` and ``registers [B, F, D]`` after the round."""
        normed = self.cell_norm(cells)
        registers = registers + self.reader(self.register_norm(registers), normed, words, seen)
        registers = registers + self.register_think(registers)
        told = self.tell(registers) * seen.frame_sees_register[..., None]
        absent = None if seen.all_cells else ~seen.cells.flatten(0, 1)
        cells = cells + self.transport(normed, absent, kernels, routes) + told.flatten(0, 1)[:, None]
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

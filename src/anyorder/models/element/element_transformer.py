"""A bidirectional transformer for trajectories of any spec, with any roles and any ranks.

Every cell is a token, which holds the values of the fields that an order shows and mask symbols for those that it hides. Ranks
become attention through `two_copies`, so nothing leaks.

Legend: B trajectories, E elements, C cells, N forms of cells, K targets, V values, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anyorder.config import ElementModelConfig
from anyorder.elements.fields import FieldLayout
from anyorder.elements.spec import Spec
from anyorder.masking.order import Order, Role
from anyorder.models.compiling import uncompiled
from anyorder.models.element.blocks import TransformerLayer, rotations
from anyorder.models.element.cells import CellGrid, cell_grid, cell_roles, gathered, ranks_differ_in_cells
from anyorder.models.element.heads import CellHeads
from anyorder.models.element.inputs import CellInputs
from anyorder.models.parameters import ParameterGroup, matrices, without
from anyorder.models.two_copies import TwoCopies, two_copies


class ElementTransformer(nn.Module):
    """Rebuilds what an order hides from what it shows, for trajectories of one spec.

    Args:
        config: sizes.
        spec: the fields of the trajectories.

    Raises:
        ValueError: for a width that the heads do not divide into even parts.
    """

    def __init__(self, config: ElementModelConfig, spec: Spec) -> None:
        super().__init__()
        if config.width % (2 * config.num_heads):
            raise ValueError(f"width must be an even multiple of num_heads {config.num_heads}; found {config.width}")
        self.config, self.spec = config, spec
        self.inputs = CellInputs(spec, config.width, config.input_noise, config.harmonics)
        sizes = config.width, config.num_heads, config.expansion, config.num_layers, config.dropout
        self.layers = nn.ModuleList(TransformerLayer(*sizes) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.width)
        self.heads = CellHeads(spec, config.width, config.head)

    @property
    def max_frames(self) -> int | None:
        """How many observations it reads at most."""
        return self.config.max_frames

    def forward(self, values: Tensor, layout: FieldLayout, order: Order) -> Tensor:
        """Logits ``[K, V]`` of the targets, in row-major order of ``order.targets``; -inf for what a target's field does not
        have.

        Args:
            values: int64 ``[B, E]``; true values, read only where the order shows them.
            layout: of the batch.
            order: one that `check_order` accepts.
        """
        grid, roles, forms = self._forms(layout, order)
        tokens = self._tokens(grid, roles, forms, gathered(values, grid), gathered(layout.numbers, grid))
        turns = rotations(forms.positions, self.config.width // self.config.num_heads)
        sees = forms.attention[:, None]
        for layer in self.layers[:-1]:
            tokens = layer(tokens, sees, turns)
        last = self.layers[-1]
        assert isinstance(last, TransformerLayer)
        row, form = forms.asked.nonzero(as_tuple=True)
        # Of the last layer, nothing else is read.
        asked = last.mix(last.attend(tokens, sees, turns)[row, form])
        cell = forms.element[row, form]
        number = (order.targets.flatten().cumsum(0) - 1).view(order.targets.shape)
        return self.heads(
            self.norm(asked),
            grid.group[cell],
            roles[row, cell] == Role.TARGET,
            gathered(number, grid)[row, cell],
        ).float()

    def check_order(self, layout: FieldLayout, order: Order) -> None:
        """Raise a ValueError for an order that gives the fields of one cell different ranks."""
        if ranks_differ_in_cells(cell_grid(self.spec, layout.frame_shape), order):
            raise ValueError(
                "the fields of a cell must have one rank for this model; found several; rank whole cells, or put the fields"
                " into groups of their own (data.fields.groups)"
            )

    def parameter_groups(self) -> list[ParameterGroup]:
        """Matrices of the layers, those of inputs and heads, which decay, too, and the rest."""
        hidden, every = matrices(self.layers), matrices(self)
        others = without(self.parameters(), every)
        return [
            ParameterGroup(hidden, decays=True, is_hidden=True),
            ParameterGroup(without(every, hidden), decays=True),
            ParameterGroup(others, decays=False),
        ]

    @uncompiled
    def _forms(self, layout: FieldLayout, order: Order) -> tuple[CellGrid, Tensor, TwoCopies]:
        """The cells that exist somewhere in the batch, the roles of their fields, uint8 ``[B, C, k]``, and their forms."""
        grid = cell_grid(self.spec, layout.frame_shape).to(layout.device)
        read = cell_roles(grid, order)
        there = (read.order.roles != Role.DROPPED).any(dim=0).nonzero()[:, 0]
        kept = Order(read.order.roles[:, there], read.order.ranks[:, there])
        grid = grid.rows(there)
        return grid, read.roles[:, there], two_copies(grid.steps(layout), kept)

    def _tokens(self, grid: CellGrid, roles: Tensor, forms: TwoCopies, values: Tensor, numbers: Tensor) -> Tensor:
        """``[B, N, D]``: the first content of each form."""
        context, target, hidden = (roles == role for role in (Role.CONTEXT, Role.TARGET, Role.HIDDEN))
        tokens = self.inputs(grid, values, numbers, context, target | hidden)
        again = forms.element[:, len(grid.group) :]
        if not again.shape[1]:
            return tokens
        true = self.inputs(grid, values, numbers, context | target, hidden)
        return torch.cat([tokens, true.gather(1, again[..., None].expand(-1, -1, true.shape[-1]))], dim=1)

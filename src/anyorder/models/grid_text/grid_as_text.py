"""A masked language model that answers questions about grids: an order on the grid is written as tokens, and the model's
logits of tokens become logits of the grid. Strategies, losses, queries, policies and scores use it as a grid model.

Legend: B trajectories, E elements of the grid, L tokens, K targets of the grid, J of the text, V values of the grid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anyorder.elements.grid import Attribute, GridLayout, GridVocabulary, check_view
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order
from anyorder.models.grid_text.grid_text import GridText, Written
from anyorder.models.grid_text.grid_tokens import CELL, NUM_CELLS
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.models.parameters import ParameterGroup


class GridAsText(nn.Module):
    """Rebuild what an order hides on a grid from what it shows, with a masked language model.

    Where a whole cell is asked, its token is a joint answer, and each attribute's probability is the sum over the
    values of the others.

    Args:
        model: with at least `GridTokens.size` embeddings, so that the tokens of the grid have theirs.
        text: writes grids as tokens.
        vocabulary: of the data set.
        view: columns and rows of what the agent sees.
        max_frames: how many observations of a trajectory it was made for; None: as many as its positions allow.

    Raises:
        AnyOrderError: for a model with too few embeddings.
    """

    def __init__(
        self,
        model: MaskedLanguageModel,
        text: GridText,
        vocabulary: GridVocabulary,
        view: tuple[int, int],
        max_frames: int | None = None,
    ) -> None:
        super().__init__()
        found = model.model.config.vocab_size
        if found < text.tokens.size:
            raise AnyOrderError(
                f"the model must have {text.tokens.size} embeddings for the tokens of the grid; found {found}; call"
                f" model.resize_token_embeddings({text.tokens.size}) first"
            )
        self.model, self.text, self.vocabulary, self.view = model, text, vocabulary, view
        self.max_frames = max_frames
        self._no_split_modules = model._no_split_modules

    def forward(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """Log-probabilities of the targets.

        Args:
            values: int64 ``[B, E]``; true values, read only where the order shows them.
            layout: of the batch.
            order: any roles and ranks in which no mission word is a target.

        Returns:
            Logits ``[K, V]`` of the targets, in row-major order of ``order.targets``, log-probabilities within what the
            target's attribute can take; -inf for the other values.

        Raises:
            AnyOrderError: for trajectories longer than the model's positions.
            ValueError: for a mission that is asked.
        """
        self.check_order(layout, order)
        written = self.text.write(values, layout, order)
        said = self.model(written.batch.values, written.batch.layout, written.order)
        return self._of_grid(said, written, layout, order)

    def check_order(self, layout: GridLayout, order: Order) -> None:
        """Raise a ValueError for a mission that is asked."""
        if bool((order.targets & layout.of_kind(Kind.MISSION)).any()):
            raise ValueError("a text model cannot be asked for the words of a grid's mission; leave them visible or dropped")

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Raise an AnyOrderError for another view than the model was made for."""
        check_view(self.view, view)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The groups of the language model."""
        return self.model.parameter_groups()

    def _of_grid(self, said: Tensor, written: Written, layout: GridLayout, order: Order) -> Tensor:
        """Logits ``[J, tokens]`` of the text's targets as log-probabilities ``[K, V]`` of the grid's."""
        row, element = order.targets.nonzero(as_tuple=True)
        numbers = written.order.targets.flatten().cumsum(dim=0).view(written.order.roles.shape) - 1
        answer = numbers[row, written.token[row, element]]
        attribute, whole = layout.attribute[row, element], written.whole[row, element]
        answers = said.new_full((len(row), len(self.vocabulary)), -torch.inf)
        if not len(row):
            return answers + said.sum()  # no answer, but a (zero) gradient: other processes may have answers and wait for it
        tokens, offsets, sizes = self.text.tokens, self.vocabulary.offsets, self.vocabulary.sizes
        first = self.model.answers.start if self.model.answers else 0
        first_cell, first_single = tokens.first - first, tokens.single - first
        for each in attribute.unique().tolist():
            each = Attribute(each)
            start, size = offsets[each], sizes[each]
            for as_cell in (False, True):
                here = ((attribute == each) & (whole == as_cell)).nonzero()[:, 0]
                if not len(here):
                    continue
                if as_cell:
                    cells = said[answer[here], first_cell : first_cell + NUM_CELLS].log_softmax(dim=-1)
                    cells = cells.unflatten(-1, [sizes[a] for a in CELL])
                    others = [1 + place for place, a in enumerate(CELL) if a is not each]
                    found = cells.logsumexp(dim=others)
                else:
                    found = said[answer[here], first_single + start : first_single + start + size].log_softmax(dim=-1)
                answers[here[:, None], torch.arange(start, start + size, device=said.device)] = found
        return answers

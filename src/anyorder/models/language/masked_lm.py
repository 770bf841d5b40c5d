"""Any bidirectional masked language model of Hugging Face transformers (BERT, ModernBERT, LLaDA2), trained on any order.

Every value is a token of the model's own vocabulary. Ranks become attention in `two_copies`; here they are handed to
the model as a four-dimensional attention mask and explicit position ids. Libraries ignore or rewrite such arguments
silently (a mask sent through a causal builder, a sliding window that a given mask replaces, positions with an offset),
so each wrapped model is probed when it is wrapped, and refused if it does not use them as they are.

Legend: B trajectories, E elements, N forms (see `two_copies`), K targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from anyorder.elements.layout import Layout
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.models.parameters import ParameterGroup, matrices, without
from anyorder.models.two_copies import two_copies


class MaskedLanguageModel(nn.Module):
    """Rebuild what an order hides from what it shows, with a masked language model.

    Args:
        model: maps ``input_ids``, a 4-D ``attention_mask`` and ``position_ids`` to logits at the same positions; an
            attribute ``answers_next`` that is True says that the logits at a position are those of the next token.
        mask_token_id: the token of what is hidden; never a prediction.
        pad_token_id: if given, never a prediction either. Leave it out where the pad token is also the end of text.
        answers: the range of tokens that can be asked for; None: all. The head computes the logits of these alone, if it is
            a plain linear layer; if not, the attribute of this name is None.
        is_new: True if the weights are random ones; Muon may take the matrices of such a model alone, since what AdamW has
            trained before does not go on well with it (Liu et al. 2025, arXiv:2502.16982).

    Raises:
        AnyOrderError: for a model that is causal or does not honour attention masks or position ids.
    """

    never: Tensor
    """int64; the tokens that are never a prediction."""

    def __init__(
        self,
        model: PreTrainedModel,
        mask_token_id: int,
        pad_token_id: int | None = None,
        answers: range | None = None,
        is_new: bool = False,
    ) -> None:
        super().__init__()
        never = [token for token in (mask_token_id, pad_token_id) if token is not None]
        vocab_size = model.config.vocab_size
        if not all(0 <= token < vocab_size for token in never):
            raise ValueError(f"token ids must lie in 0..{vocab_size - 1}; found {never}; resize the embeddings first")
        self.model, self.mask_token_id, self.answers, self.is_new = model, mask_token_id, None, is_new
        self.answers_next = getattr(model, "answers_next", False)
        # For wrapping layers one by one where a model is divided among processes.
        self._no_split_modules = model._no_split_modules
        self.register_buffer("never", torch.tensor(never, device=model.device), persistent=False)
        if model.device.type != "meta":  # otherwise another process has the weights, and checks
            _refuse_what_does_not_obey(self)
        self.answers = answers if isinstance(model.get_output_embeddings(), nn.Linear) else None

    def forward(self, values: Tensor, layout: Layout, order: Order) -> Tensor:
        """Logits of the targets.

        Args:
            values: int64 ``[B, E]``; true tokens, read only where the order shows them.
            layout: of the batch.
            order: any roles and ranks.

        Returns:
            Logits ``[K, V]`` of the targets (at least float32), in row-major order of ``order.targets``; -inf for the
            tokens that are never a prediction. With ``answers``, ``[K, len(answers)]``.

        Raises:
            AnyOrderError: for trajectories longer than the model's positions.
        """
        self._check_length(layout)
        forms = two_copies(layout.positions, order)
        tokens = torch.where(forms.shows_value, values.gather(1, forms.element), self.mask_token_id)
        logits = self.logits(tokens, forms.positions, forms.attention, self._answering(forms.asked, order))
        at_least_float32 = torch.promote_types(logits.dtype, torch.float32)
        logits = logits.to(at_least_float32)
        return logits if self.answers else logits.index_fill(1, self.never, -torch.inf)

    def check_order(self, layout: Layout, order: Order) -> None:
        """Accept any order."""

    def _check_length(self, layout: Layout) -> None:
        longest, limit = 1 + int(layout.positions.max()), self.model.config.max_position_embeddings
        if longest > limit:
            advice = "shorten trajectories (language_model.max_frames)"
            raise AnyOrderError(f"trajectories must have at most {limit} tokens for this model; found {longest}; {advice}")

    def logits(self, tokens: Tensor, positions: Tensor, attention: Tensor, asked: tuple[Tensor, Tensor]) -> Tensor:
        """Logits of the wrapped model at the places that are ``asked``.

        Args:
            tokens, positions: int64 ``[B, N]``.
            attention: bool ``[B, N, N]``; True where the row may attend to the column.
            asked: trajectory and form of each place, int64 ``[K]`` each.

        Returns:
            ``[K, V]``; with ``answers``, ``[K, len(answers)]``.
        """

        def keep(module: nn.Module, inputs: tuple, output: Any) -> Any:
            # The head is the widest layer by far, so it gets only the places that are asked.
            output.last_hidden_state = output.last_hidden_state[asked][None]
            return output

        hook = self.model.base_model.register_forward_hook(keep)
        try:
            masks = self._masks(attention, positions)
            with _only(self.answers, self.model.get_output_embeddings()):
                return self.model(input_ids=tokens, attention_mask=masks, position_ids=positions).logits[0]
        finally:
            hook.remove()

    def _answering(self, asked: Tensor, order: Order) -> tuple[Tensor, Tensor]:
        """Trajectory and form whose logits answer for each target: its query form. In a model that answers for the next
        position it is the query form of the element before, if that has the same rank and so sees the same."""
        rows, columns = asked.nonzero(as_tuple=True)
        if not self.answers_next:
            return rows, columns
        before = (columns - 1).clamp(min=0)
        exists = (columns > 0) & (order.roles[rows, before] != Role.DROPPED)
        return rows, before.where(exists & (order.ranks[rows, before] == order.ranks[rows, columns]), columns)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Only matrices decay."""
        hidden = matrices(self.model.base_model) if self.is_new else []
        rest = without(self.parameters(), hidden)
        groups = [
            ParameterGroup(hidden, decays=True, is_hidden=True),
            ParameterGroup([p for p in rest if p.ndim >= 2], decays=True),
            ParameterGroup([p for p in rest if p.ndim < 2], decays=False),
        ]
        # An adapter is all matrices, and torch restores no group without parameters.
        return [group for group in groups if group.parameters]

    def _masks(self, attention: Tensor, positions: Tensor) -> Tensor | dict[str, Tensor]:
        """Additive masks ``[B, 1, N, N]``; where some layers are local, one mask for each type of layer.

        A model takes a 4-D mask as it is for all its layers, so the window must be in the mask. It is a window of
        positions: the value form of an element is as near as the element.
        """
        window = _window(self.model)
        if window is None:
            return self._additive(attention)
        near = (positions[:, :, None] - positions[:, None, :]).abs() <= window
        return {"full_attention": self._additive(attention), "sliding_attention": self._additive(attention & near)}

    def _additive(self, attention: Tensor) -> Tensor:
        """Eager attention adds its mask to the scores, where a boolean one would be taken for 0 and 1."""
        zeros = torch.zeros(attention.shape, dtype=self.model.dtype, device=attention.device)
        return zeros.masked_fill(~attention, -torch.inf)[:, None]


@contextmanager
def _only(answers: range | None, head: nn.Module) -> Iterator[None]:
    """While the context is open, the head computes the logits of the tokens ``answers`` alone."""
    if answers is None:
        yield
        return
    rows, linear = slice(answers.start, answers.stop), cast(nn.Linear, head)  # no other layer has ``answers``

    def forward(hidden: Tensor) -> Tensor:
        return nn.functional.linear(hidden, linear.weight[rows], None if linear.bias is None else linear.bias[rows])

    head.forward = forward
    try:
        yield
    finally:
        del head.forward


def _window(model: PreTrainedModel) -> int | None:
    """How far local layers look to either side, in tokens; None for a model without such layers."""
    is_local = "sliding_attention" in (getattr(model.config, "layer_types", None) or ())
    return model.config.sliding_window if is_local else None


def _refuse_what_does_not_obey(wrapped: MaskedLanguageModel) -> None:
    """Raise an AnyOrderError unless the model is bidirectional and honours attention masks and position ids."""
    name = type(wrapped.model).__name__
    was_training = wrapped.model.training
    wrapped.model.eval()
    try:
        complaint = _complaint(wrapped)
    except (TypeError, ValueError, RuntimeError) as error:  # unknown arguments, or other shapes expected
        complaint = f"cannot be called with a 4-D attention_mask and position_ids ({error})"
    finally:
        wrapped.model.train(was_training)
    if complaint:
        advice = "choose a bidirectional masked language model such as BERT or ModernBERT"
        raise AnyOrderError(f"{name} {complaint}; {advice}")


@torch.no_grad()
def _complaint(wrapped: MaskedLanguageModel) -> str | None:
    """What is wrong with a model, or None.

    Each effect is measured against one that has to be there, so no threshold depends on the scale of the weights. (In
    an untrained model the effect of position can be as small as rounding.)
    """
    model = wrapped.model
    if model.base_model is model:
        return "has no base model whose output its head reads"
    length = min(model.config.max_position_embeddings, (_window(model) or 0) + 8)
    places = torch.arange(length, device=model.device)[None]
    # Padding is no token like the others: some models number only what is not padding.
    words = torch.arange(model.config.vocab_size, device=model.device)
    padding = getattr(model.config, "pad_token_id", None)
    words = words if padding is None else words[words != padding]
    tokens = words[7 * places % len(words)]
    changed = torch.where(places == 1, words[(7 * places + 1) % len(words)], tokens)
    others = places[0] != 1
    all_see_all = torch.ones(1, length, length, dtype=torch.bool, device=model.device)
    none_sees_changed = others | torch.eye(length, dtype=torch.bool, device=model.device)

    def say(tokens: Tensor, positions: Tensor = places, attention: Tensor = all_see_all) -> Tensor:
        rows, columns = torch.ones_like(tokens, dtype=torch.bool).nonzero(as_tuple=True)
        return wrapped.logits(tokens, positions, attention, (rows, columns)).float()

    def distance(a: Tensor, b: Tensor) -> float:
        return float((a - b).abs().max())

    plain = model(input_ids=tokens).logits[0].float()
    felt = distance(plain[0], model(input_ids=changed).logits[0, 0].float())
    if felt == 0:
        return "is causal: a token does not depend on the visible token after it"
    unseen = none_sees_changed[None]
    if distance(say(tokens, attention=unseen)[others], say(changed, attention=unseen)[others]) > 1e-3 * felt:
        return "ignores its attention mask: tokens depend on one that is masked out"
    backwards = say(tokens.flip(1), places.flip(1)).flip(0)
    displaced = say(tokens.flip(1)).flip(0)
    rounding = 10 * max(torch.finfo(dtype).eps for dtype in (model.dtype, torch.float32)) * float(plain.abs().max())
    if distance(plain, backwards) > 1e-2 * distance(plain, displaced) + rounding:
        return "does not use position ids as they are: the same tokens and positions in another order have other logits"
    return None

"""What `peers.py` compares the grid model with: published models that read a frame as one token, or as two.

Legend: B trajectories, E elements, F frames, K targets, V vocabulary, C columns of a frame, W words.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mtm_sides import MTM_MASK_RATIOS, MTM_MODE_WEIGHTS, num_parameters
from torch import Tensor, nn

from anyorder.acting.policy import History, ModelPolicy
from anyorder.elements.grid import AFTER_CELLS, Attribute, GridLayout, GridVocabulary
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.models.parameters import ParameterGroup, without

PEER_SIZES = {"embed_dim": 128, "nheads": 8, "nlayers": 2, "feedforward_nhid": 256, "dropout": 0.0}
"""uniMASK's, about as large as ours."""
MTM_SIZES = {"n_head": 4, "n_enc_layer": 2, "n_dec_layer": 1, "dropout": 0.1, "norm": "none"}
"""Those of MTM's config.yaml; its width is chosen by the number of parameters."""
LONGEST = 1024
"""Frames that MTM has positions for, which are no parameters."""


class OneHot:
    """The elements of a frame as columns, one for each value that each of them can have.

    Args:
        vocabulary, view: of the data.

    Attributes:
        num_columns: C, of a frame.
        first: int64 ``[elements of a frame]``, the first column of each element.
    """

    def __init__(self, vocabulary: GridVocabulary, view: tuple[int, int]) -> None:
        self.vocabulary = vocabulary
        attributes = torch.tensor(_attributes(view))
        allowed = vocabulary.allowed()[attributes]
        sizes = allowed.sum(dim=1)
        self.first, self.num_columns = sizes.cumsum(0) - sizes, int(sizes.sum())
        offsets = torch.tensor([vocabulary.offsets[Attribute(a)] for a in attributes.tolist()])
        values = torch.arange(len(vocabulary))
        # One beyond all columns for values that an element cannot have.
        self._columns = torch.where(allowed, self.first[:, None] + values - offsets[:, None], self.num_columns)

    def frames(self, values: Tensor, layout: GridLayout, shown: Tensor) -> Tensor:
        """``[B, F, C]``: 1 for the value of each element that is ``shown``, bool ``[B, E]``."""
        frames, visible = layout.grid.frames(values), layout.grid.frames(shown)
        found = torch.zeros(*frames.shape[:2], self.num_columns + 1)
        columns = self._columns[torch.arange(frames.shape[2]), frames]
        return found.scatter_(2, columns.where(visible, self.num_columns), 1.0)[..., :-1]

    def words(self, values: Tensor, layout: GridLayout, shown: Tensor) -> Tensor:
        """``[B, W]``: how often each word is in the mission."""
        words = layout.grid.words(values) - self.vocabulary.offsets[Attribute.WORD]
        bag = torch.zeros(len(values), len(self.vocabulary.words))
        return bag.scatter_add_(1, words.clamp(min=0), layout.grid.words(shown).float())

    def logits(self, answers: Tensor, layout: GridLayout, targets: Tensor) -> Tensor:
        """``[K, V]``, in the order of ``targets``, bool ``[B, E]``, from columns ``[B, F, C]``."""
        row, number = targets.nonzero(as_tuple=True)
        number = number - layout.grid.num_words
        step, within = number // layout.grid.per_frame, number % layout.grid.per_frame
        padded = nn.functional.pad(answers, (0, 1), value=-torch.inf).flatten()
        start = (row * answers.shape[1] + step) * (self.num_columns + 1)
        return padded[start[:, None] + self._columns[within]]


class Frames(nn.Module):
    """A model of frames, which asks and answers as ours does.

    Args:
        net: the published model.
        vocabulary, view: of the data.
    """

    max_frames = None

    def __init__(self, net: nn.Module, vocabulary: GridVocabulary, view: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.vocabulary, self.view, self.one_hot = net, vocabulary, view, OneHot(vocabulary, view)

    def forward(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """See `anyorder.models.contract.Model`; one pass for each rank that has targets."""
        targets = order.targets
        if not order.ranks.any():
            return self.at_once(values, layout, order)
        found = torch.empty(len(targets), targets.shape[1], len(self.vocabulary))
        for rank in order.ranks[targets].unique():
            alone = at_rank(order, rank.expand(len(targets)))
            found[alone.targets] = self.at_once(values, layout, alone)
        return found[targets]

    def at_once(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """The same where all ranks are equal."""
        return self.one_hot.logits(self.answers(values, layout, order.roles == Role.CONTEXT), layout, order.targets)

    def answers(self, values: Tensor, layout: GridLayout, shown: Tensor) -> Tensor:
        """``[B, F, C]``, from what is ``shown``, bool ``[B, E]``."""
        raise NotImplementedError

    def parameter_groups(self) -> list[ParameterGroup]:
        hidden = [one for part in self.inner() for one in part.parameters() if one.ndim == 2]
        others = without(self.net.parameters(), hidden)
        return [ParameterGroup(hidden, decays=False, is_hidden=True), ParameterGroup(others, decays=False)]

    def inner(self) -> list[nn.Module]:
        """The modules whose matrices Muon may change."""
        raise NotImplementedError

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Every mission will do."""

    def check_order(self, layout: GridLayout, order: Order) -> None:
        """So will every order."""


class UniMaskFrames(Frames):
    """uniMASK: a token of a step is everything of it at once, 0 where it is hidden; the mission's words are in every one."""

    def answers(self, values: Tensor, layout: GridLayout, shown: Tensor) -> Tensor:
        """See `Frames`."""
        frames, words = self.one_hot.frames(values, layout, shown), self.one_hot.words(values, layout, shown)
        batch = _Batch((torch.cat([frames, words[:, None].expand(-1, frames.shape[1], -1)], dim=2), None))
        self.net(batch)
        return batch.answers[..., : self.one_hot.num_columns]

    def inner(self) -> list[nn.Module]:
        """See `Frames`."""
        return [self.net.transformer_encoder]  # type: ignore[list-item]


class MtmFrames(Frames):
    """MTM: a token for an observation, one for an action and one for the mission, each shown or hidden as a whole. All rows of
    a pass must be of one length and hide the same, so there is a pass for each length and pattern."""

    def answers(self, values: Tensor, layout: GridLayout, shown: Tensor) -> Tensor:
        """See `Frames`."""
        grid, words = layout.grid, self.one_hot.words(values, layout, layout.present)
        frames = self.one_hot.frames(values, layout, layout.present)
        found = torch.zeros_like(frames)
        lengths = grid.directions(layout.present).sum(dim=1, keepdim=True)
        seen = grid.directions(shown) & grid.cells(shown).flatten(2).all(dim=2)
        patterns, number = torch.cat([lengths, seen, grid.actions(shown)], dim=1).unique(dim=0, return_inverse=True)
        for own, pattern in enumerate(patterns):
            rows, length = (number == own).nonzero()[:, 0], int(pattern[0])
            states, actions = frames[rows, :length].split(self.modalities(self.one_hot), dim=2)
            tokens = {"states": states[:, :, None], "actions": actions[:, :, None], "goals": words[rows, None, None]}
            masks = pattern[1:].unflatten(0, (2, -1))[:, :length, None].float()
            told = self.net(tokens, {"states": masks[0], "actions": masks[1], "goals": torch.ones(1, 1)})
            found[rows, :length] = torch.cat([told["states"][:, :, 0], told["actions"][:, :, 0]], dim=2)
        return found

    @staticmethod
    def modalities(one_hot: OneHot) -> list[int]:
        """Columns of an observation (and a return, which nobody asks for), and of an action."""
        first = int(one_hot.first[-1])
        return [first, one_hot.num_columns - first]

    def inner(self) -> list[nn.Module]:
        """See `Frames`."""
        return [self.net.encoder, self.net.decoder]  # type: ignore[list-item]


def mtm_frames(code: types.ModuleType, vocabulary: GridVocabulary, view: tuple[int, int], size: int) -> MtmFrames:
    """MTM of about ``size`` parameters."""
    one_hot = OneHot(vocabulary, view)
    columns = dict(zip(("states", "actions"), MtmFrames.modalities(one_hot))) | {"goals": len(vocabulary.words)}
    shapes = {name: (1, number) for name, number in columns.items()}

    def of_width(width: int) -> nn.Module:
        net: nn.Module = code.MTMConfig(n_embd=width, **MTM_SIZES).create(shapes, LONGEST)
        return net

    with torch.device("meta"):
        widths = {width: num_parameters(of_width(width)) for width in range(16, 513, 8)}
    return MtmFrames(of_width(min(widths, key=lambda width: abs(widths[width] - size))), vocabulary, view)


def mtm_order(masks: types.ModuleType, layout: GridLayout, generator: torch.Generator) -> Order:
    """One of MTM's masks for all trajectories of a length; what is masked is asked for, but for returns."""
    grid, hidden = layout.grid, torch.zeros_like(layout.present)
    lengths = grid.directions(layout.present).sum(dim=1)
    for length in lengths.unique().tolist():
        visible = _visible(masks, length, int(torch.randint(2**31, (), generator=generator)))
        rows = (lengths == length)[:, None]
        grid.observations(hidden)[:, :length] |= (rows & (visible["states"][:, 0] == 0))[..., None]
        grid.actions(hidden)[:, :length] |= rows & (visible["actions"][:, 0] == 0)
    roles = torch.where(hidden, int(Role.TARGET), int(Role.CONTEXT))
    grid.returns(roles)[:] = int(Role.HIDDEN)
    return Order(roles.masked_fill(~layout.present, int(Role.DROPPED)), torch.zeros_like(roles))


def _visible(masks: types.ModuleType, length: int, seed: int) -> dict[str, Tensor]:
    """MTM's masks, ``[length, 1]``, 1 where a token is visible; something is hidden that is not the last action, which no
    finished trajectory has."""
    np.random.seed(seed)
    while True:
        drawn: dict[str, Tensor] = masks.create_random_autoregressize_mask(
            {"states": (1, 1), "actions": (1, 1)}, MTM_MASK_RATIOS, length, "cpu", MTM_MODE_WEIGHTS
        )
        if (drawn["states"] == 0).any() or (drawn["actions"][:-1] == 0).any():
            return drawn


class _Batch:
    """What uniMASK's model reads and writes."""

    def __init__(self, model_input: tuple[Tensor, None]) -> None:
        self.model_input = model_input

    def add_model_output(self, answers: Tensor) -> None:
        self.answers = answers


class LastAction(ModelPolicy):
    """Asks for nothing but the next action, since every rank costs a pass."""

    def order(self, layout: GridLayout, histories: Sequence[History]) -> Order:
        order = super().order(layout, histories)
        last = torch.tensor([len(history) - 1 for history in histories])[:, None]
        known = order.targets & (layout.step < last)
        return Order(order.roles.masked_fill(known, int(Role.CONTEXT)), order.ranks)


def _attributes(view: tuple[int, int]) -> list[Attribute]:
    """Of the elements of a frame."""
    cell = [Attribute.OBJECT, Attribute.COLOR, Attribute.STATE]
    after = [Attribute.DIRECTION, Attribute.RETURN, Attribute.ACTION]
    assert len(after) == AFTER_CELLS
    return cell * (view[0] * view[1]) + after


def at_rank(order: Order, rank: Tensor) -> Order:
    """What the targets of one rank of each trajectory (int ``[B]``) see, as an order of equal ranks; all others are hidden."""
    own, roles, hidden = rank[:, None], order.roles, int(Role.HIDDEN)
    roles = torch.where(order.targets & (order.ranks < own), int(Role.CONTEXT), roles)
    unseen = ((roles == Role.CONTEXT) & (order.ranks > own)) | ((roles == Role.TARGET) & (order.ranks != own))
    return Order(roles.masked_fill(unseen, hidden), torch.zeros_like(order.ranks))


def at_a_random_rank(order: Order, generator: torch.Generator) -> Order:
    """`at_rank` of a random one among the ranks that have targets."""
    draws = torch.rand(order.roles.shape, generator=generator).masked_fill(~order.targets, -1.0)
    return at_rank(order, order.ranks.gather(1, draws.argmax(dim=1, keepdim=True))[:, 0])


def unimask_model(folder: Path) -> Callable[[int], nn.Module]:
    """uniMASK's model, of so many columns. Of its other modules, whose needs are old, its file reads a few names alone."""
    path = folder / "uniMASK" / "transformer.py"
    if not path.is_file():
        raise AnyOrderError(
            f"--unimask must be a checkout of uniMASK; found none in {folder}; git clone https://github.com/micahcarroll/uniMASK"
        )
    names = {
        "uniMASK": {},
        "uniMASK.utils": {"LOCAL": False, "DEVICE": "cpu", "load_from_json": None, "save_as_json": None},
        "uniMASK.batches": {"DTActionPred": None, "FuturePred": None},
        "uniMASK.sequences": {"MASKED_VALUE": 0},
    }
    for name, values in names.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        sys.modules[name] = module
    sys.modules["uniMASK"].utils = sys.modules["uniMASK.utils"]  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("uniMASK.transformer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return partial(module.uniMASKModel, action_tanh=False, **PEER_SIZES)

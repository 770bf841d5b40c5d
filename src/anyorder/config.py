"""All settings of a run, as plain typed data. YAML files fill them in; `anyorder.build.runs` turns them into objects."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from anyorder.errors import AnyOrderError
from anyorder.language_config import LanguageModelConfig

MOST_BATCHES = 2_000_000
"""Of one training: all of them are chosen, and held in memory, before it begins."""
LARGEST_FACTOR = 1e9
"""No learning rate, weight or norm that is larger can be meant."""
MOST_AT_ONCE = 10_000
MOST_BINS = 4_096
MOST_HARMONICS = 16
RateSpec = float | list[float] | dict[str, list[float]]
WhichEpisodes = Literal["all", "successes", "failures"]


@dataclass(frozen=True)
class SpecConfig:
    """How the fields of a data set differ from what its spaces and its values say.

    Attributes:
        observation_bins: bins of a real number in an observation.
        action_bins: bins of a real number in an action.
        bins: field or group -> bins of its own.
        leave_out: fields, groups or paths that are no part of the trajectories.
        groups: group -> fields that lie in its cell; they must have one cell each.
        names: field -> the name that it gets; groups and rates are named after it.
        categories: field -> names of its categories, by number.
        keep: fields that stay although they never change, or repeat others.
    """

    observation_bins: int = 64
    action_bins: int = 32
    bins: dict[str, int] | None = None
    leave_out: list[str] | None = None
    groups: dict[str, list[str]] | None = None
    names: dict[str, str] | None = None
    categories: dict[str, list[str]] | None = None
    keep: list[str] | None = None

    def __post_init__(self) -> None:
        usual = {"observation_bins": self.observation_bins, "action_bins": self.action_bins}
        for name, number in {**usual, **(self.bins or {})}.items():
            if not 2 <= number <= MOST_BINS:
                raise AnyOrderError(f"data.fields: bins of {name} must lie between 2 and {MOST_BINS:,}; found {number}")


@dataclass(frozen=True)
class MaskingConfig:
    """Which training orders are drawn.

    Attributes:
        mixture: the strategies that draw orders. For each trajectory and update, one of them is chosen with a probability
            proportional to its weight: ``name: weight`` for a strategy as it is,
            ``label: {weight: w, strategy: expression}`` for one with settings of its own, such as
            ``near: {weight: 0.5, strategy: {only: {strategy: cell, steps: [0, 3]}}}``. Weights need not sum to 1.
            docs/orders.md lists the names and shows expressions.
        mask_prob: share of the elements, cells or units that a strategy hides, for every strategy that has such a rate and
            does not state its own: a number, a list (each trajectory draws one of them), or one of
            {uniform: [low, high]}, {antithetic: [low, high]}, {linear: [start, end]}, {cosine: [start, end]},
            {step: [r1, r2, ...]}; the last three run over the updates.
        attribute_probs: attribute name (object, color, state, direction, action) -> rate of its own, for the
            strategy ``attribute`` where it does not state its own.
    """

    mixture: dict[str, float | dict[str, Any]] = field(default_factory=lambda: {"cell": 0.4, "next_step": 0.6})
    mask_prob: RateSpec = 0.3
    attribute_probs: dict[str, RateSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSetConfig:
    """One more data set of a run, beside ``data.path``: of the same environment, or of one that has the same spaces.

    Attributes:
        path: data set folder.
        share: of the trajectories in the batches; null, where no data set has one, draws as many as it has.
        num_demonstrations: how many of its training trajectories are used, from the first on; null uses all.
        episodes: which of them: ``all``, ``successes`` or ``failures``. What counts as expert is learned with a masking that
            asks for the next action; the same data set may come twice, its failures with another masking.
        masking: its training orders; null: those of the run.
    """

    path: str
    share: float | None = None
    num_demonstrations: int | None = None
    episodes: WhichEpisodes = "all"
    masking: MaskingConfig | None = None

    def __post_init__(self) -> None:
        _check_share(self.share, f"data.sets: share of {self.path}")


@dataclass(frozen=True)
class DataConfig:
    """The training data.

    Attributes:
        path: data set folder made by ``anyorder collect``.
        num_demonstrations: how many training trajectories are used, from the first on; null uses all.
        fields: of data that are neither MiniGrid's nor conversations.
        hindsight: how many more copies of each training trajectory there are, whose goal is one that it reached without being
            asked; for environments that observe ``desired_goal`` and ``achieved_goal``.
        renamed: how many more copies of each training conversation there are, in which things have other names, so that a model
            copies words from what it read instead of knowing them by heart.
        common_words: words that at least this share of the training conversations contains keep their names in these copies,
            except for words in which missions differ.
        far_frames: later frames of its episode that the general model reads beside each part, at random distances, so that
            goals and waypoints may lie further away than ``element_model.max_frames``.
        share: of the trajectories in the batches that come from ``path``, where there are ``sets``, too.
        episodes: which of its training trajectories are used: ``all``, ``successes`` or ``failures``.
        filled_weight: weight in the loss of values that a model filled in (``anyorder fill``); recorded ones have weight 1.
        sets: further data sets, each with its share and its masking; ``path`` is validated on. For grids, fields and
            conversations, but not for grids that a language model learns.
    """

    path: str = "data/raw"
    num_demonstrations: int | None = None
    fields: SpecConfig = field(default_factory=SpecConfig)
    hindsight: int = 0
    renamed: int = 0
    common_words: float = 0.9
    far_frames: int = 0
    share: float | None = None
    episodes: WhichEpisodes = "all"
    filled_weight: float = 1.0
    sets: list[DataSetConfig] | None = None

    def __post_init__(self) -> None:
        for name in ("hindsight", "renamed", "far_frames"):
            if not 0 <= getattr(self, name) <= MOST_AT_ONCE:
                raise AnyOrderError(f"data.{name} must lie between 0 and {MOST_AT_ONCE:,}; found {getattr(self, name)}")
        for name in ("common_words", "filled_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise AnyOrderError(f"data.{name} must lie between 0 and 1; found {getattr(self, name)}")
        _check_share(self.share, "data.share")
        shares = [self.share, *(one.share for one in self.sets or ())]
        given = [share for share in shares if share is not None]
        if given and (len(given) < len(shares) or abs(sum(given) - 1) > 1e-6):
            found = ", ".join("null" if share is None else f"{share:g}" for share in shares)
            raise AnyOrderError(
                f"data.share and the shares of data.sets must all be given and sum to 1, or none be given; found {found}"
            )

    @property
    def shares(self) -> list[float] | None:
        """The share of ``path`` and those of ``sets``; None where none is given."""
        given = [self.share, *(one.share for one in self.sets or ())]
        return [share for share in given if share is not None] or None


def _check_share(share: float | None, name: str) -> None:
    if share is not None and not 0 < share <= 1:
        raise AnyOrderError(f"{name} must lie above 0 and be at most 1; found {share}")


@dataclass(frozen=True)
class ModelConfig:
    """Size of the grid model.

    Attributes:
        width: D, features per cell and per register.
        num_layers: number of layers; in each, cells and registers exchange information.
        num_heads: kernels per transition, and attention heads of the registers; must divide ``width``.
        cell_expansion: hidden width of the cells' feed-forward block, as a multiple of ``width``.
        register_expansion: the same for registers, of which there is one per frame.
        max_words: longest mission, in words.
    """

    width: int = 48
    num_layers: int = 2
    num_heads: int = 4
    cell_expansion: int = 2
    register_expansion: int = 4
    max_words: int = 64

    def __post_init__(self) -> None:
        for size in fields(self):
            if getattr(self, size.name) < 1:
                raise AnyOrderError(f"model.{size.name} must be at least 1; found {getattr(self, size.name)}")


@dataclass(frozen=True)
class ElementModelConfig:
    """Size of the general model, which reads trajectories of any spec.

    Attributes:
        width: D, features per cell.
        num_layers: number of layers.
        num_heads: attention heads; twice as many must divide ``width``.
        expansion: hidden width of the feed-forward network, as a multiple of ``width``.
        max_frames: longest part of a trajectory, in frames. Longer trajectories are cut into parts, and an agent sees one frame
            less, the last ones.
        dropout: share of the features that are left out while training, after each half of a layer.
        input_noise: deviation of the noise that shown numbers get while training, in standard deviations of their fields. It
            keeps a model from learning few demonstrations by heart, and shows it what lies beside their ways.
        harmonics: how many sines and cosines of a number enter beside it, the slowest with a period of six standard deviations.
            They tell places apart, which helps in mazes; where differences of numbers count, as for an arm that reaches for
            things, a model with them learns the places of its demonstrations by heart.
        head: ``bins``: every value has a logit of its own. ``normal``: those of a real number's bins also get the logarithm of
            a normal density, whose mean and deviation the model predicts. It places numbers that change slowly after fewer
            updates.
    """

    width: int = 128
    num_layers: int = 3
    num_heads: int = 4
    expansion: float = 2.0
    max_frames: int = 32
    dropout: float = 0.0
    input_noise: float = 0.0
    harmonics: int = 0
    head: Literal["bins", "normal"] = "bins"

    def __post_init__(self) -> None:
        for name, least in (("width", 2), ("num_layers", 1), ("num_heads", 1), ("max_frames", 2)):
            if getattr(self, name) < least:
                raise AnyOrderError(f"element_model.{name} must be at least {least}; found {getattr(self, name)}")
        if not 0 < self.expansion <= 64:
            raise AnyOrderError(f"element_model.expansion must be above 0 and at most 64; found {self.expansion}")
        if not 0 <= self.dropout < 1:
            raise AnyOrderError(f"element_model.dropout must be at least 0 and below 1; found {self.dropout}")
        if not 0 <= self.input_noise <= 10:
            raise AnyOrderError(f"element_model.input_noise must be at least 0 and at most 10; found {self.input_noise}")
        if not 0 <= self.harmonics <= MOST_HARMONICS:
            raise AnyOrderError(f"element_model.harmonics must lie between 0 and {MOST_HARMONICS}; found {self.harmonics}")


Balance = Literal["kind", "field", "target", "rate"]
"""How the losses of targets become one; see `TrainingConfig`."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        seed: of initialisation, batches and orders.
        init_from: checkpoint whose weights training starts from, as in few-shot fine-tuning; words that are new to it
            get fresh weights. Its view and the sizes under ``model`` must be the same. null starts from random weights.
        num_epochs: passes over the training trajectories.
        num_updates: number of updates to train for, however many passes they take; null trains for ``num_epochs``.
        frames_per_batch: observations in one batch, padding included; all processes together compute it.
        tokens_per_batch: the same for conversations, counted in tokens.
        accumulation: batches whose gradients are added up before an update.
        learning_rate: peak of the learning rate: a linear warm-up leads to it, and a cosine down to a fiftieth of it.
        table_lr_factor: learning rate of the transition tables, as a multiple of that of the other weights; they have no
            weight decay.
        optimizer: ``muon``: orthogonalised steps (Muon) for the matrices between hidden features of models that begin with
            random weights, AdamW for all else; ``adamw``: AdamW for all.
        matrix_lr_factor: learning rate of the matrices that Muon takes, as a multiple of that of the other weights.
        weight_decay: of both optimizers.
        warmup_updates: length of the warm-up, at most a tenth of the training.
        max_grad_norm: gradients are scaled down to this norm.
        balance: ``kind``: the losses of observations and actions are averaged apart and added; ``field``: those of each field
            (object, color, state, direction, action, ...), so that rare ones such as the direction count as much as others;
            null: ``field`` for the grid model, ``kind`` for all others;
            ``target``: one average over all targets; ``rate``: one average, each trajectory weighted by 1 / its
            hidden share (the masked-diffusion bound, LLaDA eq. 3).
        object_weight: weight of targets in cells that hold an object; walls and unseen cells have weight 1.
        mixed_precision: ``no``, ``bf16``, ``fp16``, or ``auto``: ``bf16`` if a pass of this model is faster so, which is
            measured when training begins (models of the size of MiniLM on processors made for it; small ones gain nothing).
        compile: run the model through torch.compile.
        num_processes: processes that share each batch on a CPU; null starts one per core, up to 4 (one process if
            there is a GPU; for several GPUs use ``accelerate launch``).
        num_threads: torch threads per process; null divides the cores among the processes.
        num_validations: how often the validation split is scored during training, evenly spaced.
        checkpoint_seconds: how often the state to resume from is written.
    """

    seed: int = 0
    init_from: str | None = None
    num_epochs: int = 20
    num_updates: int | None = None
    frames_per_batch: int = 128
    tokens_per_batch: int = 4096
    accumulation: int = 1
    learning_rate: float = 2e-3
    table_lr_factor: float = 50.0
    optimizer: Literal["muon", "adamw"] = "muon"
    matrix_lr_factor: float = 5.0
    weight_decay: float = 0.05
    warmup_updates: int = 30
    max_grad_norm: float = 1.0
    balance: Balance | None = None
    object_weight: float = 3.0
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "no"
    compile: bool = False
    num_processes: int | None = None
    num_threads: int | None = None
    num_validations: int = 5
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        counts = ("num_epochs", "num_updates", "frames_per_batch", "tokens_per_batch", "accumulation", "num_validations")
        for name in (*counts, "num_processes", "num_threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise AnyOrderError(f"training.{name} must be at least 1; found {value}")
        for name in ("learning_rate", "table_lr_factor", "matrix_lr_factor", "max_grad_norm", "object_weight"):
            if not getattr(self, name) > 0:
                raise AnyOrderError(f"training.{name} must be above 0; found {getattr(self, name)}")
        for name in ("weight_decay", "warmup_updates", "checkpoint_seconds"):
            if not getattr(self, name) >= 0:
                raise AnyOrderError(f"training.{name} must not be negative; found {getattr(self, name)}")
        for name in ("learning_rate", "table_lr_factor", "matrix_lr_factor", "max_grad_norm", "object_weight", "weight_decay"):
            if getattr(self, name) > LARGEST_FACTOR:
                raise AnyOrderError(f"training.{name} must be at most {LARGEST_FACTOR:g}; found {getattr(self, name)}")
        if (self.num_updates or 1) * self.accumulation > MOST_BATCHES:
            raise AnyOrderError(
                f"training.num_updates times training.accumulation must be at most {MOST_BATCHES:,}, the batches of one"
                f" training; found {self.num_updates or 1} times {self.accumulation}"
            )
        for name in ("num_processes", "num_threads", "num_validations"):
            if (getattr(self, name) or 1) > MOST_AT_ONCE:
                raise AnyOrderError(f"training.{name} must be at most {MOST_AT_ONCE:,}; found {getattr(self, name)}")


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        model: the grid model, for data of MiniGrid.
        language_model: the language model that is trained instead of these; null trains one of them.
        element_model: the general model, for all other data; null is the default sizes. If it is given, it is trained on data
            of MiniGrid, too.
    """

    data: DataConfig = field(default_factory=DataConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    language_model: LanguageModelConfig | None = None
    training: TrainingConfig = field(default_factory=TrainingConfig)
    element_model: ElementModelConfig | None = None

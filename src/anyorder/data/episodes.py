"""How episodes are played: in this process or in several, each episode within a limit of wall time.

An :data:`EpisodeSource` is anything that plays episodes: called with seeds, it yields one result per seed, in the
order of the seeds. :class:`ExpertSource` lets experts play; `anyorder.acting.rollout.policy_source` a trained policy.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

from anyorder.data.manifest import Failure
from anyorder.envs import minigrid
from anyorder.envs.episode import EpisodeFailed, reason_of
from anyorder.envs.experts import Expert, make_expert
from anyorder.envs.making import begin_episode, make_environments
from anyorder.envs.modules import allow_only, allowed_modules
from anyorder.envs.played_text import PlayedText
from anyorder.errors import AnyOrderError
from anyorder.processes import WorkerDied, num_cores, share_out
from anyorder.types import FieldTrajectory, Trajectory

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)

EpisodeResult = Trajectory | FieldTrajectory | PlayedText | Failure
"""What becomes of a seed."""
EpisodeSource = Callable[[Sequence[int]], Iterable[EpisodeResult]]
ResultT = TypeVar("ResultT")

TIME_LIMIT = "time limit"  # the reason of a Failure
_CHUNK = 16  # episodes sent to a process at once: tens of milliseconds of work


class _TimeLimitReached(BaseException):
    """Not an Exception, so that a policy's ``except Exception`` does not catch it."""


def in_batches(play: Callable[[Sequence[int]], Iterable[ResultT]], size: int) -> Callable[[Sequence[int]], Iterator[ResultT]]:
    """An episode source that plays so many of its seeds at a time, as ``play`` does."""

    def source(seeds: Sequence[int]) -> Iterator[ResultT]:
        for start in range(0, len(seeds), size):
            yield from play(seeds[start : start + size])

    return source


def play_episode(env: gym.Env, expert: Expert, seed: int, time_limit: float, env_id: str | None = None) -> EpisodeResult:
    """Play one episode to its end, successful or not.

    Args:
        env: an environment that ``make_environments`` made; it is reset with ``seed``.
        expert: called with the environment and the seed after the reset.
        time_limit: seconds of wall time, kept with SIGALRM: the bot of minigrid can loop without end. Python delivers
            signals to the main thread only, so call this from the main thread of a process.
        env_id: as it was given; None: the one that ``env`` was registered with, which lacks the module of ``module:id``.

    Returns:
        The trajectory, a `PlayedText` if the environment is one of texts and a `FieldTrajectory` unless it is a grid; or a
        Failure whose reason is ``"time limit"``, the exception's name and message, or what keeps the episode from being
        recorded (the ``step`` of `anyorder.envs.episode.Episode`, `anyorder.envs.recording.FieldEpisode`,
        `anyorder.envs.telling.TextEpisode`).

    Raises:
        AnyOrderError: when the expert cannot play this environment, such as the bot on a level that is not BabyAI's, when
            the environment's first observation cannot be recorded, or when the call comes from another thread.
    """
    if env_id is None:
        assert env.spec is not None  # `make_environments` has made it
        env_id = env.spec.id
    try:
        with _wall_time(time_limit):
            return _play(env, expert, seed, env_id)
    except _TimeLimitReached:
        return Failure(seed, TIME_LIMIT)
    except EpisodeFailed as failed:
        return Failure(seed, failed.reason)
    except AnyOrderError:
        raise
    except Exception as error:  # a level or a policy may raise anything; the manifest records it
        return Failure(seed, reason_of(error))


def _play(env: gym.Env, expert: Expert, seed: int, env_id: str) -> Trajectory | FieldTrajectory | PlayedText:
    episode = begin_episode(env, env_id, seed)
    act = expert(env, seed)
    while not episode.over:
        episode.step(act(episode.views[-1]))
    return episode.trajectory()


@contextlib.contextmanager
def _wall_time(seconds: float) -> Iterator[None]:
    """Raise _TimeLimitReached in the body after so many seconds, and again every second in case the body catches it."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        raise AnyOrderError("episodes must be played in the main thread of a process, on Linux or macOS (for SIGALRM)")

    def ring(*_: object) -> None:
        raise _TimeLimitReached

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@dataclass(frozen=True)
class ExpertSource:
    """An episode source: experts in ``num_processes`` processes (None: one per CPU; 1: only this process).

    A call from outside the main thread, where no time limit can be kept, always uses another process. The number of
    processes changes the speed, never the episodes (except for those near the time limit).
    """

    env_id: str
    policy: str = "bot"
    noise: float = 0.0
    time_limit: float = 10.0
    num_processes: int | None = None

    def __call__(self, seeds: Sequence[int]) -> Iterator[EpisodeResult]:
        """Yield one result per seed, in order.

        Raises:
            AnyOrderError: for an unknown environment or policy (at the call, before any process is started), or
                when a process died.
        """
        _tools(self)
        num_processes = min(self.num_processes or num_cores(), -(-len(seeds) // _CHUNK))
        if num_processes > 1 or threading.current_thread() is not threading.main_thread():
            return _in_processes(partial(_play_seeds, self), seeds, num_processes)
        return (_play_seed(self, seed) for seed in seeds)


@lru_cache(maxsize=1)
def _tools(source: ExpertSource) -> tuple[tuple[gym.Env, ...], Expert]:
    """The environments and the expert, made once per process."""
    expert = make_expert(source.policy, source.noise)
    return make_environments(source.env_id), expert


def _play_seed(source: ExpertSource, seed: int) -> EpisodeResult:
    envs, expert = _tools(source)
    env_id = minigrid.level_of(source.env_id, seed)
    return play_episode(envs[seed % len(envs)], expert, seed, source.time_limit, env_id)


def _play_seeds(source: ExpertSource, seeds: Sequence[int]) -> list[EpisodeResult]:
    return [_play_seed(source, seed) for seed in seeds]


def _in_processes(
    play: Callable[[Sequence[int]], list[EpisodeResult]], seeds: Sequence[int], num_processes: int
) -> Iterator[EpisodeResult]:
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    early: dict[int, list[EpisodeResult]] = {}
    number = 0
    with contextlib.closing(
        share_out(partial(_with_modules, allowed_modules(), play), chunks, num_processes, ahead=2)
    ) as results:
        for index, result in results:
            if isinstance(result, WorkerDied):
                raise AnyOrderError(
                    "a process that played episodes died (out of memory? a script without `if __name__ == '__main__':`?);"
                    " run the same again to continue, with fewer processes"
                )
            early[index] = result
            while number in early:
                yield from early.pop(number)
                number += 1


def _with_modules(
    modules: Sequence[str], play: Callable[[Sequence[int]], list[EpisodeResult]], seeds: Sequence[int]
) -> list[EpisodeResult]:
    allow_only(modules)  # the user's word, in another process
    return play(seeds)

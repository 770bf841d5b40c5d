"""How episodes are played: in this process or in several, each episode within a limit of wall time.

An :data:`EpisodeSource` is anything that plays episodes: called with seeds, it yields one result per seed, in the
order of the seeds. :class:`ExpertSource` lets experts play; `anyorder.acting.rollout.policy_source` a trained policy.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from anyorder.data.manifest import Failure
from anyorder.envs import minigrid
from anyorder.envs.experts import Expert, make_expert
from anyorder.errors import AnyOrderError
from anyorder.processes import WorkerDied, num_cores, share_out
from anyorder.types import Trajectory

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)

EpisodeSource = Callable[[Sequence[int]], Iterable[Trajectory | Failure]]

TIME_LIMIT = "time limit"  # the reason of a Failure
_CHUNK = 16  # episodes sent to a process at once: tens of milliseconds of work


class _TimeLimitReached(BaseException):
    """Not an Exception, so that a policy's ``except Exception`` does not catch it."""


def play_episode(env: gym.Env, expert: Expert, seed: int, time_limit: float) -> Trajectory | Failure:
    """Play one episode to its end, successful or not.

    Args:
        env: an environment that ``make_env`` made; it is reset with ``seed``.
        expert: called with the environment and the seed after the reset.
        time_limit: seconds of wall time, kept with SIGALRM: the bot of minigrid can loop without end. Python delivers
            signals to the main thread only, so call this from the main thread of a process.

    Returns:
        The trajectory; or a Failure whose reason is ``"time limit"`` or the exception's name and message.

    Raises:
        AnyOrderError: when the expert cannot play this environment, such as the bot on a level that is not BabyAI's,
            or when the call comes from another thread.
    """
    try:
        with _wall_time(time_limit):
            return _play(env, expert, seed)
    except _TimeLimitReached:
        return Failure(seed, TIME_LIMIT)
    except AnyOrderError:
        raise
    except Exception as error:  # a level or a policy may raise anything; the manifest records it
        return Failure(seed, _reason(error))


def _play(env: gym.Env, expert: Expert, seed: int) -> Trajectory:
    view = minigrid.reset(env, seed)
    act = expert(env, seed)
    views, actions, rewards = [view], [], []
    terminated = truncated = False
    while not (terminated or truncated):
        action = act(view)
        observation, reward, terminated, truncated, _ = env.step(action)
        view = minigrid.read_view(observation)
        views.append(view)
        actions.append(action)
        rewards.append(reward)
    assert env.spec is not None  # `make_env` has made it
    return Trajectory(
        env_id=env.spec.id,
        seed=seed,
        mission=view.mission,
        observations=np.stack([view.image for view in views]),
        directions=np.array([view.direction for view in views], np.uint8),
        actions=np.array(actions, np.uint8),
        rewards=np.array(rewards, np.float32),
        terminated=bool(terminated),
        truncated=bool(truncated),
    )


def _reason(error: Exception) -> str:
    # The bot's assertions have no message; then the line of code that failed is the reason.
    frames = traceback.extract_tb(error.__traceback__)
    message = str(error) or (frames[-1].line if frames else "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


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

    def __call__(self, seeds: Sequence[int]) -> Iterator[Trajectory | Failure]:
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
    return minigrid.make_envs(source.env_id), expert


def _play_seed(source: ExpertSource, seed: int) -> Trajectory | Failure:
    envs, expert = _tools(source)
    return play_episode(envs[seed % len(envs)], expert, seed, source.time_limit)


def _play_seeds(source: ExpertSource, seeds: Sequence[int]) -> list[Trajectory | Failure]:
    return [_play_seed(source, seed) for seed in seeds]


def _in_processes(
    play: Callable[[Sequence[int]], list[Trajectory | Failure]], seeds: Sequence[int], num_processes: int
) -> Iterator[Trajectory | Failure]:
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    early: dict[int, list[Trajectory | Failure]] = {}
    number = 0
    with contextlib.closing(share_out(play, chunks, num_processes, ahead=2)) as results:
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

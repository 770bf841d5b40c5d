"""Episodes of a few steps: an untrained policy would play each to its limit."""

import pytest

from anyorder.envs import minigrid  # noqa: F401  (first: it silences what the next import prints)

from minigrid.minigrid_env import MiniGridEnv  # isort: skip


@pytest.fixture(scope="module")
def short_episodes():
    """Twelve steps at most."""
    before = MiniGridEnv.reset

    def reset(self, **options):
        outcome = before(self, **options)
        self.max_steps = 12
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MiniGridEnv, "reset", reset)
        yield

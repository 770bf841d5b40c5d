"""Small things that many tests need: toy trajectories, a handful of real ones, a tiny model."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
import toy_levels as levels_of_users
from toy_conversations import byte_level, wordpiece

from anyorder.config import ModelConfig
from anyorder.data.episodes import ExpertSource
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.text.codec import TextCodec
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.types import Trajectory

from minigrid.minigrid_env import MiniGridEnv  # isort: skip  (after anyorder.envs, which silences what it prints)

torch.set_num_threads(1)

pytest_plugins = ["browser"]


@pytest.fixture(autouse=True)
def no_module_stays_allowed(monkeypatch):
    """A command lets the modules that its user names run from then on, in this process and those that it starts."""
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")


def pytest_collection_modifyitems(config, items):
    """Slow tests and those that need more than a plain computer run only when asked for with ``-m``."""
    if not config.option.markexpr:
        costly = [item for item in items if any(map(item.get_closest_marker, ("slow", "gpu", "cluster")))]
        config.hook.pytest_deselected(items=costly)
        items[:] = [item for item in items if item not in costly]


TINY = ModelConfig(width=16, num_layers=2, num_heads=2)


@pytest.fixture(scope="session")
def make_trajectory():
    """``make_trajectory(num_actions, ...)``: random values that MiniGrid could show."""

    def make(num_actions, view=(3, 3), mission="go to the ball", seed=0):
        generator = np.random.default_rng(seed)
        observations = generator.integers([11, 6, 4], size=(num_actions + 1, *view, 3)).astype(np.uint8)
        return Trajectory(
            env_id="toy",
            seed=seed,
            mission=mission,
            observations=observations,
            directions=generator.integers(4, size=num_actions + 1).astype(np.uint8),
            actions=generator.integers(7, size=num_actions).astype(np.uint8),
            rewards=np.zeros(num_actions, np.float32),
            terminated=True,
            truncated=False,
        )

    return make


@pytest.fixture(scope="session")
def damaged_batch(make_trajectory):
    """``damaged_batch([5, 3], damage)``: toy trajectories of so many actions that have lost something, as one batch."""

    def make(lengths, damage, **options):
        trajectories = [make_trajectory(length, seed=seed, **options) for seed, length in enumerate(lengths)]
        vocabulary = GridVocabulary.of(trajectories)
        return EncodedTrajectories([damage(one) for one in trajectories], vocabulary).batch(range(len(lengths)))

    return make


@pytest.fixture(scope="session")
def make_batch(make_trajectory):
    """``make_batch([5, 3], ...)``: toy trajectories of so many actions as one padded batch."""

    def make(lengths, **options):
        trajectories = [make_trajectory(length, seed=seed, **options) for seed, length in enumerate(lengths)]
        return EncodedTrajectories(trajectories, GridVocabulary.of(trajectories)).batch(range(len(lengths)))

    return make


@pytest.fixture(scope="session")
def other_values():
    """``other_values(batch, at)``: another value of the same attribute wherever ``at`` is True."""

    def change(batch, at):
        vocabulary = GridVocabulary(("<unknown>", "ball", "go", "the", "to"))
        start = torch.tensor([vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute]
        size = torch.tensor([vocabulary.sizes[attribute] for attribute in Attribute])[batch.layout.attribute]
        return torch.where(at & batch.layout.present, start + (batch.values - start + 1) % size, batch.values)

    return change


@pytest.fixture(scope="session")
def trajectories():
    """Eight demonstrations of BabyAI's bot."""
    return list(ExpertSource("BabyAI-GoToRedBall-v0", num_processes=1)(range(8)))


@pytest.fixture(scope="session")
def vocabulary(trajectories):
    return GridVocabulary.of(trajectories)


@pytest.fixture(scope="session")
def encoded(trajectories, vocabulary):
    return EncodedTrajectories(trajectories, vocabulary)


@pytest.fixture(scope="session")
def make_model():
    """``make_model(view, vocabulary)``: tiny, in double precision so that equal means equal, and with noise on every
    parameter so that nothing is invisible because it starts at zero."""

    def make(view=(3, 3), vocabulary=GridVocabulary(("<unknown>", "ball", "go", "the", "to"))):
        torch.manual_seed(0)
        model = GridTransformer(TINY, vocabulary, view).double().eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "embedding" not in name:
                    parameter.add_(0.3 * torch.randn_like(parameter))
        return model

    return make


@pytest.fixture
def toy_levels():
    """Registers the environments of `toy_levels`."""
    levels_of_users.register()
    yield
    levels_of_users.unregister()


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


@pytest.fixture(scope="session")
def bert_codec():
    tokenizer = wordpiece()
    ids = [tokenizer.token_to_id(token) for token in ("[MASK]", "[SEP]", "[PAD]")]
    return TextCodec(tokenizer, *ids)


@pytest.fixture(scope="session")
def llada_codec():
    """Its padding equals its end."""
    tokenizer = byte_level()
    return TextCodec(tokenizer, tokenizer.token_to_id("<|mask|>"), tokenizer.token_to_id("<|endoftext|>"))


@pytest.fixture(params=["bert", "llada"])
def codec(request):
    return request.getfixturevalue(f"{request.param}_codec")

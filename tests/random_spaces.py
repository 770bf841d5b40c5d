"""Random nested spaces, and random episodes in them, with everything that is easily lost: NaN with a payload, empty texts,
infinities, values that were not recorded."""

import numpy as np
from gymnasium import spaces

from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.types import FieldTrajectory

CHARACTERS = "abcxyzäß漢🙂 /~"


def random_space(rng, depth=2, empty=True):
    """A space of at most ``depth`` levels of Dict and Tuple; with ``empty``, also Boxes without entries."""
    kind = rng.integers(0, 8 if depth else 6)
    if kind == 0:
        dtype = [np.int64, np.int32, np.uint8][rng.integers(3)]
        return spaces.Discrete(int(rng.integers(1, 9)), start=int(rng.integers(0, 5)), dtype=dtype)
    if kind == 1:
        shape = [(3,), (2, 2)][rng.integers(2)]
        start = rng.integers(-3, 3, shape)
        return spaces.MultiDiscrete(rng.integers(1, 7, shape), start=start)
    if kind == 2:
        return spaces.MultiBinary([4, (2, 3)][rng.integers(2)])
    if kind in (3, 4):
        dtype = [np.float32, np.float64, np.uint8, np.int16, np.int64][rng.integers(5)]
        shape = [(), (1,), (3,), (2, 3), (2, 2, 3), (0,)][rng.integers(6 if empty else 5)]
        bound = 10 if np.dtype(dtype).kind in "iu" else [np.inf, 2.5][rng.integers(2)]
        return spaces.Box(0 if dtype == np.uint8 else -bound, bound, shape, dtype)
    if kind == 5:
        return spaces.Text(int(rng.integers(1, 12)), min_length=0, charset=CHARACTERS)
    inner = [random_space(rng, depth - 1, empty) for _ in range(rng.integers(1, 4))]
    if kind == 6:
        return spaces.Tuple(inner)
    keys = ["arm", "a/b", "action", "tilde~", "z"]
    return spaces.Dict([(keys[i], one) for i, one in enumerate(inner)])


def sampled(space, rng, length):
    """Path -> array of ``length`` samples of a leaf, in its dtype."""
    if isinstance(space, spaces.Text):
        texts = ["".join(rng.choice(list(CHARACTERS), rng.integers(0, space.max_length + 1))) for _ in range(length)]
        return np.array(texts, dtype=f"<U{space.max_length}")
    shape = (length, *(space.shape or ()))
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        noise = rng.bytes(int(np.prod(shape)) * space.dtype.itemsize)
        drawn = rng.normal(size=shape).astype(space.dtype)
        return np.where(rng.random(shape) < 0.2, np.ndarray(shape, space.dtype, noise), drawn)
    return np.array([space.sample() for _ in range(length)], space.dtype).reshape(shape)


def random_episode(rng, observation_space, action_space, seed=0, with_absent=True):
    """A trajectory of 1 to 6 actions."""
    num_actions = int(rng.integers(1, 7))
    observations = {path: sampled(leaf, rng, num_actions + 1) for path, leaf in leaves(observation_space, OBSERVATION).items()}
    actions = {path: sampled(leaf, rng, num_actions) for path, leaf in leaves(action_space, ACTION).items()}
    recorded = {**observations, **actions}
    absent = {path: rng.random(array.shape) < 0.3 for path, array in recorded.items() if with_absent and rng.random() < 0.5}
    infos = {"energy": rng.normal(size=num_actions + 1), "word": np.array(["", "ß"] * num_actions)[:num_actions]}
    ends = np.arange(num_actions) == num_actions - 1
    terminated = rng.random() < 0.5
    return FieldTrajectory(
        *("Random-v0", seed, observations, actions, rng.normal(size=num_actions)),
        *(ends & terminated, ends & (not terminated)),
        mission=["", "go to the ß"][rng.integers(2)],
        success=[None, True, False][rng.integers(3)],
        absent=absent,
        infos=infos,
    )


def assert_equal_bits(ours, theirs, texts_by_value=False):
    """Every attribute of two trajectories is equal, to the bit; widths of texts may differ with ``texts_by_value``."""
    for name in ("env_id", "seed", "mission", "success"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("rewards", "terminations", "truncations"):
        _assert_same_array(name, getattr(ours, name), getattr(theirs, name), False)
    for name in ("observations", "actions", "absent", "infos"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert set(a) == set(b), (name, set(a) ^ set(b))
        for path in a:
            _assert_same_array(f"{name} {path}", a[path], b[path], texts_by_value)


def _assert_same_array(name, a, b, texts_by_value):
    assert a.shape == b.shape, (name, a.shape, b.shape)
    if texts_by_value and a.dtype.kind == b.dtype.kind == "U":
        assert a.tolist() == b.tolist(), name
        return
    assert a.dtype == b.dtype, (name, a.dtype, b.dtype)
    assert a.tobytes() == b.tobytes(), name

"""Data of CartPole, a tiny model of it, and what it takes to make them."""

import gymnasium as gym
import numpy as np

from anyorder.cli import main
from anyorder.data.field_storage import spaces_to_json, with_spec, write_field_shard
from anyorder.data.manifest import Manifest, Split, write_manifest
from anyorder.envs.recording import FieldEpisode

SPLITS = (("train", 0, 12), ("validation", 10_000_000, 3), ("test", 20_000_000, 5))
SIZES = {"width": 16, "num_layers": 1, "num_heads": 2, "max_frames": 16}


def played(env, seed):
    """A pole held up, badly: the action that its fall asks for, or one at random."""
    rng = np.random.default_rng(seed)
    episode = FieldEpisode(env, "CartPole-v1", seed)
    while not episode.over:
        _, _, angle, speed = episode.last_record["observation"]
        episode.step(int(angle + 0.3 * speed > 0) if rng.random() < 0.7 else int(rng.integers(2)))
    return episode.trajectory()


def cartpole_data(folder):
    """A data set in a folder that exists; returns it."""
    env, splits = gym.make("CartPole-v1"), {}
    for name, first, number in SPLITS:
        shard = write_field_shard(
            folder / f"{name}-{first:08d}.parquet",
            range(first, first + number),
            [played(env, seed) for seed in range(first, first + number)],
        )
        splits[name] = Split(first, first + number - 1, (shard,))
    spaces = spaces_to_json(env.observation_space, env.action_space)
    write_manifest(folder, Manifest("CartPole-v1", {"policy": "test"}, splits, content="fields", spaces=spaces))
    with_spec(folder)
    return folder


def cartpole_run(data, folder, num_updates=20):
    """A run of a tiny model, trained for a moment; returns its folder."""
    settings = [f"--element_model.{name}={value}" for name, value in SIZES.items()]
    training = {"num_updates": num_updates, "frames_per_batch": 128, "num_processes": 1, "learning_rate": 0.003}
    settings += [f"--training.{name}={value}" for name, value in training.items()]
    mixture = "{cell: 0.5, next_action: 0.2, next_step: 0.3}"
    main(["train", "--data.path", str(data), "--output_dir", str(folder), "--masking.mixture", mixture, *settings])
    return folder

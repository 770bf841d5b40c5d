"""Data sets of episodes in words: every seed is accounted for, whatever happens on the way."""

import json

import pytest
import toy_worlds  # noqa: F401  (registers its environments)

from anyorder.data.collect import CollectSpec, collect
from anyorder.data.manifest import Failure, read_manifest
from anyorder.data.text_storage import has_played, read_played_split, read_text_split
from anyorder.errors import AnyOrderError


def spec(env_id="ToyRow-v0", policy="gold", numbers=(6, 2, 3), **options):
    return CollectSpec(env_id, policy, *numbers, **options)


def test_all_splits_are_collected(tmp_path):
    manifest = collect(tmp_path, spec(), num_processes=1)
    assert (manifest.content, manifest.complete) == ("text", True) and has_played(tmp_path)
    assert {name: (split.num_episodes, split.num_successes) for name, split in manifest.splits.items()} == {
        "train": (6, 6),
        "validation": (2, 2),
        "test": (3, 3),
    }
    episodes = read_played_split(tmp_path, "test")
    assert [one.seed for one in episodes] == [20_000_000, 20_000_001, 20_000_002]
    assert [one.conversation() for one in episodes] == read_text_split(tmp_path, "test")


def test_failures_are_listed_and_the_rest_keeps_its_seeds(tmp_path):
    manifest = collect(tmp_path, spec("ToyRowFalling-v0", numbers=(6, 0, 0)), num_processes=1)
    assert manifest.splits["train"].failures == (Failure(3, "OSError: the row fell down"),)
    assert [one.seed for one in read_played_split(tmp_path, "train")] == [0, 1, 2, 4, 5]


def test_only_successes_are_kept_where_that_is_asked(tmp_path):
    manifest = collect(tmp_path, spec(policy="random", numbers=(30, 0, 0), successes_only=True), num_processes=1)
    kept = read_played_split(tmp_path, "train")
    assert 0 < len(kept) < 30 and all(one.success for one in kept)
    assert len(kept) + len(manifest.splits["train"].failures) == 30


def test_a_collection_that_lost_a_shard_is_continued(tmp_path):
    first = collect(tmp_path, spec(), num_processes=1)
    shard = tmp_path / first.splits["validation"].shards[0].file
    shard.unlink()
    assert collect(tmp_path, spec(), num_processes=1) == first and shard.exists()


def test_no_task_is_played_twice(tmp_path):
    with pytest.raises(AnyOrderError, match="ask for at most --num_episodes 40 --num_validation 10 --num_test 10"):
        collect(tmp_path, spec(numbers=(41, 0, 0)), num_processes=1)
    assert not (tmp_path / "manifest.json").exists()


def test_what_is_lost_of_numbers_is_not_lost_of_words(tmp_path):
    with pytest.raises(AnyOrderError, match="without takes values from grids and fields; ToyRow-v0 is played in words"):
        collect(tmp_path, spec(without={"cells": 0.5}), num_processes=1)


def test_damage_is_one_sentence(tmp_path):
    manifest = collect(tmp_path, spec(numbers=(2, 0, 0)), num_processes=1)
    assert read_manifest(tmp_path) == manifest
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["content"] = "grid"
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(AnyOrderError, match="the data set must be one of text; found one of grid"):
        read_played_split(tmp_path, "train")

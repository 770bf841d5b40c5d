"""Runs spread over a real Ray cluster of two machines, both here; run with ``pytest -m cluster`` (the extra ``cluster``)."""

import json
import os
import signal
import time
from functools import partial

import pytest

from anyorder.errors import AnyOrderError
from anyorder.studies.cluster import RayCluster
from anyorder.studies.engines import Lost

pytestmark = pytest.mark.cluster


def where(item):
    import ray

    time.sleep(1)
    return item, ray.get_runtime_context().get_node_id()


def dangerous(folder, item):
    """Item 1 kills its worker always, item 2 the first time."""
    first = not (folder / str(item)).exists()
    (folder / str(item)).touch()
    if item == 1 or (item == 2 and first):
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_both_machines_work(cluster):
    results = list(RayCluster(cluster.address)(where, range(6)))
    assert sorted(item for item, _ in results) == list(range(6))
    assert len({node for _, node in results}) == 2


def test_a_worker_that_dies_costs_no_other_and_is_tried_again(cluster, tmp_path):
    results = list(RayCluster(cluster.address)(partial(dangerous, tmp_path), range(5)))
    assert sorted(result for result in results if not isinstance(result, Lost)) == [0, 2, 3, 4]
    (lost,) = (result for result in results if isinstance(result, Lost))
    assert lost.item == 1 and lost.reason == "its worker died 2 times (WorkerCrashedError)"


def test_a_study_runs_there_and_repeats_nothing(cluster, study_file, run_study):
    out = study_file.parent / "out"
    assert run_study("--quick", "--cluster", cluster.address) == 2, "one arm is broken"
    found = json.loads((out / "quick" / "results.json").read_text())
    (table,) = found["tables"]
    assert [row["arm"] for row in table["rows"] if row["runs"]] == ["cell, mixed", "imitation"]
    assert [entry["run"] for entry in found["failed"]] == ["Red, 4 demonstrations, broken, seed 0"]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("effort.json")}
    assert len(before) == 2 and run_study("--quick", "--cluster", cluster.address) == 2
    assert {path: path.stat().st_mtime_ns for path in out.rglob("effort.json")} == before


def test_where_no_cluster_is_nothing_runs():
    with pytest.raises(AnyOrderError, match="there is no Ray cluster at '127.0.0.1:1' .*ray start --head"):
        next(RayCluster("127.0.0.1:1")(where, [0]))

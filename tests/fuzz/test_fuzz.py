"""Whatever stands in a file that is read: the reader succeeds, or says in one sentence what is wrong."""

import json
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import READERS, refusal

BUDGET = 40
"""Inputs for each kind of file; ``tests/campaign/fuzz.py`` tries as many as one likes."""


@pytest.mark.parametrize("kind", READERS)
def test_a_file_is_read_or_refused(kind):
    @settings(max_examples=BUDGET, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def check(random):
        with tempfile.TemporaryDirectory() as folder:
            refusal(READERS[kind], Path(folder), random)

    check()


@pytest.mark.parametrize("kind", READERS)
def test_what_is_valid_is_read(kind, tmp_path, monkeypatch):
    for module in ("readers", "recorded"):
        monkeypatch.setattr(f"{module}.mutated", lambda valid, random: valid)
        monkeypatch.setattr(f"{module}.as_json", lambda valid, random: json.dumps(valid))
    monkeypatch.setattr("readers.as_yaml", lambda valid, random: json.dumps(valid))
    if not kind.startswith("shards"):  # whose readers make mistakes of their own
        assert refusal(READERS[kind], tmp_path, Random(0)) is None

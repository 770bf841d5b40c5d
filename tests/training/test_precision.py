"""A run computes in bf16 only where that is quicker, says so, and goes on as it began."""

import pytest
import yaml

from anyorder.build import runs
from anyorder.build.runs import with_precision
from anyorder.config import RunConfig, TrainingConfig
from anyorder.training import precision
from anyorder.training.precision import quickest_precision


@pytest.mark.parametrize(("fp32", "bf16", "wanted"), [(4.0, 1.0, "bf16"), (1.2, 1.0, "no"), (1.0, 70.0, "no")])
def test_bf16_must_be_much_faster(monkeypatch, fp32, bf16, wanted):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    seconds = {precision.torch.float32: fp32, precision.torch.bfloat16: bf16}
    monkeypatch.setattr(precision, "_seconds", seconds.__getitem__)
    assert quickest_precision() == wanted


def test_accelerates_choice_counts(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    assert quickest_precision() == "fp16"


def test_a_run_goes_on_in_the_precision_in_which_it_began(monkeypatch, tmp_path):
    config = RunConfig(training=TrainingConfig(mixed_precision="auto"))
    monkeypatch.setattr(runs, "quickest_precision", lambda: "bf16")
    assert with_precision(config, tmp_path).training.mixed_precision == "bf16"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"training": {"mixed_precision": "no"}}))
    assert with_precision(config, tmp_path).training.mixed_precision == "no"
    asked = RunConfig(training=TrainingConfig(mixed_precision="fp16"))
    assert with_precision(asked, tmp_path) is asked

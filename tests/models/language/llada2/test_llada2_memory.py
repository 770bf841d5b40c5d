"""What LLaDA2 takes in memory: against counts by hand, and against models that exist."""

from pathlib import Path

import pytest
from toy_llada2 import CONFIGURATIONS, random_model, settings

from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.checkpoint import read_configuration
from anyorder.models.language.llada2.lora import llada2_lora
from anyorder.models.language.llada2.memory import COSTS, LORA_RANK, Parameters, memory, num_gpus_needed

MODELS = Path(__file__).parents[4] / "configs" / "models"


def test_the_published_sizes():
    """LLaDA2.0-mini: half the published bytes, less the 256 biases of 19 routers, which are not learned; by hand."""
    mini = Parameters.of(read_configuration(MODELS / "llada2_mini.yaml"))
    expert, layers = 3 * 2048 * 512, 19
    assert mini.total == 32511286784 // 2 - 19 * 256
    assert mini.active == mini.total - layers * (256 - 8) * expert
    assert mini.layer == 2048 * (3072 + 2048) + 2 * 2048 + 2 * 128 + 257 * expert + 256 * 2048
    of_experts = layers * 256 * ((2048 + 1024) + (512 + 2048))
    of_mlps = layers * 3 * (2048 + 512) + 3 * (2048 + 5120)
    assert mini.adapters == LORA_RANK * (of_experts + of_mlps + 20 * ((2048 + 3072) + (2048 + 2048)))
    flash = Parameters.of(read_configuration(MODELS / "llada2_flash.yaml"))
    assert flash.total == pytest.approx(100e9, rel=0.03) and flash.active == pytest.approx(6e9, rel=0.03)
    assert mini.total == pytest.approx(16e9, rel=0.03) and mini.active == pytest.approx(1.4e9, rel=0.03)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_model_has_what_is_counted(name):
    model = random_model(name)
    count = Parameters.of(model.config)
    assert count.total == sum(parameter.numel() for parameter in model.parameters())
    model.add_adapter(llada2_lora(LORA_RANK))
    assert count.adapters == sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def test_without_experts_all_parameters_work():
    count = Parameters.of(LLaDA2MoeConfig(**settings("a") | {"num_experts": None}))
    assert count.active == count.total


def test_bytes_by_hand():
    config = read_configuration(MODELS / "llada2_mini.yaml")
    count = Parameters.of(config)
    full = memory(config, count, "full", num_gpus=8, tokens=1000, asked=100)
    assert (full.weights, full.gradients, full.optimizer) == (count.total / 2, count.total / 2, count.total)
    assert full.layers == 3 * 2 * count.layer
    numbers = 8 * 2048 + 4 * 16 * 128 + 8 * (2 * 2048 + 4 * 512)
    assert full.batch == 1000 * 2 * (20 * 2048 + 2 * numbers) + 100 * 157184 * 12
    adapted = memory(config, count, "lora", num_gpus=4)
    assert adapted.weights == (2 * count.total + 4 * count.adapters) / 4
    assert (adapted.gradients, adapted.optimizer) == (count.adapters, 2 * count.adapters)
    assert full.total == full.weights + full.gradients + full.optimizer + full.layers + full.batch


def test_what_fits_where():
    config = read_configuration(MODELS / "llada2_mini.yaml")
    count = Parameters.of(config)
    needed = {training: num_gpus_needed(config, count, training) for training in COSTS}
    assert needed == {"full": 4, "full, bfloat16": 2, "lora": 1, "inference": 1}
    for training, num_gpus in needed.items():
        assert memory(config, count, training, num_gpus).total <= 0.9 * 80 * 2**30
        assert num_gpus == 1 or memory(config, count, training, num_gpus // 2).total > 0.9 * 80 * 2**30
    assert num_gpus_needed(config, count, "full", gib=5) is None, "the layers at work alone are larger"

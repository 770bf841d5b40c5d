"""Every configuration in the repository says what the program does, and can be run."""

import inspect
import json
from dataclasses import asdict, replace
from pathlib import Path

import accelerate.utils.launch
import pytest
import yaml
from accelerate import DistributedType
from accelerate.commands.config.config_args import load_config_from_file

from anyorder.build.masking import strategy_schedule
from anyorder.build.pretrained import architecture_of
from anyorder.commands.train import train_parser
from anyorder.config import RunConfig
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.masking.strategies import Mixture
from anyorder.models.language.llada2.checkpoint import expected_shapes, read_configuration
from anyorder.options import parse
from anyorder.studies.promises import read_promises
from anyorder.studies.study_file import read_study

CONFIGS = Path(__file__).parent.parent / "configs"
MODELS = sorted(CONFIGS.glob("models/*.yaml"))
DIVIDED = CONFIGS / "accelerate" / "fsdp2.yaml"
LLADA2 = sorted(CONFIGS.glob("models/llada2_*.yaml"))
STUDIES = [CONFIGS / "ablations.yaml", *sorted(CONFIGS.glob("studies/*.yaml"))]
RUNS = [CONFIGS / "base_config.yaml", CONFIGS / "quickstart.yaml", *sorted(CONFIGS.glob("experiments/*.yaml")), *MODELS]


def read(path):
    chosen = parse(train_parser(), ["--config", str(path)])
    return RunConfig(chosen.data, chosen.masking, chosen.model, chosen.language_model, chosen.training)


def test_every_file_is_checked_here():
    assert {*RUNS, *STUDIES, DIVIDED, CONFIGS / "promises.yaml"} == set(CONFIGS.rglob("*.yaml"))


def test_accelerate_divides_among_eight_as_its_configuration_says():
    config = load_config_from_file(str(DIVIDED))
    assert (config.distributed_type, config.num_processes, config.num_machines) == (DistributedType.FSDP, 8, 1)
    asked = {name: config.fsdp_config[name] for name in ("fsdp_version", "fsdp_cpu_ram_efficient_loading")}
    assert asked == {"fsdp_version": 2, "fsdp_cpu_ram_efficient_loading": True}
    known = inspect.getsource(accelerate.utils.launch)
    assert all(name in known for name in config.fsdp_config), "a name that Accelerate does not read would be ignored"


@pytest.mark.parametrize("path", LLADA2, ids=lambda path: path.stem)
def test_every_llada2_is_one_that_is_computed(path):
    assert len(expected_shapes(read_configuration(path))) > 100


@pytest.mark.parametrize("name", ["mini", "flash"])
def test_the_published_checkpoints_are_what_their_files_say(name, tmp_path):
    settings = read(CONFIGS / "models" / f"llada2_{name}.yaml").language_model
    (tmp_path / "config.json").write_text(json.dumps(settings.architecture))
    there = replace(settings, checkpoint=str(tmp_path))
    assert architecture_of(there, tmp_path).num_experts == 256
    for key, wrong in {"rope_theta": 1e4, "hidden_size": 1024, "partial_rotary_factor": 1.0}.items():
        with pytest.raises(AnyOrderError, match=f"architecture says {key}|rotary"):
            architecture_of(replace(there, architecture={**settings.architecture, key: wrong}), tmp_path)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_model_file_trains_a_language_model(path):
    config = read(path)
    assert config.language_model.checkpoint or config.language_model.architecture


def test_the_base_config_names_every_default():
    path = CONFIGS / "base_config.yaml"
    written, defaults = yaml.safe_load(path.read_text()), asdict(RunConfig())
    assert {group: list(keys or ()) for group, keys in written.items()} == {
        group: list(keys or ()) for group, keys in defaults.items()
    }
    assert read(path) == RunConfig()


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_run_has_a_strategy_from_beginning_to_end(path):
    strategy_at = strategy_schedule(read(path).masking)
    assert all(isinstance(strategy_at(progress), Mixture) for progress in (0.0, 0.5, 1.0))


def test_the_schedule_rises_in_three_equal_parts():
    config = read(CONFIGS / "experiments" / "scheduled_masking.yaml")
    assert config.masking.mask_prob == {"step": [0.15, 0.30, 0.50]}


@pytest.mark.parametrize("written", ["2e-3", "0.002", "2.0e-3"])
def test_numbers_are_read_as_numbers(tmp_path, written):
    path = tmp_path / "config.yaml"
    path.write_text(f"training: {{learning_rate: {written}}}")
    assert read(path).training.learning_rate == 0.002


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_compares_arms_that_are_matched(tmp_path, path, quick):
    study = read_study(path, quick, tmp_path)
    matched = {(run.level.name, run.size, run.seed): set() for run in study.runs()}
    for run in study.runs():
        # What is learned beside the demonstrations, or was before, is what is compared.
        labelled, training = replace(run.config.data, sets=None, share=None), replace(run.config.training, init_from=None)
        matched[run.level.name, run.size, run.seed].add(str((labelled, training, run.config.model)))
    assert all(len(settings) == 1 for settings in matched.values())
    across = [arm for places in study.across.values() for _, arm in places]
    fillers = {one.filled_by for arm in study.arms for one in arm.sets.values() if one.filled_by}
    compared = {*across, *(name for names in study.comparisons.values() for name in names)}
    assert compared <= {arm.name for arm in study.arms} <= compared | fillers
    assert len({(arm.evaluation.num_episodes, arm.evaluation.first_seed) for arm in study.arms}) == 1


@pytest.mark.parametrize("quick", [False, True])
def test_the_ablations_are_the_four_that_are_planned(tmp_path, quick):
    study = read_study(CONFIGS / "ablations.yaml", quick, tmp_path)
    assert [*study.comparisons, *study.across] == [
        "Hiding rate",
        "Cell against attribute",
        "Scheduled against fixed",
        "Several environments",
    ]
    masking = {arm.name: arm.config.masking for arm in study.arms}
    rates = {title: [masking[name].mask_prob for name in names] for title, names in study.comparisons.items()}
    assert sorted(rates["Hiding rate"]) == [0.15, 0.30, 0.50]
    assert [set(masking[name].mixture) for name in study.comparisons["Cell against attribute"]] == [
        {"cell", "next_action"},
        {"attribute", "next_action"},
    ]
    fixed, *scheduled = rates["Scheduled against fixed"]
    assert fixed == 0.30 and [key for rate in scheduled for key in rate] == ["linear", "cosine", "step"]
    played = {(run.level.data.env, run.test_on) for run in study.runs() if run.test_on}
    unseen = ("BabyAI-OpenDoor-v0", "BabyAI-GoToObj-v0", "BabyAI-GoToLocal-v0")
    assert played == {("BabyAI-GoToRedBall-v0", unseen), ("BabyAI-GoToRedBall-v0+BabyAI-PickupLoc-v0", unseen)}
    assert len({(run.config.training.num_updates, run.level.data.num_episodes) for run in study.runs()}) == 1
    # Each arm is trained once for every experiment that needs it.
    assert len(study.runs()) == 9 * len(study.seeds) and len(study.seeds) > 1


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_quick_study_is_shorter(tmp_path, path):
    whole, quick = (read_study(path, quick, tmp_path) for quick in (False, True))
    assert [arm.name for arm in quick.arms] == [arm.name for arm in whole.arms] and quick.levels == whole.levels
    length = [study.runs()[0].config.training for study in (quick, whole)]
    assert (length[0].num_updates or 0, length[0].num_epochs) < (length[1].num_updates or 0, length[1].num_epochs)
    assert len(quick.runs()) <= len(whole.runs())
    assert quick.arms[0].evaluation.num_episodes < whole.arms[0].evaluation.num_episodes


def test_promises_are_shares_of_what_is_measured():
    promises = read_promises(CONFIGS / "promises.yaml")
    assert promises and all(0 < promise.at_least <= (promise.aim or 1) <= 1 for promise in promises)
    assert {promise.metric.split(".")[0] for promise in promises} <= {"smoothing", "next_action", "task_success"}
    assert EvaluationConfig().metric == "all", "whoever checks promises has everything measured"

"""What a study's file may say, and how it is told what it may not."""

import pytest
import yaml

from anyorder.errors import AnyOrderError
from anyorder.studies.study_file import merged, read_study

STUDY = {
    "base": {"training": {"learning_rate": 1e-3}},
    "levels": {"Red": {"env": "BabyAI-GoToRedBall-v0", "data": "data/red", "num_episodes": 100}},
    "sizes": [10, None],
    "updates": 50,
    "seeds": [3, 4],
    "evaluation": {"num_episodes": 20},
    "arms": {
        "a": {"masking": {"mixture": {"next_action": 1}}},
        "b": {"masking": {"mask_prob": 0.5}, "evaluation": {"metric": "dynamics"}},
    },
    "comparisons": {"Both": ["a", "b"]},
    "quick": {"seeds": [3], "base": {"training": {"learning_rate": 2e-3}}},
}


@pytest.fixture
def read(tmp_path):
    """``read(change)``: STUDY with a change laid over it."""

    def read(change=None, quick=False):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(merged(STUDY, change or {}), sort_keys=False))
        return read_study(tmp_path / "study.yaml", quick, tmp_path / "out")

    return read


def test_runs_are_all_combinations_with_their_settings(read, tmp_path):
    runs = read().runs()
    assert [(run.seed, run.size, run.arm.name) for run in runs] == [
        (seed, size, arm) for seed in (3, 4) for size in (10, None) for arm in ("a", "b")
    ]
    first = runs[0]
    assert first.folder == tmp_path / "out" / "Red" / "10_demonstrations" / "a" / "seed_3"
    assert (first.config.data.path, first.config.data.num_demonstrations) == ("data/red", 10)
    training = first.config.training
    assert (training.seed, training.num_updates, training.learning_rate) == (3, 50, 1e-3)
    assert (training.num_processes, training.num_threads) == (1, 1), "runs share the cores, one each"
    assert first.config.masking.mixture == {"next_action": 1}, "a mixture is replaced, not merged"
    assert [(arm.evaluation.metric, arm.evaluation.num_episodes) for arm in read().arms] == [("all", 20), ("dynamics", 20)]
    assert len({run.folder for run in runs}) == len(runs)


def test_a_level_may_have_seeds_of_its_own(read):
    other = {"env": "BabyAI-PickupLoc-v0", "data": "data/loc", "num_episodes": 100, "seeds": [4, 7]}
    runs = read({"levels": {"Loc": other}}).runs()
    found = list(dict.fromkeys((run.level.name, run.seed) for run in runs))
    assert found == [("Red", 3), ("Red", 4), ("Loc", 4), ("Loc", 7)]


def test_runs_read_their_data_as_the_base_says(read):
    data = {"hindsight": 6, "fields": {"observation_bins": 32}}
    for run in read({"base": {"data": data}}).runs():
        assert (run.config.data.hindsight, run.config.data.fields.observation_bins) == (6, 32)
        assert (run.config.data.path, run.config.data.num_demonstrations) == ("data/red", run.size)


def test_an_arm_may_start_from_a_checkpoint(read):
    arms = read({"arms": {"b": {"training": {"init_from": "outputs/all/checkpoints/best.pt"}}}}).arms
    assert [arm.config.training.init_from for arm in arms] == [None, "outputs/all/checkpoints/best.pt"]


def test_a_run_may_start_from_the_checkpoint_of_its_seed(read):
    study = read({"seeds": [3, 14], "arms": {"b": {"training": {"init_from": "outputs/seed_{seed}/best.pt"}}}})
    started = {(run.arm.name, run.seed): run.config.training.init_from for run in study.runs()}
    assert [started["b", seed] for seed in (3, 14)] == ["outputs/seed_3/best.pt", "outputs/seed_14/best.pt"]
    assert [path for (arm, _), path in started.items() if arm != "b"] == [None, None]


def test_a_level_may_have_arms_and_an_arm_unseen_environments_of_its_own(read, tmp_path):
    both = {"env": "BabyAI-GoToRedBall-v0+BabyAI-PickupLoc-v0", "data": "data/both", "num_episodes": 100}
    change = {
        "levels": {"Red": {"test_on": ["x"]}, "Both": {**both, "test_on": ["x", "y"], "arms": ["b"]}},
        "arms": {"a": {"test_on": ["z"]}},
        "sizes": [None],
        "unseen_episodes": 7,
        "comparisons": {"Levels": [{"Red": "a"}, {"Both": "b"}]},
    }
    study = read(change)
    assert (study.comparisons, study.across) == ({"Both": ["a", "b"]}, {"Levels": [("Red", "a"), ("Both", "b")]})
    runs = [run for run in study.runs() if run.seed == 3]
    assert [(run.level.name, run.arm.name, run.test_on, run.unseen_episodes) for run in runs] == [
        ("Red", "a", ("z",), 7),
        ("Red", "b", ("x",), 7),
        ("Both", "b", ("x", "y"), 7),
    ]
    assert {run.unseen_episodes for run in read().runs()} == {20} and runs[0].curve_episodes == 0


FILMS = {
    "levels": {
        "Red": {
            "more": {
                "truth": {"data": "data/truth", "seed": 100, "num_episodes": 40},
                "films": {"data": "data/films", "recorded": "data/truth", "without": "actions"},
                "play": {"data": "data/play", "policy": "random"},
            }
        }
    },
    "arms": {
        "filled": {"sets": {"films": {"filled_by": "a", "share": 0.6}, "play": {"share": 0.3, "masking": {"mask_prob": 0.2}}}},
        "lucky": {"sets": {"play": {"episodes": "successes"}}},
        "twice": {"sets": {"films": {"filled_by": "filled"}}},
    },
}


def test_arms_may_learn_from_more_and_wait_for_those_that_fill_it_in(read, tmp_path):
    study = read(FILMS)
    (level,) = study.levels
    truth, films, play = level.more.values()
    assert (truth.env, truth.num_episodes, truth.num_validation, truth.num_test) == ("BabyAI-GoToRedBall-v0", 40, 0, 0)
    assert (films.recorded, films.without, play.policy) == ("data/truth", "actions", "random")
    runs = {run.arm.name: run for run in study.runs() if (run.seed, run.size) == (4, 10)}
    assert {name: run.stage for name, run in runs.items()} == {"a": 0, "b": 0, "lucky": 0, "filled": 1, "twice": 2}
    assert runs["a"].config.data.sets is None and not runs["a"].fills
    filled = runs["filled"]
    (fill,) = filled.fills.values()
    assert fill.checkpoint == str(runs["a"].folder / "checkpoints" / "best.pt") and fill.truth == "data/truth"
    assert [one.path for one in filled.config.data.sets] == [fill.output_dir, "data/play"]
    assert fill.output_dir.startswith(str(runs["a"].folder)), "each model that fills in has its own result"
    assert filled.config.data.shares == pytest.approx([0.1, 0.6, 0.3])
    assert filled.config.data.sets[1].masking.mask_prob == 0.2
    assert [one.episodes for run in (filled, runs["lucky"]) for one in run.config.data.sets] == ["all", "all", "successes"]
    assert runs["twice"].fills["films"].checkpoint.startswith(str(filled.folder))


def test_arms_may_have_thresholds_of_their_own_for_what_the_same_model_fills_in(read):
    def fill(threshold):
        arms = {"filled": {"sets": {"films": {"filled_by": "a", "threshold": threshold, "share": 0.6}}}}
        run = next(run for run in read(merged(FILMS, {"arms": arms})).runs() if run.arm.name == "filled")
        return run.fills["films"]

    (usual, everything), chosen = (fill(None), fill(0)), fill(0.25)
    assert [one.threshold for one in (usual, everything, chosen)] == [0.5, 0, 0.25]
    assert len({one.output_dir for one in (usual, everything, chosen)}) == 3
    with pytest.raises(AnyOrderError, match="between 0 and 1; found 1.5"):
        fill(1.5)


def test_a_run_waits_for_the_run_whose_weights_it_starts_from(read):
    folder = read().folder
    (first,) = {run.folder for run in read().runs() if (run.arm.name, run.size, run.seed) == ("a", 10, 4)}
    assert first.is_relative_to(folder)
    start = {"training": {"init_from": str(first / "checkpoints" / "best.pt")}}
    stages = {(run.arm.name, run.size, run.seed): run.stage for run in read({"arms": {"b": start}}).runs()}
    assert {run for run, stage in stages.items() if stage} == {run for run in stages if run[0] == "b"}
    with pytest.raises(AnyOrderError, match="may not start from each other's models; found .*/a/.*; change an init_from"):
        read({"arms": {"a": start}}).runs()


def test_quick_changes_the_study(read):
    quick = read(quick=True)
    assert list(quick.seeds) == [3] and quick.arms[0].config.training.learning_rate == 2e-3


def test_updates_may_differ_between_sizes(read):
    runs = read({"updates": {10: 5, None: 60}}).runs()
    assert {(run.size, run.config.training.num_updates) for run in runs} == {(10, 5), (None, 60)}


def test_without_updates_epochs_count(read):
    assert {run.config.training.num_updates for run in read({"updates": None}).runs()} == {None}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"arm": {}}, ["a study must have the keys levels, seeds, arms, comparisons and may have base", "found", "arm"]),
        ({"arms": {"a": {"masking": {"mask_prop": 0.1}}}}, ["arms.a", "mask_prop"]),
        ({"arms": {"a": {"masking": {"mixture": {"cel": 1}}}}}, ["a strategy must be one of", "found cel"]),
        ({"arms": {"a": {"data": {"path": "elsewhere"}}}}, ["arms.a: arms must be matched, so none may change data.path"]),
        ({"arms": {"a": {"training": {"num_updates": 9}}}}, ["none may change training.num_updates"]),
        ({"arms": {"a": {"evaluation": {"metric": "luck"}}}}, ["arms.a: evaluation", "luck"]),
        ({"arms": ["a"]}, ["arms must be {key: value, ...}", "found ['a']"]),
        ({"arms": {"a b": {}, "a_b": {}}}, ["arms must have names that differ as folders"]),
        ({"levels": {"Red": {"num_episode": 5}}}, ["levels.Red", "num_episode"]),
        ({"levels": {"Red": {"seeds": [-1]}}}, ["levels.Red.seeds must be a list of whole numbers; found [-1]"]),
        ({"levels": {"Blue": {"env": "x"}}}, ["levels.Blue must have env and data; data is missing"]),
        ({"sizes": 10}, ["sizes must be a list of whole numbers", "found 10"]),
        ({"sizes": [101]}, ["found 101, but levels.Red has 100"]),
        ({"seeds": [None]}, ["seeds must be a list of whole numbers"]),
        ({"updates": 0}, ["updates must be a whole number of at least 1, or one for each of the sizes 10, None; found 0"]),
        ({"updates": {10: 5}}, ["one for each of the sizes 10, None", "found {10: 5}"]),
        ({"levels": {"Red": {"arms": ["a", "c"]}}}, ["levels.Red.arms names unknown arms: c; the arms are a, b"]),
        ({"levels": {"Red": {"test_on": "x"}}}, ["levels.Red.test_on must be a list of names; found 'x'"]),
        ({"comparisons": {"Both": [{"Red": "a"}, "b"]}}, ["must name a level for all of its arms or for none"]),
        (
            {"comparisons": {"Both": [{"Blue": "a"}, {"Red": "b"}]}},
            ["comparison Both names arms that are not trained at their level: Blue: a"],
        ),
        ({"comparisons": {"Both": [{}, "b"]}}, ["must name a level for all of its arms or for none"]),
        ({"levels": {"Red": {"arms": []}}}, ["must ask for at least one run"]),
        ({"levels": {"Red": {"more": {"x": {"seed": 5}}}}}, ["levels.Red.more.x must have data"]),
        ({"arms": {"a": {"sets": {"x": {}}}}}, ["arms.a.sets.x must be among levels.Red.more; found none there"]),
        ({"arms": {"a": {"sets": {"x": {"part": 1}}}}}, ["arms.a.sets.x", "part"]),
        ({"arms": {"a": {"sets": {"x": {"episodes": "lucky"}}}}}, ["arms.a.sets.x", "lucky", "successes"]),
        (merged(FILMS, {"arms": {"a": {"sets": {"films": {"filled_by": "twice"}}}}}), ["a.sets are filled in by what learns"]),
        (merged(FILMS, {"arms": {"a": {"sets": {"films": {"filled_by": "c"}}}}}), ["filled_by must be an arm", "found c"]),
        (
            merged(FILMS, {"arms": {"a": {"sets": {"films": {"threshold": 0.2}}}}}),
            ["threshold is of", "without filled_by"],
        ),
        (
            merged(FILMS, {"arms": {"filled": {"sets": {"play": {"share": 0.5}}}}}),
            ["arms.filled.sets must all have a share", "0.6, 0.5"],
        ),
        ({"comparisons": {"Both": 3}}, ["comparison Both must be a list of arms, or of LEVEL: ARM; found 3"]),
        ({"curve_episodes": None}, ["curve_episodes must be a whole number; found None"]),
        ({"comparisons": {"Both": ["a", "c"]}}, ["comparison Both names unknown arms: c; the arms are a, b"]),
    ],
)
def test_what_is_wrong_is_said(read, change, parts):
    with pytest.raises(AnyOrderError) as error:
        read(change)
    assert all(part in str(error.value) for part in ("study.yaml", *parts))

"""From nothing to an acting agent through the commands: gold paths, a language model, episodes that are played and scored."""

import importlib.util
import json
import re
import shutil
from itertools import product
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient
from toy_worlds import ARCHITECTURE

from anyorder.cli import main
from anyorder.data.text_storage import read_played_split
from anyorder.errors import AnyOrderError
from anyorder.evaluation.outcomes import OUTCOMES_FILE
from anyorder.playground import server

MISSING = [f"the package {name}" for name in ["textworld_express"] if importlib.util.find_spec(name) is None]
MISSING += ["Java"] if shutil.which("java") is None else []


def run(env_id, folder, collected):
    """Collect, train and evaluate; returns the metrics and the outcomes of the episodes."""
    data, run_folder = folder / "data", folder / "run"
    numbers = ["--num_episodes", "12", "--num_validation", "4", "--num_test", "4", "--num_processes", "1"]
    main(["collect", "--env", env_id, "--policy", "gold", *numbers, "--output_dir", str(data)])
    assert all(one.success for one in read_played_split(data, "train")) == collected
    model = ["--language_model.architecture", json.dumps(ARCHITECTURE), "--language_model.long_texts", "parts"]
    model += ["--language_model.rooms", '{"observation": 0, "action": 16}', "--masking.mixture", "{next_action: 1.0}"]
    few = ["--training.num_updates", "4", "--training.num_processes", "1", "--training.num_threads", "1"]
    main(
        ["train", "--data.path", str(data), "--output_dir", str(run_folder), *model, *few, "--training.tokens_per_batch", "512"]
    )
    checkpoint = str(run_folder / "checkpoints" / "best.pt")
    allowed = ["--env_module", "toy_worlds"] if ":" in env_id else []
    main(["evaluate", "--checkpoint", checkpoint, "--num_episodes", "3", "--num_seen_episodes", "2", *allowed])
    report = run_folder / "report"
    return json.loads((report / "metrics.json").read_text()), json.loads((report / OUTCOMES_FILE).read_text()), checkpoint


def check(metrics, outcomes, env_id):
    """Every number of the metrics is one of the outcomes."""
    outcomes = outcomes.get("outcomes", outcomes)
    assert outcomes["seed"] == [30_000_000, 30_000_001, 30_000_002, 0, 1]
    test, train = metrics["task_success"]
    assert [(one["task"], one["split"], one["num_episodes"]) for one in (test, train)] == [
        (env_id, "test", 3),
        (env_id, "train", 2),
    ]
    assert test["success"]["successes"] == sum(outcomes["success"][:3]) and train["success"]["count"] == 2
    assert test["steps"]["value"] == sum(outcomes["length"][:3]) / 3
    assert test["score"]["value"] == pytest.approx(sum(outcomes["score"][:3]) / 3)
    (choice,) = metrics["choices"]
    assert choice["split"] == "test" and 0 < choice["chance"] < 1 and choice["agent"]["count"] > 0
    assert metrics["next action"]["actions"]["accuracy"]["count"] > 0 and not metrics["forward"]
    arms = {(one["kind"], one["strength"], one["form"]): one for one in metrics["robustness"]}
    assert arms.keys() == set(product(("words", "observations"), (0.1, 0.3), ("told", "untold")))
    assert all(one["clean"] == test["success"] and one["seeds"] == [30_000_000, 30_000_002] for one in arms.values())


def test_a_world_of_ones_own_from_the_commands(tmp_path, capsys, monkeypatch):
    env_id = "toy_worlds:ToyRow-v0"
    metrics, outcomes, checkpoint = run(env_id, tmp_path, True)
    check(metrics, outcomes, env_id)
    printed = capsys.readouterr().out
    assert "Episodes played, with 95% intervals" in printed and "most frequent" in printed
    report = tmp_path / "budget"
    tight = ["--acting", "generating", "--token_budget", "1", "--env_module", "toy_worlds", "--output_dir", str(report)]
    main(["evaluate", "--checkpoint", checkpoint, "--metric", "task_success", "--num_episodes", "3", *tight])
    (score,) = json.loads((report / "metrics.json").read_text())["task_success"]
    assert (score["num_over_budget"], score["success"]["successes"], score["steps"]["value"]) == (3, 0, 1)
    assert score["tokens_per_decision"]["value"] > 16 and score["seconds_per_decision"]["value"] > 0
    lowered = ["--mixed_precision", "bf16", "--env_module", "toy_worlds", "--output_dir", str(tmp_path / "bf16")]
    main(["evaluate", "--checkpoint", checkpoint, "--metric", "all", "--num_episodes", "3", *lowered])
    rough = json.loads((tmp_path / "bf16" / "metrics.json").read_text())
    exact, near = (one["next action"]["actions"]["nll_per_token"] for one in (metrics, rough))
    assert near != exact and near == pytest.approx(exact, abs=0.1)
    with pytest.raises(SystemExit):
        main(["evaluate", "--checkpoint", checkpoint, "--metric", "task_success", "--acting", "foreseeing"])
    assert "acting must be scoring or generating or constrained" in capsys.readouterr().err
    more = ["--num_episodes", "3", "--num_validation", "0", "--num_test", "0", "--output_dir", str(tmp_path / "played")]
    main(["collect", "--env", env_id, "--policy", "checkpoint", "--checkpoint", checkpoint, *more])
    assert [one.seed for one in read_played_split(tmp_path / "played", "train")] == [0, 1, 2]


def test_a_conversation_is_asked_about(tmp_path, capsys):
    *_, checkpoint = run("toy_worlds:ToyRow-v0", tmp_path, True)
    episode = read_played_split(tmp_path / "data", "test")[1]

    def ask(*options):
        capsys.readouterr()
        asked = ["--checkpoint", checkpoint, "--episode", "1", "--output", str(tmp_path / "answer.json"), *options]
        main(["query", *asked])
        return capsys.readouterr().out, json.loads((tmp_path / "answer.json").read_text())

    shown, answer = ask("--query", "next_action", "--step", "1")
    (turn,) = answer["turns"]
    assert (turn["part"], turn["step"], turn["truth"]) == ("action", 1, episode.actions[1]) and 0 < turn["probability"] <= 1
    shares = re.findall(r"(wait|go back|take lamp|go on) +│ +([\d.]+)%", shown)
    assert {action for action, _ in shares} == {"wait", "go back", "take lamp", "go on"}, "what could be done there"
    assert sum(float(share) for _, share in shares) == pytest.approx(100, abs=0.3)
    shown, answer = ask("--query", "infill", "--start", "0", "--stop", "1", "--num_samples", "3", "--temperature", "1")
    assert "Samples by log-likelihood" in shown
    assert all({turn["part"] for turn in sample["turns"]} <= {"action", "observation"} for sample in answer["samples"])
    _, answer = ask("--query", "mission")
    assert [one["mission"] for one in answer["missions"]] == ["Take the lamp."] and answer["missions"][0]["probability"] == 1
    with pytest.raises(SystemExit):
        ask("--query", "next_action", "--step", "1", "--picture", str(tmp_path / "picture.png"))
    assert "found a conversation; leave out --picture" in capsys.readouterr().err


@pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed")
def test_a_game_of_textworldexpress_from_the_commands(tmp_path):
    env_id = "textworldexpress/simonsays-v0"
    check(*run(env_id, tmp_path, True)[:2], env_id)


def test_what_was_imported_is_no_episode(tmp_path):
    lines = [{"conversations": [{"from": "human", "value": f"task {n}"}, {"from": "gpt", "value": "done"}]} for n in range(3)]
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    main(
        [
            "import",
            "--input",
            str(tmp_path / "chats.jsonl"),
            "--output_dir",
            str(tmp_path / "data"),
            "--validation",
            "0",
            "--test",
            "0",
        ]
    )
    with pytest.raises(AnyOrderError, match="must be episodes of a text environment; found one that was imported"):
        read_played_split(tmp_path / "data", "train")


def test_a_model_imagines_in_words_and_has_its_page(tmp_path, capsys, monkeypatch):
    *_, checkpoint = run("toy_worlds:ToyRow-v0", tmp_path, True)
    with pytest.raises(SystemExit):
        main(["imagine", "--checkpoint", checkpoint])
    assert "found one whose language_model.rooms.observation is 0" in capsys.readouterr().err
    model = ["--language_model.architecture", json.dumps(ARCHITECTURE), "--language_model.long_texts", "parts"]
    model += ["--language_model.rooms", '{"observation": 16, "action": 8}', "--masking.mixture", "{next_action: 1.0}"]
    few = ["--training.num_updates", "4", "--training.num_processes", "1", "--training.num_threads", "1"]
    main(["train", "--data.path", str(tmp_path / "data"), "--output_dir", str(tmp_path / "world"), *model, *few])
    checkpoint = str(tmp_path / "world" / "checkpoints" / "best.pt")
    short = ["--horizon", "2", "--num_episodes", "2", "--num_passes", "2"]
    main(["imagine", "--checkpoint", checkpoint, "--episode", "1", *short])
    said = capsys.readouterr()
    assert "was not trained on next_observation" in said.err
    assert "in truth" in said.out and "copy of the last observation" in said.out
    written = json.loads((tmp_path / "world" / "report" / "imagined.json").read_text())
    episode = read_played_split(tmp_path / "data", "test")[1]
    first = written["shown"]["steps"][0]
    assert (first["action"], first["true_observation"]) == (episode.actions[0], episode.observations[1])
    assert 0 <= first["right"] <= 1 and written["scores"][0]["horizon"] == 1
    assert written["scores"][0]["groups"]["turn"]["model"]["count"] == 2
    main(["imagine", "--checkpoint", checkpoint, *short, "--own_actions", "--output_dir", str(tmp_path / "own")])
    assert json.loads((tmp_path / "own" / "imagined.json").read_text())["shown"]["own_actions"]
    with pytest.raises(SystemExit):
        main(["imagine", "--checkpoint", checkpoint, "--start", "99"])
    assert "start must lie between 0 and" in capsys.readouterr().err
    check_page(checkpoint, tmp_path, capsys, monkeypatch)


def check_page(checkpoint, folder, capsys, monkeypatch):
    """The playground shows what was recorded, and plays where the module of the environment is named."""
    served = []
    monkeypatch.setattr(server, "web_server", lambda app: served.append(app) or SimpleNamespace(run=lambda sockets: None))

    def about(*options):
        main(["playground", "--checkpoint", checkpoint, "--no_browser", "--port", "0", *options])
        with TestClient(served[-1], base_url=f"http://{server.HOST}") as client:
            return client.get("/api/about").json()

    def refusal(*options):
        with pytest.raises(SystemExit):
            about(*options)
        return capsys.readouterr().err

    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")  # the commands before this one named the module
    told = about()
    assert (told["kind"], told["env_id"], told["num_recorded"]) == ("text", "toy_worlds:ToyRow-v0", 4) and not told["plays"]
    said = capsys.readouterr().out
    assert "only recorded episodes can be shown: " in said and "toy_worlds" in said
    told = about("--env_module", "toy_worlds")
    assert told["plays"] and told["players"] == ["agent", "bot"] and told["num_recorded"] == 4
    assert about("--env", "ToyRow-v0")["env_id"] == "ToyRow-v0"
    assert "observations and actions are texts; found CartPole-v1" in refusal("--env", "CartPole-v1")
    assert "there is no environment" in refusal("--env", "NoSuch-v0")
    (folder / "data").rename(folder / "elsewhere")
    told = about("--env_module", "toy_worlds")
    assert told["plays"] and told["num_recorded"] == 0
    assert "is not there, so only new seeds can be played" in capsys.readouterr().out
    assert "nothing" in refusal("--data", str(folder / "nothing"))

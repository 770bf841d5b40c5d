"""The command writes what it prints."""

import json

import av
import pytest
from cartpole import cartpole_data, cartpole_run
from PIL import Image

from anyorder.build.checkpoints import load_model
from anyorder.build.collecting import CollectOptions, run_collect
from anyorder.commands.imagine import imagine_command
from anyorder.data.storage import read_split
from anyorder.errors import AnyOrderError
from anyorder.evaluation.beginnings import random_beginnings
from anyorder.evaluation.imagined import Prefix, score_imagination


@pytest.fixture(scope="module")
def checkpoint(finished_run):
    return finished_run / "checkpoints" / "best.safetensors"


def test_a_table_a_film_a_strip_and_the_figures(checkpoint, data_folder, tmp_path, capsys):
    options = ["--split", "validation", "--episode", "1", "--horizon", "2", "--num_episodes", "4", "--seed", "5"]
    imagine_command(["--checkpoint", str(checkpoint), "--output_dir", str(tmp_path), *options])
    written = json.loads((tmp_path / "imagined.json").read_text())
    assert written["split"] == "validation" and written["num_episodes"] == 4 and written["seed"] == 5
    model, _ = load_model(checkpoint)
    prefixes = random_beginnings(Prefix, read_split(data_folder, "validation")[:4], 5)
    assert written["scores"] == [score.to_json() for score in score_imagination(model, prefixes, 2)]
    printed = capsys.readouterr().out
    assert "steps ahead" in printed and "changed_cell" in printed and str(tmp_path) in printed
    assert Image.open(tmp_path / "imagined.gif").n_frames == 3
    with av.open(str(tmp_path / "imagined.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 7 + 7 + 18, "in tenths of a second"
    assert Image.open(tmp_path / "imagined.png").width > 300


def test_in_any_environment_errors_are_printed_and_written_beside_lines(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    run = cartpole_run(cartpole_data(tmp_path / "data"), tmp_path / "run", num_updates=2)
    checkpoint = str(run / "checkpoints" / "best.safetensors")
    imagine_command(["--checkpoint", checkpoint, "--horizon", "3", "--num_episodes", "4", "--start", "1"])
    written = json.loads((run / "report" / "imagined.json").read_text())
    assert [score["horizon"] for score in written["scores"]] == [1, 2, 3] and written["num_episodes"] == 4
    errors = written["scores"][0]["fields"]["all observations"]["root_mean_square"]
    assert set(errors) == {"model", "copy", "line"} and errors["line"]["value"] < errors["model"]["value"]
    assert Image.open(run / "report" / "imagined.png").width > 300
    assert "RMS: model" in capsys.readouterr().out
    with pytest.raises(AnyOrderError, match="start must lie between 0 and"):
        imagine_command(["--checkpoint", checkpoint, "--start", "1000"])


def test_episodes_with_gaps_are_refused_in_a_sentence(checkpoint, data_folder, tmp_path):
    run_collect(CollectOptions(recorded=str(data_folder), without={"cells": 0.5}, output_dir=str(tmp_path / "lost")))
    with pytest.raises(AnyOrderError, match="imagination reads whole grids; found 6 episodes with absent values"):
        imagine_command(["--checkpoint", str(checkpoint), "--data", str(tmp_path / "lost")])


def test_results_go_into_the_report_of_the_run(checkpoint, finished_run):
    imagine_command(["--checkpoint", str(checkpoint), "--horizon", "1", "--num_episodes", "1"])
    assert (finished_run / "report" / "imagined.gif").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--episode", "6"], "episode must lie between 0 and 5"),
        (["--start", "1000"], "start must lie between 0 and"),
        (["--horizon", "0"], "horizon must be at least 1; found 0"),
        (["--split", "exam"], "no split 'exam'"),
    ],
)
def test_bad_input_is_one_sentence(checkpoint, options, complaint):
    with pytest.raises(AnyOrderError, match=complaint):
        imagine_command(["--checkpoint", str(checkpoint), *options])

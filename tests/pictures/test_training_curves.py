"""Curves are drawn from the records of a run, and only where there are records."""

import json

from PIL import Image

from anyorder.pictures.training_curves import write_training_curves


def test_the_picture_is_written_where_there_are_records_only(tmp_path):
    picture = tmp_path / "curves.png"
    write_training_curves(tmp_path, picture)
    assert not picture.exists()
    records = [
        {"update": 10, "section": "train", "loss": 2.0},
        {"update": 10, "section": "validation", "loss": 2.0, "action_accuracy": 0.5},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    write_training_curves(tmp_path, picture)
    assert Image.open(picture).size[0] == 1200
    first = picture.read_bytes()
    write_training_curves(tmp_path, picture)
    assert picture.read_bytes() == first

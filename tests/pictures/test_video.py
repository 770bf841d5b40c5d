"""What was written is decoded again: as many frames, as large, as long, and the same pictures."""

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from anyorder.pictures.video import Film

COLORS = [(200, 40, 40), (40, 160, 60), (40, 70, 200)]
TIMES = [500, 700, 1800]
WIDTH, HEIGHT = 61, 47


def page(color):
    picture = Image.new("RGB", (WIDTH, HEIGHT), (250, 250, 250))
    ImageDraw.Draw(picture).rectangle((10, 10, 40, 30), fill=color)
    return picture


@pytest.fixture(scope="module")
def pages():
    return [page(color) for color in COLORS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pages):
    folder = tmp_path_factory.mktemp("films")
    Film(pages, TIMES).write(folder, "film")
    return folder


def test_both_forms_are_written_and_nothing_else(folder):
    assert {path.name for path in folder.iterdir()} == {"film.gif", "film.mp4"}


def test_a_gif_shows_each_page_for_its_time(folder, pages):
    with Image.open(folder / "film.gif") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (3, (WIDTH, HEIGHT), 0)
        for number, time in enumerate(TIMES):
            film.seek(number)
            assert film.info["duration"] == time
            assert np.abs(np.array(film.convert("RGB"), int) - np.array(pages[number], int)).max() <= 4


def test_an_mp4_is_one_that_every_player_plays(folder):
    with av.open(str(folder / "film.mp4")) as film:
        (stream,) = film.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (WIDTH + 1, HEIGHT + 1), "even"
        assert stream.average_rate == 10 and stream.frames == 5 + 7 + 18
        assert float(stream.duration * stream.time_base) == pytest.approx(sum(TIMES) / 1000)
    data = (folder / "film.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "the index comes first"


def test_an_mp4_shows_the_pages_when_a_gif_does(folder, pages):
    with av.open(str(folder / "film.mp4")) as film:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    ends = np.cumsum(TIMES) / 1000
    assert [time for time, _ in frames] == pytest.approx(np.arange(30) / 10)
    for time, frame in frames:
        shown = int(np.searchsorted(ends, time + 1e-6))
        difference = np.abs(frame[:HEIGHT, :WIDTH].astype(int) - np.array(pages[shown], int))
        # Colors are shared by squares of four pixels: at edges they mix.
        assert difference[13:28, 13:38].max() <= 6 and difference[35:, :].max() <= 6
        assert np.abs(frame[:, -1].astype(int) - frame[:, -2]).max() <= 3, "the odd column is there twice"


def test_the_same_pages_give_the_same_bytes(folder, pages, tmp_path):
    Film(pages, TIMES).write(tmp_path, "film")
    for name in ("film.gif", "film.mp4"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("sizes", "times"), [([], []), ([(8, 8), (8, 9)], [100, 100]), ([(8, 8)], [100, 100]), ([(8, 8)], [150]), ([(8, 8)], [0])]
)
def test_what_is_no_film_is_refused(sizes, times):
    with pytest.raises(ValueError, match="a film must have|a page must stay"):
        Film([Image.new("RGB", size) for size in sizes], times)

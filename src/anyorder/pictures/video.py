"""Films for people, from the same pages as a GIF, which every page shows, and as an MP4, which every player plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from anyorder.files import replacing

MILLISECONDS_PER_FRAME = 100
"""How long each frame of an MP4 stays. A page that stays longer is repeated, since many players handle an uneven pace badly."""
QUALITY = {"crf": "16", "preset": "medium", "tune": "animation", "threads": "1", "mbtree": "0"}
"""Settings of H.264: no loss that an eye can see, and made for flat colors. The same pages must give the same bytes, so
there is one thread, and no macroblock tree: on a busy machine, that part of x264 chooses other quantizers now and then."""
BT601 = 6
"""The colors of an MP4, as its header names them (SMPTE 170M); unsaid, players guess them from its size."""


@dataclass(frozen=True, eq=False)
class Film:
    """Pages that follow each other.

    Attributes:
        pages: RGB, all of one size; at least one.
        milliseconds: how long each page stays, a multiple of `MILLISECONDS_PER_FRAME`.

    Raises:
        ValueError: when there is no page, sizes differ, or a time is not such a multiple.
    """

    pages: list[Image.Image]
    milliseconds: list[int]

    def __post_init__(self) -> None:
        if len({page.size for page in self.pages}) != 1 or len(self.pages) != len(self.milliseconds):
            sizes = sorted({page.size for page in self.pages})
            raise ValueError(
                "a film must have at least one page, all of one size, and one time for each; found"
                f" {len(self.pages)} pages of the sizes {sizes} and {len(self.milliseconds)} times"
            )
        if any(time < 1 or time % MILLISECONDS_PER_FRAME for time in self.milliseconds):
            raise ValueError(f"a page must stay for a multiple of {MILLISECONDS_PER_FRAME} ms; found {self.milliseconds}")

    def write(self, folder: Path, name: str) -> None:
        """Write ``NAME.gif``, which plays endlessly, and ``NAME.mp4`` (H.264 in 4:2:0, even width and height) into a folder.

        Raises:
            AnyOrderError: when they cannot be written.
        """
        with replacing(folder / f"{name}.gif") as temporary:
            self._write_gif(temporary)
        with replacing(folder / f"{name}.mp4") as temporary:
            self._write_mp4(temporary)

    def _write_gif(self, path: Path) -> None:
        first, *others = self.pages
        first.save(path, "GIF", save_all=True, append_images=others, duration=self.milliseconds, loop=0)

    def _write_mp4(self, path: Path) -> None:
        frames = [_even(np.asarray(page.convert("RGB"))) for page in self.pages]
        # The index comes first, so that a browser can play what it has not loaded whole.
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
            stream = file.add_stream("libx264", rate=1000 // MILLISECONDS_PER_FRAME, options=QUALITY)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt, stream.codec_context.colorspace = "yuv420p", BT601
            for frame, time in zip(frames, self.milliseconds):
                for _ in range(time // MILLISECONDS_PER_FRAME):
                    file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            file.mux(stream.encode())


def _even(pixels: np.ndarray) -> np.ndarray:
    """Uint8 ``[height, width, 3]`` with the last row and column twice where their number is odd: colors are stored for
    squares of four pixels."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

"""Draws docs/matte/edges.jpg: fur and hair before and after the matte.

python examples/edges.py OUT.jpg

From the left: the frame, the network's probability enlarged with the frame's own colours, the matte; the last two over
plain blue, which no fringe of the old background goes with. Fur is that of the example clip, ten frames after the mask;
hair that of scikit-image's astronaut, in a clip of two equal frames with a coarse mask.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage.data import astronaut

from vcut import Propagator, load_model
from vcut.masks.labels import read_mask
from vcut.matte.matte import Matte
from vcut.video.reader import Span, open_source

sys.path.insert(0, str(Path(__file__).parent))
from clip import clip_path

FIRST, LAST = 56, 66
OUTLINE = """0,512 20,400 25,340 40,290 100,220 115,185 120,160 140,150 175,145 178,130 160,115 153,80 158,55 190,35
215,17 260,20 290,40 301,80 298,110 285,130 270,135 258,165 290,190 303,235 340,260 360,340 370,345 400,342 450,355
495,420 500,512"""
"""Around the astronaut and her helmet, pixels."""

WIDTH, HEIGHT, ZOOM = 160, 100, 2
BEHIND = np.array([20, 70, 190])


def rabbit() -> tuple[list[np.ndarray], np.ndarray]:
    """Frames of the example clip, and the labels of the first."""
    with open_source(clip_path("bigbuckbunny.mp4"), span=Span(FIRST, LAST + 1)) as source:
        size = (source.info.width, source.info.height)
        labels = read_mask(Path(__file__).parent / "bigbuckbunny_frame56_mask.png", size).labels
        return [frame.rgb for frame in source], labels


def portrait() -> tuple[list[np.ndarray], np.ndarray]:
    """A picture twice, and its labels."""
    picture = astronaut()
    mask = Image.new("L", (picture.shape[1], picture.shape[0]))
    ImageDraw.Draw(mask).polygon([tuple(map(int, point.split(","))) for point in OUTLINE.split()], fill=1)
    return [picture, picture], np.asarray(mask)


def strips(frames: list[np.ndarray], labels: np.ndarray, corners: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Before and after at some places (left, top) of the last frame."""
    propagator, matte = Propagator(load_model()), Matte()
    for number, rgb in enumerate(frames):
        step = propagator.step(rgb) if number else propagator.start(rgb, labels)
        result = matte(rgb, step.probabilities)
    before = over(step.alpha / 255, rgb)
    after = over(result.alpha[0].numpy(), result.foreground[0].numpy())
    for left, top in corners:
        place = slice(top, top + HEIGHT), slice(left, left + WIDTH)
        yield np.hstack([picture[place] for picture in (rgb, before, after)])


def over(alpha: np.ndarray, colours: np.ndarray) -> np.ndarray:
    return (alpha[..., None] * colours + (1 - alpha[..., None]) * BEHIND).round().astype(np.uint8)


def main(out: str) -> None:
    rows = [*strips(*rabbit(), [(470, 60), (290, 60)]), *strips(*portrait(), [(145, 10)])]
    sheet = Image.fromarray(np.vstack(rows))
    sheet.resize((sheet.width * ZOOM, sheet.height * ZOOM), Image.Resampling.LANCZOS).save(out, quality=88)


if __name__ == "__main__":
    main(sys.argv[1])

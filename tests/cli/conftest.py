"""A clip with known truth, made from real pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tools import ROOT, Scene, example, write_video

from vcut.masks.palette import save_indexed
from vcut.video.reader import open_source


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Scene:
    """The rabbit of Big Buck Bunny (id 1) and a man of another clip (id 3) move over a wall, 240 x 320, 10 frames."""
    folder = tmp_path_factory.mktemp("scene")
    with open_source(example("bigbuckbunny.mp4")) as source:
        rabbit = Image.fromarray(next(frame.rgb for frame in source if frame.index == 56))
    rabbit_mask = Image.fromarray(np.array(Image.open(ROOT / "examples" / "bigbuckbunny_frame56_mask.png")) * 255)
    with open_source(example("carphone_pristine.mp4")) as source:
        man = Image.fromarray(next(iter(source)).rgb).crop((50, 10, 130, 110))
    oval = Image.fromarray(
        (np.hypot(*np.meshgrid(np.linspace(-1, 1, 80), np.linspace(-1, 1, 100))) < 1).astype(np.uint8) * 255
    )
    with open_source(example("bikes.mp4")) as source:
        wall = next(frame.rgb for frame in source if frame.index == 130)
    wall = Image.fromarray(wall).crop((0, 16, 320, 256))
    box = rabbit_mask.getbbox()
    size = (160, int(160 * (box[3] - box[1]) / (box[2] - box[0])))
    rabbit, rabbit_mask = rabbit.crop(box).resize(size), rabbit_mask.crop(box).resize(size, Image.Resampling.NEAREST)
    frames, truth = [], []
    for t in range(10):
        picture, labels = wall.copy(), Image.new("L", wall.size)
        for cut, mask, place, label in (
            (rabbit, rabbit_mask, (10 + 6 * t, 90 - 2 * t), 1),
            (man, oval, (220 - 3 * t, 20 + 4 * t), 3),
        ):
            picture.paste(cut, place, mask)
            labels.paste(label, place, mask)
        frames.append(np.array(picture))
        truth.append(np.array(labels))
    save_indexed(folder / "mask.png", truth[0])
    clip = write_video(folder / "clip.mp4", np.stack(frames))
    return Scene(clip, folder / "mask.png", np.stack(truth), np.stack(frames))

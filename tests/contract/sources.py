"""Every kind of source, small: two disks that drift over a flat ground, written by real encoders."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from readback import FFMPEG
from tools import make_clip

from vcut.masks.palette import save_indexed

FRAMES = 8
COLOURS = {0: (70, 90, 120), 1: (205, 60, 40), 3: (60, 190, 80)}
EVEN = [Fraction(index, 25) for index in range(FRAMES)]


@dataclass(frozen=True)
class Clip:
    """A source and what is known of it without reading it.

    Attributes:
        path: a video, or a folder of pictures.
        truth: T x H x W, the object at each pixel, upright.
        times: of each frame after the first one, seconds.
        sound: whether it has sound.
    """

    path: Path
    truth: np.ndarray
    times: list[Fraction]
    sound: bool = False

    def write_mask(self, path: Path) -> Path:
        """The mask of the first frame."""
        save_indexed(path, self.truth[0])
        return path


def truth(width: int = 96, height: int = 72) -> np.ndarray:
    """T x H x W uint8: objects 1 and 3, which move half a pixel a frame towards each other."""
    rows, columns = np.indices((height, width))
    labels = np.zeros((FRAMES, height, width), np.uint8)
    for index, picture in enumerate(labels):
        way = index / 2
        picture[np.hypot(rows - 0.4 * height - way, columns - 0.27 * width - way) < 0.23 * min(width, height)] = 1
        picture[np.hypot(rows - 0.6 * height + way, columns - 0.73 * width + way) < 0.23 * min(width, height)] = 3
    return labels


def coloured(labels: np.ndarray) -> list[np.ndarray]:
    """The pictures of label maps, each H x W x 3 uint8."""
    table = np.zeros((256, 3), np.uint8)
    table[list(COLOURS)] = list(COLOURS.values())
    return list(table[labels])


def video(
    path: Path, labels: np.ndarray | None = None, times: list[Fraction] = EVEN, crf: str = "8", **options: object
) -> Clip:
    """A tagged clip, H.264 unless ``options`` of :func:`tools.make_clip` say more."""
    labels = truth() if labels is None else labels
    make_clip(path, pictures=coloured(labels), tagged=True, options={"crf": crf, "preset": "veryfast"}, **options)
    return Clip(path, labels, times)


def variable_rate(folder: Path) -> Clip:
    pts = [0, 3003, 4500, 12000, 12345, 20000, 26000, 27001]
    times = [Fraction(stamp, 90000) for stamp in pts]
    return video(folder / "clip.mp4", times=times, pts=pts, time_base=Fraction(1, 90000))


def ntsc(folder: Path) -> Clip:
    rate = Fraction(30000, 1001)
    times = [index / rate for index in range(FRAMES)]
    return video(folder / "clip.mp4", times=times, time_base=1 / rate, rate=rate)


def late_start(folder: Path) -> Clip:
    """The first frame is shown 5.2 s after the clock's zero."""
    return video(folder / "clip.mp4", pts=[index + 130 for index in range(FRAMES)])


def turned(folder: Path, angle: int, flip: str = "") -> Clip:
    """A clip that lies on its side: its display matrix turns it upright, in ffmpeg's words."""
    upright = truth(72, 96) if angle % 180 else truth()
    stored = np.rot90(upright, k=-(angle // 90), axes=(1, 2))
    if flip == "-display_hflip":
        stored = stored[:, :, ::-1]
    plain = video(folder / "stored.mp4", np.ascontiguousarray(stored))
    path = folder / "clip.mp4"
    tags = ["-display_rotation", str(angle), *([flip] if flip else [])]
    subprocess.run([FFMPEG, "-v", "error", *tags, "-i", str(plain.path), "-c", "copy", str(path)], check=True)
    return Clip(path, upright, EVEN)


def with_sound(folder: Path) -> Clip:
    """AAC stereo: 440 Hz left, 1000 Hz right, as long as the pictures."""
    silent, path = video(folder / "silent.mp4"), folder / "clip.mp4"
    tones = "aevalsrc=0.4*sin(2*PI*440*t)|0.4*sin(2*PI*1000*t):s=48000:d=0.32"
    command = [FFMPEG, "-v", "error", "-i", str(silent.path), "-f", "lavfi", "-i", tones]
    subprocess.run([*command, "-c:v", "copy", "-c:a", "aac", "-b:a", "160k", str(path)], check=True)
    return Clip(path, silent.truth, EVEN, sound=True)


def folder_of_png(folder: Path) -> Clip:
    path = folder / "shot"
    path.mkdir()
    labels = truth()
    for index, picture in enumerate(coloured(labels)):
        Image.fromarray(picture).save(path / f"{index:05d}.png")
    return Clip(path, labels, EVEN)


SOURCES: dict[str, Callable[[Path], Clip]] = {
    "plain": lambda folder: video(folder / "clip.mp4"),
    "variable rate": variable_rate,
    "30000/1001": ntsc,
    "late start": late_start,
    "rotated 0": lambda folder: turned(folder, 0),
    "rotated 90": lambda folder: turned(folder, 90),
    "rotated 180": lambda folder: turned(folder, 180),
    "rotated 270": lambda folder: turned(folder, 270),
    "mirrored": lambda folder: turned(folder, 0, "-display_hflip"),
    "odd size": lambda folder: video(folder / "clip.mp4", truth(101, 75), pixel_format="yuv444p"),
    "10 bit HEVC": lambda folder: video(folder / "clip.mp4", codec="libx265", pixel_format="yuv420p10le"),
    "10 bit FFV1": lambda folder: video(folder / "clip.mkv", codec="ffv1", pixel_format="yuv422p10le"),
    "sound": with_sound,
    "PNG folder": folder_of_png,
}

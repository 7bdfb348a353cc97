"""Small sources of many kinds, ways to damage a file, and the list of damaged commands that comes of both."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contract.sources import coloured, truth
from PIL import Image
from readback import FFMPEG
from tools import make_clip

from vcut.masks.palette import save_indexed

WIDTH, HEIGHT, FRAMES = 64, 48, 5
FASTSTART = {"container_options": {"movflags": "faststart"}}
VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
VIDEOS: dict[str, dict[str, object]] = {
    "front.mp4": FASTSTART,
    "back.mp4": {},
    "sound.mp4": {},
    "clip.mkv": {},
    "clip.webm": VP9,
    "clip.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", **FASTSTART},
    "clip.ts": {},
    "clip.avi": {"codec": "mpeg4"},
    "clip.y4m": {},
}
PICTURES = ("png", "jpg")
MASKS = ("indexed", "grey", "colours", "alpha")
FORMATS = ("prores", "webm", "labels", "rgba-16", "gif", "rle", "ffv1", "overlay", "webp", "prores,labels,rle", "apng")

Damage = Callable[[bytes, np.random.Generator], bytes]


def cut(share: float) -> Damage:
    return lambda data, random: data[: int(len(data) * share)]


def without_last(count: int) -> Damage:
    return lambda data, random: data[:-count]


def flipped(count: int, reach: float = 1.0) -> Damage:
    """Single bits, in the first ``reach`` of the file."""

    def damage(data: bytes, random: np.random.Generator) -> bytes:
        bad = bytearray(data)
        for place in random.integers(0, max(1, int(len(data) * reach)), count):
            bad[place] ^= 1 << int(random.integers(8))
        return bytes(bad)

    return damage


def overwritten(length: int, value: int | None = None) -> Damage:
    """A block somewhere, by noise or by one value."""

    def damage(data: bytes, random: np.random.Generator) -> bytes:
        bad = bytearray(data)
        place = int(random.integers(len(data)))
        room = len(bad[place : place + length])
        noise = random.integers(0, 256, room).astype(np.uint8).tobytes()
        bad[place : place + length] = noise if value is None else bytes([value]) * room
        return bytes(bad)

    return damage


def blank_from(share: float) -> Damage:
    """Zeros to the end, as a copy that broke off leaves."""
    return lambda data, random: data[: int(len(data) * share)] + bytes(len(data) - int(len(data) * share))


def missing(length: int) -> Damage:
    """Bytes that are not there: what follows moves up."""

    def damage(data: bytes, random: np.random.Generator) -> bytes:
        place = int(random.integers(len(data)))
        return data[:place] + data[place + length :]

    return damage


def followed_by_noise(data: bytes, random: np.random.Generator) -> bytes:
    return data + random.integers(0, 256, 500).astype(np.uint8).tobytes()


CUTS = {f"cut at {share:.0%}": cut(share) for share in (0, 0.02, 0.1, 0.3, 0.5, 0.7)}
OTHERS: dict[str, Damage] = {
    "cut at 85%": cut(0.85),
    "cut at 98%": cut(0.98),
    "without its last byte": without_last(1),
    "without its last 9": without_last(9),
    **{f"one bit {n}": flipped(1) for n in range(3)},
    **{f"8 bits {n}": flipped(8) for n in range(3)},
    **{f"100 bits {n}": flipped(100) for n in range(2)},
    **{f"4 bits in front {n}": flipped(4, 0.1) for n in range(4)},
    **{f"block of 32 {n}": overwritten(32) for n in range(2)},
    **{f"block of 400 {n}": overwritten(400) for n in range(3)},
    "block of zeros": overwritten(600, 0),
    "block of ones": overwritten(600, 255),
    **{f"zeros from {share:.0%}": blank_from(share) for share in (0.05, 0.5, 0.9)},
    **{f"{length} bytes missing": missing(length) for length in (1, 188, 1000)},
    "noise behind": followed_by_noise,
}
OF_PICTURES = ("cut at 2%", "cut at 50%", "cut at 98%", "one bit 0", "8 bits 0", "4 bits in front 0", "block of 32 0")


@dataclass(frozen=True)
class Case:
    """One damaged command.

    Attributes:
        source: a name in VIDEOS, or the kind of pictures in a folder.
        damage: a name in CUTS or OTHERS.
        what: ``source``; ``picture 2`` of a folder; or the kind of mask that is damaged.
        formats: what is to be written.
    """

    source: str
    damage: str
    what: str
    formats: str

    @property
    def name(self) -> str:
        what = "" if self.what == "source" else f" {self.what}"
        return f"{self.source}{what} {self.damage}"

    def spoil(self, data: bytes) -> bytes:
        """``data`` damaged; the same each time."""
        random = np.random.default_rng(list(self.name.encode()))
        return (CUTS | OTHERS)[self.damage](data, random)


def cases() -> list[Case]:
    """All of them; formats take turns."""
    plans = [(source, damage, "source") for source in VIDEOS for damage in (*CUTS, *OTHERS)]
    plans += [
        (source, damage, f"picture {number}")
        for source in PICTURES
        for number in (0, 2, FRAMES - 1)
        for damage in OF_PICTURES
    ]
    plans += [("png", damage, f"{mask} mask") for mask in MASKS for damage in OF_PICTURES]
    return [Case(*plan, FORMATS[number % len(FORMATS)]) for number, plan in enumerate(plans)]


def make_sources(folder: Path) -> None:
    """Write a sound source of every kind, a folder of each kind of pictures, and masks."""
    labels = truth(WIDTH, HEIGHT)[:FRAMES]
    noise = np.random.default_rng(3).integers(-25, 26, (*labels.shape, 3))
    pictures = list((np.stack(coloured(labels)) + noise).clip(0, 255).astype(np.uint8))
    for name, options in VIDEOS.items():
        if not name.endswith(".y4m") and name != "sound.mp4":
            make_clip(folder / name, pictures=pictures, **options)
    ffmpeg = [FFMPEG, "-v", "error", "-i", str(folder / "back.mp4")]
    tone = ["-f", "lavfi", "-i", "sine=440:duration=0.2:sample_rate=48000", "-c:v", "copy", "-c:a", "aac"]
    subprocess.run([*ffmpeg, *tone, str(folder / "sound.mp4")], check=True)
    subprocess.run([*ffmpeg, str(folder / "clip.y4m")], check=True)
    for kind in PICTURES:
        (folder / kind).mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / kind / f"{number}.{kind}")
    first = labels[0]
    shown = np.where(first > 0, 255, 0).astype(np.uint8)
    save_indexed(folder / "indexed.png", first)
    Image.fromarray(shown).save(folder / "grey.png")
    Image.fromarray(coloured(np.where(first > 0, first, 2)[None])[0]).save(folder / "colours.png")
    Image.fromarray(np.dstack((pictures[0], shown))).save(folder / "alpha.png")

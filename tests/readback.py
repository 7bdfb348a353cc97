"""Read results back by two readers that are not ours: PyAV as it is, and the ffmpeg binary of imageio-ffmpeg.

Both give the decoded samples as they are in the file. YUV is turned into RGB here, by the book and in floating point,
because the readers' own conversion is off by up to three levels.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from PIL import Image

from vcut.video.formats import Format

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
_RED_BLUE = {"bt470bg": (0.299, 0.114), "smpte170m": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
_RED_BLUE["bt2020nc"] = (0.2627, 0.0593)


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        rgba: T x H x W x 4, in levels of 255 with fractions.
        times: of each frame, seconds.
        pixel_format: of the decoder.
    """

    rgba: np.ndarray
    times: list[Fraction]
    pixel_format: str


def by_pyav(out: Path) -> Reading:
    """By PyAV; VP9 by libvpx, the only decoder that knows of its alpha."""
    with av.open(str(_pattern(out))) as container:
        stream = container.streams.video[0]
        vp9 = stream.codec_context.name == "vp9"
        decoder = av.CodecContext.create("libvpx-vp9", "r") if vp9 else stream.codec_context
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        times = [frame.pts * stream.time_base for frame in frames]
        form = frames[0].format
        size = (frames[0].height, frames[0].width)
        if form.name.startswith("yuv"):
            matrix = colour_tags(out)[1]
            pictures = [_from_yuv(_samples(frame), size, form.name, matrix) for frame in frames]
        else:
            wide = max(component.bits for component in form.components) > 8
            pictures = [
                frame.to_ndarray(format="rgba64le" if wide else "rgba") / (257 if wide else 1) for frame in frames
            ]
    return Reading(np.stack(pictures), times, form.name)


def by_ffmpeg(out: Path) -> Reading:
    """By the ffmpeg binary, with the times that it shows."""
    log = _ffmpeg(out, "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-").stderr.decode()
    name, width, height = re.search(r"showinfo.* fmt:(\S+) .* s:(\d+)x(\d+)", log).groups()
    size = (int(height), int(width))
    tick = Fraction(re.search(r"showinfo.* config in time_base: (\d+/\d+)", log)[1])
    times = [int(pts) * tick for pts in re.findall(r"showinfo.* pts: *(-?\d+) ", log)]
    wide = "16" in name or "64" in name
    planar = name.startswith("yuv") and out.suffix != ".webp"  # whose matrix is in no tag
    matrix = colour_tags(out)[1] if planar else None
    target = name if planar else "rgba64le" if wide else "rgba"
    exact = ("-sws_flags", "bilinear+full_chroma_int+accurate_rnd")
    raw = _ffmpeg(out, "-fps_mode", "passthrough", *exact, "-pix_fmt", target, "-f", "rawvideo", "-").stdout
    pictures = []
    for frame in np.frombuffer(raw, np.uint8).reshape(len(times), -1):
        if planar:
            pictures.append(_from_yuv(frame.tobytes(), size, name, matrix))
        else:
            samples = frame.view(np.uint16) / 257 if wide else frame.astype(float)
            pictures.append(samples.reshape(*size, 4))
    return Reading(np.stack(pictures), times, name)


def by_pillow(out: Path) -> Reading:
    """Animated pictures by Pillow."""
    with Image.open(out) as image:
        pictures, times, time = [], [], Fraction(0)
        for index in range(image.n_frames):
            image.seek(index)
            pictures.append(np.asarray(image.convert("RGBA")).astype(float))
            times.append(time)
            time += Fraction(image.info["duration"]) / 1000
    return Reading(np.stack(pictures), times, "rgba")


def readers(fmt: Format) -> list[Callable[[Path], Reading]]:
    """PyAV 18.1 cannot decode animated WebP; Pillow stands in for it."""
    return [by_pillow if fmt.name == "webp" else by_pyav, by_ffmpeg]


def stream_line(out: Path) -> str:
    """What the ffmpeg binary says of the video stream: codec, pixel format, colours, size, rate."""
    command = [FFMPEG, "-hide_banner", "-i", str(_pattern(out))]
    log = subprocess.run(command, capture_output=True, check=False).stderr.decode()
    return next(line.strip() for line in log.splitlines() if "Video:" in line)


def colour_tags(out: Path) -> tuple[str | None, ...]:
    """Range, matrix, primaries and transfer in ffmpeg's words, as the ffmpeg binary reads them."""
    words = re.search(
        r"\((?:(pc|tv)(?:, )?)?(?:([\w-]+)(?:/([\w-]+)/([\w-]+))?)?(?:, progressive)?\), \d+x", stream_line(out)
    )
    colour_range, matrix, primaries, transfer = words.groups()
    return colour_range, matrix, primaries or matrix, transfer or matrix


def _ffmpeg(out: Path, *output: str) -> subprocess.CompletedProcess:
    forced = ["-c:v", "libvpx-vp9"] if out.suffix == ".webm" else []
    command = [FFMPEG, "-v", "info", *forced, "-i", str(_pattern(out)), "-an", *output]
    return subprocess.run(command, capture_output=True, check=True)


def _samples(frame: av.VideoFrame) -> bytes:
    """The planes of a frame one after the other, without the padding of their lines."""
    size = 1 if frame.format.components[0].bits == 8 else 2
    lines = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width * size] for plane in frame.planes
    ]
    return b"".join(line.tobytes() for line in lines)


def _from_yuv(raw: bytes, size: tuple[int, int], name: str, matrix: str) -> np.ndarray:
    """H x W x 4 levels of 255 from planar YUV or YUVA in limited range; chroma samples count for all they cover."""
    kind, bits = re.fullmatch(r"yuva?(\d{3})p(\d*)(?:le)?", name).groups()
    bits = int(bits or 8)
    samples = np.frombuffer(raw, np.uint8 if bits == 8 else np.uint16).astype(float)
    height, width = size
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[kind]
    small = (-(-height // down), -(-width // across))
    y, u, v, a = np.split(samples, np.cumsum([height * width, small[0] * small[1], small[0] * small[1]]))
    unit = 1 << bits - 8
    y = (y.reshape(size) / unit - 16) / 219
    u, v = (
        (np.repeat(np.repeat(c.reshape(small), down, 0), across, 1)[:height, :width] / unit - 128) / 224 for c in (u, v)
    )
    kr, kb = _RED_BLUE[matrix]
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    alpha = a.reshape(size) / ((1 << bits) - 1) if a.size else np.ones(size)
    return np.dstack((red, green, blue, alpha)) * 255


def _pattern(out: Path) -> Path:
    return out / "%05d.png" if out.is_dir() else out

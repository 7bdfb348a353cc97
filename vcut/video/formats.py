"""Output formats, one row each, and the rules by which an option and a file name choose them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vcut.errors import OptionError, OutputError


@dataclass(frozen=True)
class Format:
    """One way to write a result.

    Attributes:
        name: what the user types.
        kind: one video file, a folder of pictures, one small animated picture, or one text file of lines.
        content: what a frame shows: the cut-out with straight alpha; the cut-out over a background; objects drawn over
            the clip; original, matte and cut-out side by side; ids; alpha as grey; run lengths of each object.
        suffix: of the file, with its dot; "" for a folder.
        codec: ffmpeg's encoder; "" where it is none of ffmpeg's.
        pixel_format: ffmpeg's name of what the encoder is fed with.
        depth: bits a channel that the file holds.
        alpha: whether the file carries transparency.
        summary: one line for the help.
        options: options of the encoder.
        container_options: options of the file format.
        tag: four letters that say the codec to players, where ffmpeg's own choice is not the one they know.
        even_size: whether the encoder refuses odd widths and heights.
        sound: whether the file may hold sound; which codec it becomes is up to :mod:`vcut.video.audio`.
        backdrop: colour behind a composite; "" where ``--background`` has to say.
    """

    name: str
    kind: Literal["video", "sequence", "animation", "lines"]
    content: Literal["cutout", "composite", "overlay", "split", "labels", "matte", "rle"]
    suffix: str
    codec: str
    pixel_format: str
    alpha: bool
    summary: str
    depth: int = 8
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    container_options: Mapping[str, str] = field(default_factory=dict, hash=False)
    tag: str = ""
    even_size: bool = False
    sound: bool = False
    backdrop: str = ""

    @property
    def soft(self) -> bool:
        """Whether it shows the objects' soft edges."""
        return self.content in ("cutout", "composite", "split", "matte")

    @property
    def sharp(self) -> bool:
        """Whether it shows which pixel belongs to which object."""
        return self.content in ("labels", "overlay", "rle")

    @property
    def folder(self) -> bool:
        """Whether the output is a folder."""
        return self.kind == "sequence"


# What libvpx calls realtime takes a fourth to a sixth of the time of "good" (cpu-used 4), and two steps of crf make up
# for it: at 18, colours are 0.1 to 0.2 dB nearer to the truth than at 20 there, alpha is as near, and files are 15 to
# 18 % larger (720p and 1080p). It has no alternate reference frames with alpha.
_VP9 = {
    "deadline": "realtime",
    "cpu-used": "6",
    "row-mt": "1",
    "tile-columns": "2",
    "auto-alt-ref": "0",
    "crf": "18",
    "b": "0",
}
# Chroma quantised as finely as 2/255 in RGB wants it: at x264's own offset flat colours are up to seven levels off.
_H264 = {"crf": "16", "preset": "veryfast", "x264-params": "chroma-qp-offset=-12:trellis=0:aq-mode=0"}
# x265 (4.2) has its faults. With B-frames it gives no decoding times in clips of one or two frames, and the file cannot
# be written. Its cutree (AVX2) writes past its memory in pictures of 34 to 48 columns. Its lookahead takes pictures off
# a list that a thread of the pool may be adding to (Lookahead::getDecidedPicture), so there is no pool; frames are
# encoded side by side instead.
_X265 = "log-level=error:cbqpoffs=-6:crqpoffs=-6:bframes=0:cutree=0:pools=none:frame-threads=4"
_H265 = {"crf": "16", "preset": "fast", "x265-params": _X265}
# The finest quantiser for all (118 is FFmpeg's for 1). With alpha, prores_ks ends there whatever it is shown, after a
# search that takes four times as long as to encode; of a matte no frame is so full that it would be another.
_PRORES = {"vendor": "apl0", "flags": "+qscale", "global_quality": "118"}
_FFV1 = {"level": "3", "g": "1", "slices": "16", "slicecrc": "1"}  # each frame stands alone and checks itself
_PNG = {"pred": "mixed", "compression_level": "4"}  # twice as fast as 6, a few per cent larger
_WEB_START = {"movflags": "faststart"}  # a browser may begin before the whole file is there
_FOREVER_GIF, _FOREVER_WEBP, _FOREVER_APNG = {"loop": "0"}, {"loop": "0"}, {"plays": "0"}

# The first row of a suffix is the one that the suffix alone means.
_ROWS = (
    Format(
        name="prores",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="prores_ks",
        pixel_format="yuva444p10le",
        depth=10,
        options=_PRORES | {"profile": "4444", "alpha_bits": "16"},
        alpha=True,
        sound=True,
        summary="ProRes 4444 with 16-bit alpha in a .mov, for editors and compositors",
    ),
    Format(
        name="prores-alpha8",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="prores_ks",
        pixel_format="yuva444p10le",
        depth=10,
        options=_PRORES | {"profile": "4444", "alpha_bits": "8"},
        alpha=True,
        sound=True,
        summary="the same with 8-bit alpha, a smaller file",
    ),
    Format(
        name="qtrle",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="qtrle",
        pixel_format="argb",
        alpha=True,
        sound=True,
        summary="QuickTime Animation in a .mov, lossless, large",
    ),
    Format(
        name="pngmov",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="png",
        pixel_format="rgba",
        options=_PNG,
        alpha=True,
        sound=True,
        summary="PNG pictures in a .mov, lossless",
    ),
    Format(
        name="pngmov-16",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="png",
        pixel_format="rgba64be",
        depth=16,
        options=_PNG,
        alpha=True,
        sound=True,
        summary="16-bit PNG pictures in a .mov, lossless",
    ),
    # Grey in ProRes 422 HQ, not H.264: editors take it as a track matte at once, every frame stands alone, 10 bits
    # keep soft edges smooth, and black and white come back exact.
    Format(
        name="matte-video",
        kind="video",
        content="matte",
        suffix=".mov",
        codec="prores_ks",
        pixel_format="yuv422p10le",
        depth=10,
        options=_PRORES | {"profile": "hq"},
        alpha=False,
        sound=True,
        summary="opacity as a grey ProRes 422 HQ video, a luma matte for editors",
    ),
    Format(
        name="webm",
        kind="video",
        content="cutout",
        suffix=".webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        options=_VP9,
        alpha=True,
        sound=True,
        summary="VP9 with alpha in a .webm, for browsers",
    ),
    Format(
        name="webm444",
        kind="video",
        content="cutout",
        suffix=".webm",
        codec="libvpx-vp9",
        pixel_format="yuva444p",
        options=_VP9 | {"strict": "experimental"},  # ffmpeg's word for: few players know it
        alpha=True,
        sound=True,
        summary="VP9 with alpha and full colour resolution; fewer players know it",
    ),
    Format(
        name="ffv1",
        kind="video",
        content="cutout",
        suffix=".mkv",
        codec="ffv1",
        pixel_format="bgra",
        options=_FFV1,
        alpha=True,
        sound=True,
        summary="FFV1 in a .mkv, lossless, for archives and further work",
    ),
    Format(
        name="ffv1-16",
        kind="video",
        content="cutout",
        suffix=".mkv",
        codec="ffv1",
        pixel_format="gbrap16le",
        depth=16,
        options=_FFV1,
        alpha=True,
        sound=True,
        summary="16-bit FFV1 in a .mkv, lossless",
    ),
    Format(
        name="overlay",
        kind="video",
        content="overlay",
        suffix=".mp4",
        codec="libx264",
        pixel_format="yuv420p",
        options=_H264,
        container_options=_WEB_START,
        alpha=False,
        even_size=True,
        sound=True,
        summary="the clip with its objects tinted and outlined, H.264 in a .mp4, to look at",
    ),
    Format(
        name="split",
        kind="video",
        content="split",
        suffix=".mp4",
        codec="libx264",
        pixel_format="yuv420p",
        options=_H264,
        container_options=_WEB_START,
        alpha=False,
        even_size=True,
        sound=True,
        summary="original, matte and cut-out side by side, H.264 in a .mp4, for review",
    ),
    Format(
        name="green",
        kind="video",
        content="composite",
        suffix=".mp4",
        codec="libx264",
        pixel_format="yuv420p",
        options=_H264,
        container_options=_WEB_START,
        alpha=False,
        even_size=True,
        sound=True,
        backdrop="green",
        summary="the objects on a green screen, H.264 in a .mp4",
    ),
    Format(
        name="composite",
        kind="video",
        content="composite",
        suffix=".mp4",
        codec="libx264",
        pixel_format="yuv420p",
        options=_H264,
        container_options=_WEB_START,
        alpha=False,
        even_size=True,
        sound=True,
        summary="the objects over --background, H.264 in a .mp4",
    ),
    Format(
        name="composite-h265",
        kind="video",
        content="composite",
        suffix=".mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        depth=10,
        options=_H265,
        container_options=_WEB_START,
        tag="hvc1",  # QuickTime does not know ffmpeg's hev1
        alpha=False,
        even_size=True,
        sound=True,
        summary="the objects over --background, 10-bit H.265 in a .mp4",
    ),
    Format(
        name="labels",
        kind="sequence",
        content="labels",
        suffix="",
        codec="png",
        pixel_format="pal8",
        alpha=False,
        summary="a folder of indexed PNG, the pixel is the object's number (DAVIS palette)",
    ),
    Format(
        name="matte",
        kind="sequence",
        content="matte",
        suffix="",
        codec="png",
        pixel_format="gray",
        options=_PNG,
        alpha=False,
        summary="a folder of grey PNG, 0 background to 255 object, soft edges kept",
    ),
    Format(
        name="matte-16",
        kind="sequence",
        content="matte",
        suffix="",
        codec="png",
        pixel_format="gray16be",
        depth=16,
        options=_PNG,
        alpha=False,
        summary="the same in 16 bits",
    ),
    Format(
        name="rgba",
        kind="sequence",
        content="cutout",
        suffix="",
        codec="png",
        pixel_format="rgba",
        options=_PNG,
        alpha=True,
        summary="a folder of PNG with straight alpha",
    ),
    Format(
        name="rgba-16",
        kind="sequence",
        content="cutout",
        suffix="",
        codec="png",
        pixel_format="rgba64be",
        depth=16,
        options=_PNG,
        alpha=True,
        summary="the same in 16 bits",
    ),
    Format(
        name="rle",
        kind="lines",
        content="rle",
        suffix=".jsonl",
        codec="",
        pixel_format="",
        alpha=False,
        summary="COCO run lengths, a line of JSON for each frame and object",
    ),
    Format(
        name="gif",
        kind="animation",
        content="cutout",
        suffix=".gif",
        codec="gif",
        pixel_format="pal8",
        container_options=_FOREVER_GIF,
        alpha=True,
        summary="a small preview with hard edges",
    ),
    Format(
        name="webp",
        kind="animation",
        content="cutout",
        suffix=".webp",
        codec="libwebp_anim",
        pixel_format="bgra",
        options={"quality": "95"},
        container_options=_FOREVER_WEBP,
        alpha=True,
        summary="a small preview with soft alpha",
    ),
    Format(
        name="apng",
        kind="animation",
        content="cutout",
        suffix=".apng",
        codec="apng",
        pixel_format="rgba",
        options=_PNG,
        container_options=_FOREVER_APNG,
        alpha=True,
        summary="a small preview with soft alpha, lossless",
    ),
)

FORMATS: Mapping[str, Format] = {row.name: row for row in _ROWS}
DEFAULT_FORMAT = "prores"

_BY_SUFFIX = {row.suffix: row for row in reversed(_ROWS)}
_FILE_SUFFIXES = [suffix for suffix in reversed(_BY_SUFFIX) if suffix]


def resolve_outputs(
    names: str | None, out: Path | None, source: Path, background: bool = False
) -> list[tuple[Format, Path]]:
    """The formats asked for, and where each goes.

    One format goes to ``out``, or beside the source as :func:`default_output` says. Several go beside the source
    likewise; or ``out`` is their common beginning, so that ``cut/rabbit`` gives ``cut/rabbit_prores.mov`` and
    ``cut/rabbit_labels``; or ``out`` is a folder that is there, and they go into it by the source's name
    (``cut/clip_prores.mov``).

    Args:
        names: names of formats with commas between them, each once; None to tell it from ``out``.
        out: what the user gives as output.
        source: the clip.
        background: whether there is a background to put behind the objects.

    Returns:
        One or more rows and paths, in the order of ``names``; no path comes twice.

    Raises:
        OptionError: there is no format of that name, one comes twice, or background and formats do not go together.
        OutputError: ``out`` does not fit the formats, or tells none.
    """
    asked = [name.strip() for name in names.split(",")] if names is not None else [None]
    formats = [resolve_format(name, out if len(asked) == 1 else None, background) for name in asked]
    for place, fmt in enumerate(formats):
        if fmt in formats[:place]:
            raise OptionError(f"the format {fmt.name} is asked for twice", "name each once")
    _check_background(formats, background)
    if len(formats) == 1:
        return [(formats[0], default_output(source, formats[0]) if out is None else out)]
    if out is None:
        return [(fmt, default_output(source, fmt)) for fmt in formats]
    if out.is_dir():
        out = out / _stem(source)
    elif out.suffix.lower() in (*_FILE_SUFFIXES, ".png"):
        given = ", ".join(f"{out.stem}_{fmt.name}{fmt.suffix}" for fmt in formats)
        raise OutputError(
            f"{out} names one file, and {len(formats)} formats are asked for",
            f"leave {out.suffix} off to get {given}, or give a folder that is there",
        )
    return [(fmt, out.with_name(f"{out.name}_{fmt.name}{fmt.suffix}")) for fmt in formats]


def resolve_format(name: str | None, out: Path | None, background: bool = False) -> Format:
    """The format asked for by name, or told by where the result goes.

    A name that ends in a format's is of that format where its suffix fits: ``clip_qtrle.mov``, ``my-split.mp4``,
    ``shot_rgba``. Else ``.mov`` is prores, ``.webm`` webm, ``.mkv`` ffv1, ``.mp4`` overlay (with a background
    composite), ``.jsonl`` rle, and a name without suffix is labels. With neither given it is
    :data:`DEFAULT_FORMAT`, or with a background composite.

    Raises:
        OptionError: there is no format of that name.
        OutputError: ``out`` does not fit the format, or tells none.
    """
    if name is not None:
        if name not in FORMATS:
            raise OptionError(f"there is no format {name!r}", f"choose one of {', '.join(FORMATS)}")
        if out is not None:
            check_suffix(FORMATS[name], out)
        return FORMATS[name]
    if out is None:
        return FORMATS["composite" if background else DEFAULT_FORMAT]
    suffix = out.suffix.lower()
    if suffix not in _BY_SUFFIX:
        raise OutputError(
            f"the format of {out} cannot be told from {suffix!r}",
            f"end the name in {', '.join(_FILE_SUFFIXES)}, or in nothing for a folder of PNG, or give --format",
        )
    said = [row for row in _ROWS if row.suffix == suffix and _says(out.stem, row.name)]
    if said:
        return max(said, key=lambda row: len(row.name))
    if background and suffix == FORMATS["composite"].suffix:
        return FORMATS["composite"]
    return _BY_SUFFIX[suffix]


def check_suffix(fmt: Format, out: Path) -> None:
    """Check that the name of an output fits its format; a folder may have any suffix that is not a file's.

    Raises:
        OutputError: it does not.
    """
    suffix = out.suffix.lower()
    if fmt.folder:
        if suffix in _FILE_SUFFIXES or suffix == ".png":
            raise OutputError(f"{fmt.name} is written as a folder of PNG, not as {out}", "leave the suffix off")
        return
    if suffix == fmt.suffix:
        return
    if fmt.alpha and suffix in _FILE_SUFFIXES and not _BY_SUFFIX[suffix].alpha:
        able = ", ".join(
            f"{row.suffix} ({row.name})" for row in map(_BY_SUFFIX.get, _FILE_SUFFIXES) if row.alpha and row.sound
        )
        raise OutputError(
            f"a {suffix} file cannot hold transparency ({fmt.name}): {out}", f"write to {able}, or a folder (rgba)"
        )
    raise OutputError(f"{fmt.name} is written to a {fmt.suffix} file, not to {out}", f"end the name in {fmt.suffix}")


def default_output(source: Path, fmt: Format) -> Path:
    """Where a result goes unless the user says: beside the source, as clip_cutout.mov, clip_qtrle.mov or clip_labels.

    The format that a suffix alone means is named by what it shows, the others by their own name, so that no two are
    the same, and each tells its format.
    """
    source = source if source.name else source.resolve()
    told = fmt.content if _BY_SUFFIX[fmt.suffix] is fmt else fmt.name
    return source.with_name(f"{_stem(source)}_{told}{fmt.suffix}")


def object_outputs(out: Path, ids: Sequence[int], names: Mapping[int, str] | None = None) -> dict[int, Path]:
    """Where each object goes when each has an output of its own: clip_cutout_2.mov, or clip_cutout_dog.mov.

    Args:
        out: the output of all together.
        ids: the objects.
        names: what some of them are called. Whatever is no letter, digit or dash becomes an underline; of a name that
            two share, or that says nothing, the number is the better name and is added or used.
    """
    words = {identifier: re.sub(r"[^\w-]+", "_", (names or {}).get(identifier, "")).strip("_") for identifier in ids}
    lowered = [word.lower() for word in words.values()]
    paths = {}
    for identifier, word in words.items():
        alone = word and lowered.count(word.lower()) == 1 and not word.isdecimal()
        ending = word if alone else f"{word}_{identifier}" if word and not word.isdecimal() else str(identifier)
        paths[identifier] = out.with_name(f"{_without_suffix(out)}_{ending}{_file_suffix(out)}")
    return paths


def _check_background(formats: Sequence[Format], background: bool) -> None:
    lacking = [fmt.name for fmt in formats if fmt.content == "composite" and not fmt.backdrop]
    if lacking and not background:
        raise OptionError(
            f"{lacking[0]} lays the objects over a background, and none is given",
            "give --background with a colour, a picture or a video, or take --format green",
        )
    if background and not lacking and all(fmt.content != "split" for fmt in formats):
        able = ", ".join(row.name for row in _ROWS if row.content in ("composite", "split") and not row.backdrop)
        raise OptionError(
            f"--background is not to be seen in {', '.join(fmt.name for fmt in formats)}", f"add one of {able}"
        )


def _says(stem: str, name: str) -> bool:
    """Whether a file's name without suffix ends in the name of a format, as a word."""
    stem = stem.lower()
    return stem == name or (stem.endswith(name) and not stem[-len(name) - 1].isalnum())


def _stem(source: Path) -> str:
    source = source if source.name else source.resolve()
    return source.name if source.is_dir() else source.stem


def _file_suffix(out: Path) -> str:
    return out.suffix if out.suffix.lower() in _FILE_SUFFIXES else ""


def _without_suffix(out: Path) -> str:
    return out.stem if _file_suffix(out) else out.name

"""Output formats, one row each, and the rules by which an option and a file name choose one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vcut.errors import OptionError, OutputError


@dataclass(frozen=True)
class Format:
    """One way to write a result.

    Attributes:
        name: what the user types.
        kind: one video file, or a folder of pictures.
        content: what a frame shows: the cut-out with straight alpha, objects drawn over the clip, ids, or
            alpha as grey.
        suffix: of the file, with its dot; "" for a folder.
        codec: ffmpeg's encoder; "png" for folders.
        pixel_format: ffmpeg's name of what the encoder is fed with.
        options: options of the encoder.
        alpha: whether the file carries transparency.
        even_size: whether the encoder refuses odd widths and heights.
        summary: one line for the help.
    """

    name: str
    kind: Literal["video", "sequence"]
    content: Literal["cutout", "overlay", "labels", "matte"]
    suffix: str
    codec: str
    pixel_format: str
    alpha: bool
    summary: str
    even_size: bool = False
    options: Mapping[str, str] = field(default_factory=dict, hash=False)


_ROWS = (
    Format(
        name="prores",
        kind="video",
        content="cutout",
        suffix=".mov",
        codec="prores_ks",
        pixel_format="yuva444p10le",
        options={"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
        alpha=True,
        summary="ProRes 4444 with alpha in a .mov, for editors and compositors",
    ),
    Format(
        name="webm",
        kind="video",
        content="cutout",
        suffix=".webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        options={
            "auto-alt-ref": "0",  # libvpx has no alternate reference frames with alpha
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
            "crf": "24",
            "b": "0",
        },
        alpha=True,
        summary="VP9 with alpha in a .webm, for browsers",
    ),
    Format(
        name="overlay",
        kind="video",
        content="overlay",
        suffix=".mp4",
        codec="libx264",
        pixel_format="yuv420p",
        options={"crf": "18", "preset": "veryfast"},
        alpha=False,
        even_size=True,
        summary="the clip with its objects tinted and outlined, H.264 in a .mp4, to look at",
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
        alpha=False,
        summary="a folder of grey PNG, 0 background to 255 object, soft edges kept",
    ),
)

FORMATS: Mapping[str, Format] = {row.name: row for row in _ROWS}
DEFAULT_FORMAT = "prores"

_BY_SUFFIX = {row.suffix: row for row in _ROWS if row.suffix}


def resolve_format(name: str | None, out: Path | None) -> Format:
    """The format asked for by name, or told by where the result goes.

    ``.mov`` is prores, ``.webm`` webm, ``.mp4`` overlay; a name without suffix is labels, or matte when it
    ends so. With neither given it is :data:`DEFAULT_FORMAT`.

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
        return FORMATS[DEFAULT_FORMAT]
    suffix = out.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix:
        raise OutputError(
            f"the format of {out} cannot be told from {suffix!r}",
            f"end the name in {', '.join(_BY_SUFFIX)}, or in nothing for a folder of PNG, or give --format",
        )
    return FORMATS["matte" if out.name.lower().endswith("matte") else "labels"]


def check_suffix(fmt: Format, out: Path) -> None:
    """Check that the name of an output fits its format; a folder may have any suffix that is not a file's.

    Raises:
        OutputError: it does not.
    """
    suffix = out.suffix.lower()
    if fmt.kind == "sequence":
        if suffix in _BY_SUFFIX or suffix == ".png":
            raise OutputError(f"{fmt.name} is written as a folder of PNG, not as {out}", "leave the suffix off")
        return
    if suffix == fmt.suffix:
        return
    if fmt.alpha and suffix in _BY_SUFFIX and not _BY_SUFFIX[suffix].alpha:
        able = ", ".join(f"{row.suffix} ({row.name})" for row in _ROWS if row.alpha)
        raise OutputError(f"a {suffix} file cannot hold transparency ({fmt.name}): {out}", f"write to {able}")
    raise OutputError(f"{fmt.name} is written to a {fmt.suffix} file, not to {out}", f"end the name in {fmt.suffix}")


def default_output(source: Path, fmt: Format) -> Path:
    """Where a result goes unless the user says: beside the source, as clip_cutout.mov or clip_labels."""
    source = source if source.name else source.resolve()
    stem = source.name if source.is_dir() else source.stem
    return source.with_name(f"{stem}_{fmt.content}{fmt.suffix}")

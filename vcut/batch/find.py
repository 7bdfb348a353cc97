"""Clips in a folder, and the mask of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcut.batch.storage import is_folder, reaching
from vcut.errors import InputError
from vcut.video.frames import IMAGE_SUFFIXES, natural_key

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts"}
    | {".vob", ".webm", ".wmv", ".y4m"}
)
MASK_SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_DAVIS_FRAMES, _DAVIS_MASKS = "JPEGImages", "Annotations"


@dataclass(frozen=True)
class Found:
    """A clip and what belongs to it.

    Attributes:
        name: its path below the folder, with ``/`` between; in a list, as the list has it.
        clip: a video, or a folder of pictures.
        mask: of its first frame; ``None`` when there is none.
        output: where its result goes, where a list says so.
        options: of this clip alone, by the names of :func:`vcut.options.read_options`.
    """

    name: str
    clip: Path
    mask: Path | None
    output: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)


def find_clips(folder: Path, leave_out: Path | None = None) -> list[Found]:
    """All clips below a folder, in natural order.

    The mask of ``clip.mp4`` is ``clip.png``, ``clip_mask.png``, ``clip.mask.png`` or ``masks/clip.png`` (any kind of
    picture that keeps its pixels). A folder of pictures is a clip where it has a mask by the same rule. A folder with
    ``JPEGImages`` and ``Annotations`` is read as DAVIS has it: the mask of a sequence is its first annotation.

    Args:
        folder: to search.
        leave_out: a folder below it that is not searched, such as the one for results.

    Raises:
        InputError: the folder cannot be read, or holds no clip.
    """
    if not is_folder(folder):
        raise InputError(f"{folder} is not a folder", "give a folder of clips, or a list (.csv, .jsonl, .yaml)")
    try:
        with reaching(folder):
            found = list(_davis(folder)) if _is_davis(folder) else list(_search(folder, folder, leave_out))
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}", "check its permissions") from error
    if not found:
        raise InputError(f"{folder} holds no clips", "give a folder of videos, each with a mask: clip.mp4 and clip.png")
    return found


def _search(folder: Path, root: Path, leave_out: Path | None) -> Iterator[Found]:
    if leave_out is not None and folder.resolve() == leave_out.resolve():
        return
    # once each: an object that stands for the folder itself may look like a folder of its name in it
    for path in sorted({path for path in folder.iterdir() if not path.name.startswith(".")}, key=_order):
        if path.is_dir():
            mask = find_mask(path) if _has_pictures(path) else None
            if mask is not None:
                yield Found(_name(path, root), path, mask)
            else:
                yield from _search(path, root, leave_out)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            yield Found(_name(path, root), path, find_mask(path))


def find_mask(clip: Path) -> Path | None:
    """The mask beside a clip, by its name; ``None`` when there is none."""
    stem = clip.name if clip.is_dir() else clip.stem
    for name in (stem, f"{stem}_mask", f"{stem}.mask", f"masks/{stem}"):
        for suffix in MASK_SUFFIXES:
            path = clip.parent / f"{name}{suffix}"
            if path.is_file():
                return path
    return None


def _davis(folder: Path) -> Iterator[Found]:
    frames = _resolution(folder / _DAVIS_FRAMES)
    masks = _resolution(folder / _DAVIS_MASKS)
    for sequence in sorted(
        (path for path in frames.iterdir() if path.is_dir()), key=lambda path: natural_key(path.name)
    ):
        own = masks / sequence.name
        first = sorted(own.glob("*.png"), key=lambda path: natural_key(path.name))[:1] if own.is_dir() else []
        yield Found(sequence.name, sequence, first[0] if first else None)


def _resolution(folder: Path) -> Path:
    """DAVIS keeps its sequences in a folder of their resolution, other sets do not."""
    inner = folder / "480p"
    return inner if inner.is_dir() else folder


def _is_davis(folder: Path) -> bool:
    return (folder / _DAVIS_FRAMES).is_dir() and (folder / _DAVIS_MASKS).is_dir()


def _has_pictures(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() for path in folder.iterdir())


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _order(path: Path) -> tuple[list[str | int], str]:
    return natural_key(path.name)

"""Patterns of numbered pictures: ``shot_%04d.png`` as in ffmpeg, ``shot_####.png`` as in compositors."""

from __future__ import annotations

import re
from pathlib import Path

from vcut.errors import InputError

_PLACE = re.compile(r"%(?:0(\d+))?d|(#+)")


def pattern_pictures(path: Path) -> list[tuple[int, Path]] | None:
    """The files of a pattern with their numbers, growing; None when the name is none, or is that of a file.

    The number stands in the file's name, not in a folder's; ``%04d`` and ``####`` are at least four digits filled up
    with zeros, ``%d`` and ``#`` have none filled up.

    Raises:
        InputError: no file fits, or the folder cannot be read.
    """
    places = list(_PLACE.finditer(path.name))
    if len(places) != 1 or path.exists():
        return None
    (place,) = places
    width = int(place[1] or 1) if place[2] is None else len(place[2])
    before, after = re.escape(path.name[: place.start()]), re.escape(path.name[place.end() :])
    fits = re.compile(rf"{before}(\d{{{width}}}|[1-9]\d{{{width},}}){after}", re.ASCII)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError as error:
        raise InputError(f"cannot read the folder {path.parent}: {error.strerror}", "check the path") from error
    found = sorted((int(match[1]), path.with_name(name)) for name in names if (match := fits.fullmatch(name)))
    if not found:
        example = path.name[: place.start()] + "1".zfill(width) + path.name[place.end() :]
        raise InputError(f"no picture fits {path}", f"it would take names like {example}")
    return found

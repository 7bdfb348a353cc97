"""What objects are called: a JSON file beside the mask."""

from __future__ import annotations

import json
from pathlib import Path

from vcut.errors import MaskError

_FIX = 'write {"1": "dog", "2": "ball"}'


def read_names(path: Path) -> dict[int, str]:
    """Object ids and their names, from ``{"1": "dog", "2": "ball"}``.

    Raises:
        MaskError: the file cannot be read, or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MaskError(f"cannot read the names in {path}: {error.strerror}", "check --names") from error
    except ValueError as error:
        raise MaskError(f"the names in {path} are no JSON", _FIX) from error
    if not isinstance(values, dict):
        raise MaskError(f"the names in {path} are not by object number", _FIX)
    for key, name in values.items():
        if not (key.isdecimal() and 0 < int(key) < 256) or not isinstance(name, str):
            raise MaskError(f"{path}: {json.dumps(key)}: {json.dumps(name)} is no object number with a name", _FIX)
    return {int(key): name for key, name in values.items()}


def sidecar(mask: Path) -> Path | None:
    """The names beside a mask, ``frame0.json`` of ``frame0.png``, if they are there."""
    path = mask.with_suffix(".json")
    return path if path != mask and path.is_file() else None

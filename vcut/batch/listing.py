"""A list of clips in a file: CSV, JSON lines or YAML, a row a clip, with options of its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from vcut.batch.find import Found, find_mask
from vcut.batch.storage import beside, reaching
from vcut.errors import InputError

SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")

_FIX = "write rows of clip, mask and, if need be, output and options such as start or format"


def read_list(path: Path) -> list[Found]:
    """The clips of a list, in its order. Paths are relative to the list's folder, or addresses in
    storage.

    Columns or keys: ``clip`` (a must), ``mask`` (else found beside the clip, see :mod:`vcut.batch.find`), ``output``,
    and options of ``vcut segment`` by their names (``start``, ``split-objects``, ``audio``); empty ones count as not
    given.

    Raises:
        InputError: the file cannot be read, or has a row without a clip.
    """
    try:
        with reaching(path):
            rows = _rows(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as {path.suffix[1:]}: {_line(error)}", _FIX) from error
    with reaching(path):
        return [_found(row, number, path) for number, row in enumerate(rows, 1)]


def _rows(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8-sig")
    match path.suffix.lower():
        case ".csv":
            return list(csv.DictReader(text.splitlines()))
        case ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    import yaml  # comes with huggingface-hub

    try:
        rows = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(_line(error)) from error
    if not isinstance(rows, list):
        raise ValueError("not a list of clips")
    return rows


def _found(row: Any, number: int, path: Path) -> Found:
    if not isinstance(row, dict) or not row.get("clip"):
        raise InputError(f"{path}: row {number} has no clip", _FIX)
    if None in row:  # what csv calls the columns that have no name
        raise InputError(f"{path}: row {number} has more columns than the first line", _FIX)
    given = {str(key).strip().replace("-", "_"): value for key, value in row.items() if value not in (None, "")}
    name = str(given.pop("clip"))
    clip = beside(path.parent, name)
    mask = given.pop("mask", None)
    output = given.pop("output", None)
    return Found(
        name,
        clip,
        beside(path.parent, str(mask)) if mask else find_mask(clip),
        beside(path.parent, str(output)) if output else None,
        given,
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

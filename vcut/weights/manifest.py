"""The manifest: one row a weight file, with its hash, licence, recipe and measured scores.

``manifest.json`` lies beside the files it lists, here and in a Hub repository alike::

    {"format": "vcut-manifest-1", "weights": [{"name": "gam-s", "file": "gam-s.safetensors", ...}]}
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcut.atomic import replacing
from vcut.errors import WeightsError

DEFAULT = "gam-s"
"""The weights used when none are named."""

FILE_NAME = "manifest.json"

_FORMAT = "vcut-manifest-1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPES: dict[str, type] = {
    "name": str,
    "file": str,
    "sha256": str,
    "size": int,
    "architecture": str,
    "licence": str,
    "recipe": str,
    "scores": dict,
    "preprocessing": dict,
}


@dataclass(frozen=True)
class WeightsEntry:
    """One row.

    Attributes:
        name: what ``--weights`` takes.
        file: file name beside the manifest, without folders.
        sha256: of the file, 64 lower-case hex digits.
        size: of the file, bytes.
        architecture: a name in :mod:`vcut.models.registry`.
        licence: one sentence on what the weights may be used for.
        recipe: how they were trained.
        scores: measured, by data set and then by measure: ``{"dev": {"J&F": .., "J": .., "F": ..}}``.
        preprocessing: ``mean`` and ``std`` of RGB in 0..1 (three numbers each), and the ``stride`` that
            frames are padded to (pixels).
    """

    name: str
    file: str
    sha256: str
    size: int
    architecture: str
    licence: str
    recipe: str
    scores: dict[str, dict[str, float]]
    preprocessing: dict[str, Any]


def bundled_dir() -> Path:
    """The folder of the weights that come with vcut: in the package when installed, else the repository's."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_weights"
    return installed if installed.is_dir() else package.parent / "weights"


def load_manifest(folder: Path | None = None) -> dict[str, WeightsEntry]:
    """Rows of ``folder/manifest.json`` (default: the bundled one) by name.

    Raises:
        WeightsError: no manifest, or a bad one.
    """
    return read_manifest((folder or bundled_dir()) / FILE_NAME)


def find_entry(name: str) -> WeightsEntry:
    """The bundled manifest's row of that name.

    Raises:
        WeightsError: an unknown name; or no manifest, or a bad one.
    """
    rows = load_manifest()
    if name not in rows:
        raise WeightsError(f"unknown weights '{name}'", f"known names: {', '.join(rows) or 'none'}")
    return rows[name]


def read_manifest(path: Path) -> dict[str, WeightsEntry]:
    """Rows of a manifest file by name, in its order. Fields this version does not know are skipped.

    Raises:
        WeightsError: no such file, or a bad one.
    """
    fix = "install vcut-video again, or give a weight file"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"cannot read the manifest {path} ({error.strerror})", fix) from error
    except ValueError as error:
        raise WeightsError(f"manifest {path} is not JSON ({error})", fix) from error
    try:
        return _rows(content)
    except ValueError as error:
        raise WeightsError(f"bad manifest {path}: {error}", fix) from error


def write_entry(folder: Path, entry: WeightsEntry) -> None:
    """Adds a row to ``folder/manifest.json``, or replaces the one of that name; rows are kept sorted by name.

    Raises:
        WeightsError: the manifest there is a bad one, or the entry breaks its rules.
        OutputError: the manifest cannot be written.
    """
    path = folder / FILE_NAME
    rows = read_manifest(path) if path.exists() else {}
    rows[entry.name] = entry
    content = {"format": _FORMAT, "weights": [dataclasses.asdict(rows[name]) for name in sorted(rows)]}
    try:
        _rows(content)
    except ValueError as error:
        raise WeightsError(f"cannot add '{entry.name}' to {path}: {error}") from error
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _rows(content: Any) -> dict[str, WeightsEntry]:
    """Checked rows by name. Raises ValueError that says which row is wrong, and how."""
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f'"format" is not "{_FORMAT}"')
    if not isinstance(content.get("weights"), list):
        raise ValueError('"weights" is not a list')
    rows: dict[str, WeightsEntry] = {}
    for index, values in enumerate(content["weights"]):
        entry = _row(index, values)
        if entry.name in rows:
            raise ValueError(f"'{entry.name}' is listed twice")
        rows[entry.name] = entry
    return rows


def _row(index: int, values: Any) -> WeightsEntry:
    """One checked row. Raises ValueError."""
    if not isinstance(values, dict):
        raise ValueError(f"row {index} is not an object")
    where = f"row {index} ('{values.get('name')}')"
    for field, kind in _TYPES.items():
        # a JSON true is an int to Python
        if not isinstance(values.get(field), kind) or isinstance(values[field], bool):
            raise ValueError(f'{where} has no "{field}" of type {kind.__name__}')
    entry = WeightsEntry(**{field: values[field] for field in _TYPES})
    if not _NAME.fullmatch(entry.name):
        raise ValueError(f"{where}: a name has letters, digits, '.', '_' and '-' only")
    if not _NAME.fullmatch(entry.file):
        raise ValueError(f"{where}: \"file\" '{entry.file}' is not a plain file name")
    if not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f'{where}: "sha256" is not 64 lower-case hex digits')
    if entry.size <= 0:
        raise ValueError(f'{where}: "size" is not positive')
    for measures in entry.scores.values():
        if not isinstance(measures, dict) or not all(_is_number(value) for value in measures.values()):
            raise ValueError(f'{where}: "scores" are not numbers by data set and measure')
    for field in ("mean", "std"):
        triple = entry.preprocessing.get(field)
        if not isinstance(triple, list | tuple) or len(triple) != 3 or not all(map(_is_number, triple)):
            raise ValueError(f'{where}: "preprocessing" has no "{field}" of three numbers')
    stride = entry.preprocessing.get("stride")
    if not isinstance(stride, int) or isinstance(stride, bool) or stride <= 0:
        raise ValueError(f'{where}: "preprocessing" has no positive "stride"')
    return entry


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""Is a weight file the one its manifest row describes? Sizes and sha256."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from vcut.errors import WeightsError
from vcut.weights.manifest import WeightsEntry


def stamp(path: Path) -> tuple[Path, int, int]:
    """A file's own path (symlinks followed), size in bytes and time of change in ns: the same as long as it is.

    Raises:
        OSError: it is not there.
    """
    # the Hub's cache links to a blob, and the blob is what has to be removed when it is damaged
    real = path.resolve()
    stat = real.stat()
    return real, stat.st_size, stat.st_mtime_ns


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_once(path: Path) -> str:
    """:func:`sha256_of`; in one process a file that has not changed is read once."""
    return _sha256(*stamp(path))


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    return sha256_of(path)


def check_file(path: Path, entry: WeightsEntry, fix: str) -> None:
    """Compares a file with its manifest row: size and sha256.

    Args:
        path: the file.
        entry: its row.
        fix: what the user can do when it does not match.

    Raises:
        WeightsError: the file is missing, unreadable, or is not the one in the row.
    """
    try:
        real, size, _ = stamp(path)
        if size != entry.size:
            raise WeightsError(f"{real} has {size} bytes, '{entry.name}' should have {entry.size}", fix)
        if sha256_once(real) != entry.sha256:
            raise WeightsError(f"{real} is damaged: its sha256 is not that of '{entry.name}' in the manifest", fix)
    except OSError as error:
        raise WeightsError(f"cannot read weights {path} ({error.strerror or error})", fix) from error

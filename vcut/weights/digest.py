"""Is a weight file the one its manifest row describes? Sizes and sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vcut.errors import WeightsError
from vcut.weights.manifest import WeightsEntry

_verified: set[tuple[Path, int, int, str]] = set()
"""(path, size, mtime_ns, sha256) of files already hashed in this process."""


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, entry: WeightsEntry, fix: str) -> None:
    """Hashes a file against its manifest row; in one process an unchanged file is hashed once.

    Args:
        path: the file.
        entry: its row.
        fix: what the user can do when it does not match.

    Raises:
        WeightsError: the file is missing, unreadable, or is not the one in the row.
    """
    try:
        # symlinks followed: the Hub's cache links to a blob, and the blob is what has to be removed
        real = path.resolve()
        stat = real.stat()
        if stat.st_size != entry.size:
            raise WeightsError(f"{real} has {stat.st_size} bytes, '{entry.name}' should have {entry.size}", fix)
        seen = (real, stat.st_size, stat.st_mtime_ns, entry.sha256)
        if seen in _verified:
            return
        if sha256_of(real) != entry.sha256:
            raise WeightsError(f"{real} is damaged: its sha256 is not that of '{entry.name}' in the manifest", fix)
        _verified.add(seen)
    except OSError as error:
        raise WeightsError(f"cannot read weights {path} ({error.strerror or error})", fix) from error

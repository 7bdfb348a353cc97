"""Where an output goes: checks before any work, a hidden temporary, the move to its name at the end."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

from vcut.errors import OutputError
from vcut.video.formats import Format, check_suffix

HIDDEN = ".vcut-tmp-"
"""In the names of what is not whole yet, after the name it will have; before it stands a dot."""


def prepare(out: Path, fmt: Format, source: Path, overwrite: bool) -> None:
    """Check that ``out`` may be written, and make the folders it goes into.

    Raises:
        OutputError: the name does not fit the format, it is (or holds) the source, it exists and may not be
            replaced, or its folder cannot be made or written.
    """
    check_suffix(fmt, out)
    _check_source(out, source)
    check_replaceable(out, fmt, overwrite)
    parent = out.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {parent}: {error.strerror}", "choose another output") from error
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {parent} cannot be written", "choose another output, or change its permissions")


def temporary_path(out: Path, fmt: Format) -> Path:
    """A hidden name in the same folder, so that the move to ``out`` is one rename."""
    return out.with_name(f".{out.name}{HIDDEN}{os.getpid()}{fmt.suffix}")


def discard(temporary: Path) -> None:
    """Remove a temporary file or folder, if it is there."""
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def sweep(out: Path) -> None:
    """Remove what a process that was killed has left of an output; none may be at work on it."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.vcut-*"):
        if not left.name.endswith(".vcut-run"):
            discard(left)


def publish(temporary: Path, out: Path, fmt: Format, overwrite: bool) -> None:
    """Give a finished temporary its final name; a former output is replaced only now.

    Raises:
        OutputError: something that may not be replaced is at ``out`` by now, or the move fails.
    """
    former = out.with_name(f".{out.name}.vcut-old-{os.getpid()}")
    try:
        if os.path.lexists(out):
            check_replaceable(out, fmt, overwrite)
            if fmt.folder:
                out.rename(former)
        temporary.replace(out)
    except OSError as error:
        if former.exists() and not out.exists():
            former.rename(out)
        raise OutputError(f"cannot give the result its name {out}: {error.strerror}", "check the folder") from error
    discard(former)


def check_replaceable(out: Path, fmt: Format, overwrite: bool) -> None:
    """Check that what is at ``out``, if anything, may be replaced by an output of ``fmt``.

    Raises:
        OutputError: it may not.
    """
    if not (out.exists() or out.is_symlink()):
        return
    if not overwrite:
        raise OutputError(f"{out} exists already", "give --overwrite to replace it")
    if not fmt.folder:
        if out.is_dir():
            raise OutputError(f"{out} is a folder, and {fmt.name} is written to a file", "choose another output")
        return
    if out.is_symlink() or not out.is_dir():
        raise OutputError(f"{out} is a file, and {fmt.name} is written to a folder", "choose another output")
    for entry in out.iterdir():
        if entry.suffix.lower() != ".png" or not entry.is_file():
            raise OutputError(
                f"the folder {out} holds more than PNG files ({entry.name}) and is left alone",
                "choose another output",
            )


def _check_source(out: Path, source: Path) -> None:
    target, origin = out.resolve(), source.resolve()
    if target == origin or (out.exists() and source.exists() and out.samefile(source)):
        raise OutputError(f"the output {out} is the source itself", "choose another output")
    if target in origin.parents:
        raise OutputError(f"the output {out} is the folder that holds the source", "choose another output")

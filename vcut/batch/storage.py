"""Cloud storage: addresses as paths, and what a storage says of its files, or why it cannot be reached.

An address such as ``s3://bucket/shots`` becomes an object of universal_pathlib that answers like a Path, so that
finding, planning and the record have one code for both.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vcut.atomic import replacing
from vcut.errors import InputError, OptionError, OutputError, VcutError
from vcut.identity import bytes_of, state_of

_LIBRARIES = ("aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "google", "s3fs")
"""Whose errors are those of storage, besides OSError."""

_VERSIONS = ("ETag", "etag", "LastModified", "mtime", "updated")
"""What storages call that by which one version of a file is told from another."""

_AT_ONCE = 16
"""Requests that are made side by side."""

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it logs what it raises, and that is told in one line


def is_address(text: str) -> bool:
    """Whether a text is an address, not a path of this machine."""
    return "://" in text


def place(text: str) -> Path:
    """A path, or what answers like one for an address; what was known of a storage's folders is forgotten.

    Raises:
        OptionError: a kind of storage that is not known, or whose package is not installed.
        InputError: its credentials are bad.
    """
    if not is_address(text):
        return Path(text)
    try:
        from upath import UPath

        path = UPath(text.rstrip("/"))
        with reaching(path):
            path.fs.invalidate_cache()
    except ImportError:
        raise OptionError(f"{text} needs packages for cloud storage", "pip install 'vcut-video[cloud]'") from None
    except ValueError:
        raise OptionError(f"{text} is no storage that vcut knows", "give s3://, gs:// or a path") from None
    return path


def beside(folder: Path, text: str) -> Path:
    """A place as a list in ``folder`` has it: an address, an absolute path, or relative to the list."""
    return place(text) if is_address(text) or Path(text).is_absolute() else folder / text


def is_remote(path: Path) -> bool:
    """Whether a path is an address."""
    return not isinstance(path, Path)


@contextmanager
def reaching(path: Path, kind: type[VcutError] = InputError) -> Iterator[None]:
    """Tells what a storage says in one line; errors of this machine pass.

    Raises:
        VcutError: of ``kind``, where ``path`` cannot be reached.
    """
    try:
        yield
    except Exception as error:
        if not is_remote(path) or not _is_storages(error):
            raise
        raise kind(
            f"cannot reach {path} ({_words(error)})", "check the address, your rights there and the network"
        ) from error


def _is_storages(error: Exception) -> bool:
    """Whether an error is of a storage, by its kind or by who has raised it."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    modules = (type(error).__module__, frame.f_globals.get("__name__", ""))
    return isinstance(error, OSError) or any(name.partition(".")[0] in _LIBRARIES for name in modules)


def _words(error: Exception) -> str:
    """What a storage says; of what is not there some only name a place in their API."""
    text = " ".join(str(error).split())[:200]
    if isinstance(error, FileNotFoundError) and " " not in text:
        return "not found"
    return text or type(error).__name__


def is_folder(path: Path) -> bool:
    """Whether there is a folder.

    Raises:
        InputError: its storage cannot be reached.
    """
    if is_remote(path):
        with reaching(path), suppress(NotADirectoryError):
            found = path.fs.ls(path.path, detail=True)
            return [(facts["name"], facts["type"]) for facts in found] != [(path.path, "file")]
    return path.is_dir()


def files(path: Path) -> dict[str, dict[str, Any]]:
    """What storage says of a file, by ``""``, or of each in a folder, by ``/name``; nothing where there is neither."""
    found = path.fs.find(path.path, detail=True)
    return {name.removeprefix(path.path): facts for name, facts in found.items() if not name.endswith("/")}


def version_of(path: Path) -> str:
    """What changes when a file does, or one in a folder: size and time, or the storage's word for its version."""
    if not is_remote(path):
        return state_of(path)
    with reaching(path):
        facts = "".join(f"{name} {version(facts)}\n" for name, facts in files(path).items())
    return hashlib.sha256(facts.encode()).hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; -1 when it is not there."""
    if is_remote(path):
        with reaching(path, OutputError):
            found = files(path)
        return sum(facts["size"] for facts in found.values()) if found else -1
    return bytes_of(path)


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    if is_remote(path):
        with reaching(path, OutputError):
            path.fs.pipe_file(path.path, text.encode())
    else:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def fetch(names: Mapping[str, Path], storage: Any) -> None:
    """Brings files here, by their names in a storage; folders are made."""
    for path in names.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    if names:
        storage.get(list(names), [str(path) for path in names.values()])


def put(files: Mapping[str, str], storage: Any) -> None:
    """Brings files there: names here, and in the storage. After an error no request is on its way any more: what was
    removed then does not come back."""
    _each(storage.put_file, files.keys(), files.values())


def copy(files: Mapping[str, str], storage: Any) -> None:
    """Copies files within a storage, from names to names; after an error as :func:`put`."""
    _each(storage.cp_file, files.keys(), files.values())


def remove(names: Iterable[str], storage: Any) -> None:
    """Takes files out of a storage by their names; what is not there is left so."""
    names = set(names)
    patterns = {name for name in names if glob.escape(name) != name}
    if plain := sorted(names - patterns):
        storage.rm(plain)

    def remove_one(name: str) -> None:
        with suppress(FileNotFoundError):
            storage.rm_file(name)

    # of several at once a storage takes such names for patterns, and looks for each through all that is there
    _each(remove_one, patterns)


def _each(request: Callable[..., Any], *names: Iterable[str]) -> None:
    """Several at once. A storage's own way to do that only stops listening when one fails, and others still arrive."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(request, *names))


def version(facts: Mapping[str, Any]) -> str:
    """What changes when a file does, of what storage says of it."""
    return f"{facts['size']} {next((facts[name] for name in _VERSIONS if facts.get(name)), '')}"

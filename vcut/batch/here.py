"""A clip of which something lies in cloud storage, cut on this machine: its files are brought, its results put there.

The cutting itself knows only paths of this machine.
"""

from __future__ import annotations

import glob
import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from vcut.batch.plan import Job
from vcut.batch.storage import copy, fetch, files, is_address, is_remote, place, put, reaching, remove, version
from vcut.errors import InputError, OutputError
from vcut.journal import STATE_FILES, journal_of
from vcut.video.formats import resolve_outputs
from vcut.video.place import HIDDEN, check_replaceable, sweep


class Here:
    """A job as it can be done on this machine; a context manager.

    What is remote of input, mask (with the names beside it) and background is brought to a temporary folder; results
    that belong to a remote place are made in that, and put where they belong by :meth:`put`. What is found of a clip
    that is not done yet is kept beside its remote output.

    Args:
        job: with places of both kinds.

    Attributes:
        options: those of the job with paths of this machine.

    Raises:
        InputError: something is not there, or cannot be brought.
        OutputError: the output may not be written.
    """

    def __init__(self, job: Job) -> None:
        assert job.options is not None and job.options.output is not None
        self.options = job.options
        self._job = job
        self._given = job.options
        self._target = job.options.output
        self._puts = is_remote(self._target)
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        given = self._given
        if self._puts:
            self._target.fs.invalidate_cache()  # others have written meanwhile
        with reaching(self._target, OutputError):
            self._rows = resolve_outputs(given.format, self._target, given.input, given.background is not None)
        if self._puts and not given.split:
            self._check([out for _, out in self._rows], given.input)
        if self._job.again and not self._puts:
            for _, out in self._rows:
                sweep(out)
        with ExitStack() as stack:
            self._bring(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._puts:
                self._keep()

    def told(self, text: str) -> str:
        """A text with the addresses of the places that it names."""
        for here, there in self._addresses.items():
            text = text.replace(here, there)
        return text

    def check(self, outputs: Sequence[Path]) -> None:
        """Checks that results may be put where they belong.

        Args:
            outputs: those of a run, on this machine.

        Raises:
            OutputError: one may not.
        """
        if self._puts:
            self._check([self._there(out) for out in outputs])

    def put(self, outputs: Sequence[Path]) -> None:
        """Puts results where they belong: under hidden names first, so that nothing half-put has its own.

        Raises:
            OutputError: that fails; what is new has no name then.
        """
        if not self._puts:
            return
        self.check(outputs)
        ending = f"{HIDDEN}{uuid.uuid4().hex[:8]}"
        storage = self._target.fs
        hidden: list[str] = []
        final: list[str] = []
        former: set[str] = set()
        with reaching(self._target, OutputError):
            try:
                for out in outputs:
                    there, names = self._there(out), _names(out)
                    former |= {there.path + name for name in files(there)}
                    temporary = there.with_name(f".{there.name}{ending}").path
                    aside = {str(out) + name: temporary + name for name in names}
                    hidden += aside.values()
                    final += [there.path + name for name in names]
                    put(aside, storage)
                copy(dict(zip(hidden, final, strict=True)), storage)
            except BaseException:
                with suppress(Exception):
                    remove([*hidden, *(set(final) - former)], storage)
                raise
            remove([*hidden, *(former - set(final))], storage)

    def bring_frames(self) -> None:
        """Brings all that was found of the clip, as far as it is not here already."""
        if self._puts:
            here = self._journal_here
            with reaching(self._journal):
                self._fetch_journal(name for name in files(self._journal) if not (here / name[1:]).exists())

    def _bring(self, stack: ExitStack) -> None:
        given = self._given
        places = {"input": given.input, "mask": given.mask}
        if given.background and is_address(given.background):
            places["background"] = place(given.background)
        places = {name: path for name, path in places.items() if is_remote(path)}
        if not places and not self._puts:
            return
        root = Path(stack.enter_context(TemporaryDirectory(prefix="vcut-")))
        changes: dict[str, Any] = {}
        for name, path in places.items():
            self._addresses[str(root / name)] = str(path.parent).rstrip("/")
            with reaching(path):
                changes[name] = _brought(path, root / name)
        if "mask" in places:
            names = given.mask.with_suffix(".json")
            with reaching(names):
                if names.is_file():
                    _brought(names, root / "mask")
        if "background" in places:
            changes["background"] = str(changes["background"])
        if self._puts:
            folder = root / "output"
            self._addresses[str(folder)] = str(self._target.parent).rstrip("/")
            changes["output"] = folder / self._target.name
            # several formats go into a folder that is there
            inside = self._rows[0][1].parent == self._target
            (changes["output"] if inside else folder).mkdir(parents=True)
        self.options = replace(given, **changes)
        if self._puts:
            with reaching(self._target, OutputError):
                self._begin()

    def _begin(self) -> None:
        """Brings the state that a stopped run has left, or clears what is there of one."""
        storage = self._target.fs
        journal = self._journal
        if self._given.resume:
            self._fetch_journal(name for name in files(journal) if not self._job.chunk or name[1:] in STATE_FILES)
        else:
            remove([journal.path + name for name in files(journal)], storage)
        if self._job.again:
            for _, out in self._rows:
                left = storage.glob(f"{glob.escape(out.parent.path)}/.{glob.escape(out.name)}{HIDDEN}*")
                remove([found + name for found in left for name in files(out.with_name(Path(found).name))], storage)

    def _keep(self) -> None:
        """Puts what was found of a clip that is not done beside its output; of one that is, takes it away."""
        storage = self._target.fs
        journal, here = self._journal, self._journal_here
        with reaching(journal, OutputError):
            there = files(journal)
            if not here.is_dir():
                remove([journal.path + name for name in there], storage)
                return
            state = [f"/{name}" for name in STATE_FILES if (here / name).is_file()]
            frames = [name for name in _names(here) if name not in there and name not in state]
            for names in filter(None, (frames, state)):  # the state last, for it is of all the frames
                put({str(here) + name: journal.path + name for name in names}, storage)

    @property
    def _journal(self) -> Path:
        return journal_of(self._rows[0][1])

    @property
    def _journal_here(self) -> Path:
        return journal_of(self._here(self._rows[0][1]))

    def _fetch_journal(self, names: Iterable[str]) -> None:
        journal = self._journal
        fetch({journal.path + name: self._journal_here / name[1:] for name in names}, self._target.fs)

    def _here(self, out: Path) -> Path:
        """Where a result is made that belongs to ``out``."""
        return self.options.output.parent / out.relative_to(self._target.parent).as_posix()

    def _there(self, out: Path) -> Path:
        """Where a result belongs that is made at ``out``."""
        return self._target.parent / out.relative_to(self.options.output.parent).as_posix()

    def _check(self, targets: Sequence[Path], source: Path | None = None) -> None:
        """Checks that results may be put to ``targets``: one a format, or several of each in the formats' order."""
        with reaching(self._target, OutputError):
            for number, target in enumerate(targets):
                if source is not None and target in (source, *source.parents):
                    raise OutputError(f"the output {target} is, or holds, the source", "choose another output")
                fmt, _ = self._rows[number * len(self._rows) // len(targets)]
                check_replaceable(target, fmt, self._given.overwrite)


def _brought(path: Path, folder: Path) -> Path:
    """A file, or the files of a folder, brought to ``folder``; their time of change stands for their version."""
    found = {name: facts for name, facts in files(path).items() if "/" not in name[1:]}
    if not found:
        raise InputError(f"{path} is not there", "check the address")
    target = folder / path.name
    copies = {path.path + name: Path(f"{target}{name}") for name in found}
    fetch(copies, path.fs)
    for name, facts in found.items():
        changed = int(hashlib.sha256(version(facts).encode()).hexdigest()[:13], 16)
        os.utime(copies[path.path + name], ns=(changed, changed))
    return target


def _names(path: Path) -> list[str]:
    """A file as ``""``, the files in a folder as ``/name``."""
    return [f"/{file.name}" for file in sorted(path.iterdir())] if path.is_dir() else [""]

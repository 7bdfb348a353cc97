"""``batch.json``: what has become of each clip, so that a second run does only what is left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vcut
from vcut.batch.plan import Job
from vcut.batch.storage import place, reaching, size_of, version_of, write_text
from vcut.errors import InputError
from vcut.options import plain_options

NAME = "batch.json"
FORMAT = "vcut-batch-1"

_ASIDE = ("overwrite", "resume", "report", "device")
"""Options that a result does not follow from."""

RUNNING, FAILED = "running", "failed"
"""Other states are those of a run: ``done``, ``partial``."""


class Record:
    """The clips of a batch and what has become of them; written after every change.

    Args:
        path: of the file; what it holds is gone on with.
        weights: sha256 of each weight file, by what ``--weights`` says.

    Raises:
        InputError: there is such a file, and it is not of a batch, or cannot be read.
        OutputError: its storage cannot be reached.
    """

    def __init__(self, path: Path, weights: Mapping[str | None, str]) -> None:
        self.path = path
        self._weights = weights
        self.clips: dict[str, dict[str, Any]] = {}
        if size_of(path) >= 0:
            try:
                with reaching(path):
                    content = json.loads(path.read_text(encoding="utf-8"))
                assert content["format"] == FORMAT
                self.clips = content["clips"]
            except (ValueError, KeyError, TypeError, AssertionError, OSError) as error:
                raise InputError(
                    f"{path} is not the record of a batch", "move it away, or choose another --out"
                ) from error

    def key(self, job: Job) -> str:
        """What a result follows from: source, mask, options, network and version, as one word."""
        assert job.options is not None
        facts = {
            "version": vcut.__version__,
            "clip": version_of(job.options.input),
            "mask": version_of(job.options.mask),
            "weights": self._weights.get(job.options.weights),
            "options": {name: value for name, value in plain_options(job.options).items() if name not in _ASIDE},
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def state(self, job: Job) -> str | None:
        """``done``, ``partial`` or ``failed`` where that is known and nothing has changed since; else ``None``."""
        row = self.clips.get(job.name)
        if row is None or job.options is None or row.get("key") != self.key(job):
            return None
        if row["status"] == RUNNING:
            return None
        if row["status"] == FAILED:
            return FAILED
        there = all(size_of(place(out["path"])) == out["bytes"] for out in row["outputs"])
        return row["status"] if there else None

    def ours(self, job: Job) -> bool:
        """Whether what is at a job's outputs, if anything, is an earlier result of this batch."""
        planned = self.clips.get(job.name, {}).get("planned", [])
        return bool(planned) and set(planned) >= {str(out) for out in job.outputs}

    def put(self, job: Job, row: Mapping[str, Any]) -> None:
        """Notes what has become of a clip."""
        key = {} if job.options is None else {"key": self.key(job), "planned": [str(out) for out in job.outputs]}
        self.clips[job.name] = {**row, **key}
        self.write()

    def write(self) -> None:
        """Writes the file.

        Raises:
            OutputError: it cannot be written.
        """
        content = {"format": FORMAT, "version": vcut.__version__, "clips": self.clips}
        write_text(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

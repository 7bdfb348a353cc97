"""What a run has found so far, kept beside its output until that is whole, so that a run that was stopped can go on.

A hidden folder: ``run.json`` says of what run; a file a frame holds the network's probabilities; ``state.pt`` is what
the network remembered after so many frames. All that follows from the probabilities (mattes, files) is made again.
"""

from __future__ import annotations

import json
import shutil
import struct
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vcut.atomic import replacing
from vcut.engine.step import LEVELS, Step
from vcut.errors import OutputError, ResumeError
from vcut.masks.extent import span

SECONDS = 2.0
"""Between two states."""

STATE_FILES = ("run.json", "state.pt")
"""What is in its folder besides frames."""

_HEAD = struct.Struct("<7I")
"""Planes, height and width; the first and last rows and columns (without) of the part that is stored."""


def journal_of(out: Path) -> Path:
    """The folder of the journal of a run whose first output is ``out``."""
    return out.with_name(f".{out.name}.vcut-run")


@dataclass(frozen=True)
class Kept:
    """What a journal takes of a frame: its number, what was found in it, and the state after it where it is time."""

    number: int
    step: Step
    state: dict[str, Any] | None


class Journal:
    """Frames found, and a state to go on from.

    Args:
        folder: where it is kept.
        identity: what a run must have in common with the one that was stopped, by the names that users know.
        resume: go on with what is there; else it is cleared.

    Attributes:
        frames: how many of the first frames are known.
        state: of the network after them; ``None`` when there are none.
        saved: whether there is anything to go on from.

    Raises:
        ResumeError: what is there is of another run.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, identity: Mapping[str, str], resume: bool = False) -> None:
        self.folder = folder
        self.frames = 0
        self.state: dict[str, Any] | None = None
        self.saved = False
        self._asked = time.monotonic()
        known = self._load(identity) if resume else None
        if known is not None:
            self.frames, self.state = known
            self.saved = True
            return
        self.remove()
        try:
            folder.mkdir()
        except OSError as error:
            raise self._failure(error) from error
        with replacing(folder / "run.json") as temporary:
            temporary.write_text(json.dumps(dict(identity), indent=1))

    def read(self, number: int) -> np.ndarray:
        """What was written of a frame.

        Raises:
            ResumeError: it is damaged.
        """
        try:
            return unpack(self._file(number).read_bytes())
        except (OSError, ValueError, struct.error, zlib.error) as error:
            raise ResumeError(
                f"what the stopped run left in {self.folder} is damaged", "start anew, without --resume"
            ) from error

    def keep(self, frame: Kept) -> None:
        """Keeps a frame, and the state after it where there is one."""
        try:
            self._file(frame.number).write_bytes(pack(frame.step.levels))
        except OSError as error:
            raise self._failure(error) from error
        if frame.state is not None:
            self.save(frame.number + 1, frame.state)

    def due(self) -> bool:
        """Whether it is time for another state; the time runs anew when it is."""
        late = time.monotonic() - self._asked >= SECONDS
        if late:
            self._asked = time.monotonic()
        return late

    def save(self, frames: int, state: dict[str, Any]) -> None:
        """Keeps the state after so many frames, all of them written."""
        with replacing(self.folder / "state.pt") as temporary:
            torch.save({"frames": frames, "state": state}, temporary)
        self.saved = True

    def remove(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self, identity: Mapping[str, str]) -> tuple[int, dict[str, Any]] | None:
        try:
            theirs = json.loads((self.folder / "run.json").read_text())
            saved = torch.load(self.folder / "state.pt", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a half-written file makes of torch.load
            raise ResumeError(
                f"what the stopped run left in {self.folder} is damaged", "start anew, without --resume"
            ) from error
        other = [name for name, value in identity.items() if theirs.get(name) != value]
        if other:
            raise ResumeError(
                f"the run that was stopped had another {other[0]}",
                "give the same again, or start anew without --resume",
            )
        return saved["frames"], saved["state"]

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:08d}.z"

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"cannot keep {self.folder}: {error.strerror or error}", "check the folder and the disk")


def pack(levels: np.ndarray) -> bytes:
    """Label probabilities N+1,h,w in steps (:attr:`vcut.engine.step.Step.levels`), background first, as bytes.

    Only the part is stored where not all is background, of the background what it differs by from what the objects
    leave, and low and high bytes apart: half as much, in half the time, as the whole in one.
    """
    rows, columns = (span((levels[0].min(axis) < LEVELS) | (levels[1:].max((0, 1 + axis)) > 0)) for axis in (1, 0))
    part = levels[:, rows, columns].copy()
    part[0] += part[1:].sum(0, dtype=np.uint16) - np.uint16(LEVELS)
    low_and_high = part.reshape(-1, 1).view(np.uint8).T.tobytes()
    return _HEAD.pack(*levels.shape, rows.start, rows.stop, columns.start, columns.stop) + zlib.compress(
        low_and_high, 1
    )


def unpack(data: bytes) -> np.ndarray:
    """What was given to :func:`pack`. Raises ValueError, struct.error or zlib.error for anything else."""
    planes, height, width, top, bottom, left, right = _HEAD.unpack_from(data)
    low_and_high = np.frombuffer(zlib.decompress(data[_HEAD.size :]), np.uint8).reshape(2, -1)
    part = low_and_high.T.copy().view(np.uint16).reshape(planes, bottom - top, right - left)
    levels = np.zeros((planes, height, width), np.uint16)
    levels[:, top:bottom, left:right] = part
    levels[0] += np.uint16(LEVELS) - levels[1:].sum(0, dtype=np.uint16)
    return levels

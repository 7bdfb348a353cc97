"""Standard input as a source: an uncompressed YUV4MPEG2 (y4m) stream, as ``ffmpeg -f yuv4mpegpipe -`` writes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from vcut.errors import InputError

PIPE = Path("-")
"""The name of standard input."""

FORMAT = "yuv4mpegpipe"
"""ffmpeg's name of the only format a pipe may have: it needs no seeking, and tells size and rate at once."""

_FIX = "pipe in y4m, e.g. ffmpeg -i clip.mp4 -f yuv4mpegpipe -strict -1 - | vcut segment - ..."


class Pipe:
    """A stream that is read once, from its front to its end, in bounded memory.

    Attributes:
        count: bytes read so far.

    Raises:
        InputError: it is a terminal, empty, or no y4m.
    """

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stdin.buffer
        self.count = 0
        if self._stream.isatty():
            raise InputError("standard input is a terminal", _FIX)
        self._ahead = self._stream.read(9)
        if not self._ahead:
            raise InputError("standard input is empty", _FIX)
        if self._ahead != b"YUV4MPEG2":
            raise InputError("standard input is no y4m stream", _FIX)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._stream.read(size)
        self.count += len(data)
        return data

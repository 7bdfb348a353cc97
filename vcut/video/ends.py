"""Whether a file reaches the end that its format gives it: what is missing there is told, if nothing looks broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vcut.video.matroska import MATROSKA, is_cut_matroska

_TRANSPORT_SYNC = 0x47


def is_cut(path: Path, container: str) -> bool:
    """Whether the end of a file is missing, by ffmpeg's name of its container; False where that cannot be told."""
    check = _CHECKS.get(container)
    if check is None:
        return False
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        return check(file, size)


def is_cut_mp4(path: Path) -> bool:
    """Whether a file is of the MP4/MOV family and has no index: a recording or a copy that was cut off."""
    boxes: list[bytes] = []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        at = 0
        while at + 8 <= end:
            file.seek(at)
            length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            boxes.append(kind)
            if length < 8:
                break
            at += length
    return boxes[:1] == [b"ftyp"] and b"moov" not in boxes


def _is_cut_transport(file: BinaryIO, size: int) -> bool:
    """An MPEG transport stream consists of packets of 188, 192 or 204 bytes."""
    head = file.read(16 * 204)
    for length in (188, 192, 204):
        for offset in range(length):
            marks = head[offset::length]
            if len(marks) > 4 and set(marks) == {_TRANSPORT_SYNC}:
                begin = offset - 4 if length == 192 else offset  # 192: a time code of four bytes goes before the mark
                return (size - begin) % length != 0
    return False


def _is_cut_gif(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - 64))
    return not file.read().rstrip(b"\0").endswith(b";")


def _is_cut_apng(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - 64))
    return b"IEND" not in file.read()


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mpegts": _is_cut_transport,
    MATROSKA: is_cut_matroska,
    "gif": _is_cut_gif,
    "apng": _is_cut_apng,
}

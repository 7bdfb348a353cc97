"""Whether the elements of a Matroska or WebM file lie one after another from its beginning to its end.

ffmpeg passes over what it cannot read there without a word, and the frames in it are gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

MATROSKA = "matroska,webm"
"""ffmpeg's name of both."""

_EBML, _SEGMENT, _CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"

_IN_BOTH = {b"\xec", b"\xbf"}
"""Void, CRC-32."""

_IN_SEGMENT = (
    _IN_BOTH
    | {_CLUSTER}
    | {
        bytes.fromhex(code)  # SeekHead, Info, Tracks, Cues, Tags, Chapters, Attachments
        for code in ("114d9b74", "1549a966", "1654ae6b", "1c53bb6b", "1254c367", "1043a770", "1941a469")
    }
)

_IN_CLUSTER = _IN_BOTH | {
    bytes.fromhex(code)  # Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock
    for code in ("e7", "5854", "a7", "ab", "a3", "a0", "af")
}


def is_cut_matroska(file: BinaryIO, size: int) -> bool:
    """Whether a file of ``size`` bytes ends before its segment, which holds everything; a live recording does not know
    the segment's size."""
    end = _open_segment(file)
    return end is not None and end > size


def is_torn_matroska(path: Path) -> bool:
    """Whether something within a file is no element, or does not end where what holds it ends.

    The end of the file may be missing: see :func:`is_cut_matroska`.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        end = _open_segment(file)
        return file.tell() > 0 and _is_torn(file, min(size, size if end is None else end))


def _is_torn(file: BinaryIO, size: int) -> bool:
    """The same, from the first element of the segment on."""
    cluster = 0  # where the one that is open ends; 0 where none is, the size of the file where it does not know
    while file.tell() < size:
        name = _name(file)
        length = _number(file)
        if name is None or file.tell() >= size:
            return name is None
        if cluster and name in _IN_CLUSTER:
            if length is None:
                return True
            after = file.tell() + length
            if after > cluster:
                return cluster < size
            file.seek(after)
            if after == cluster:
                cluster = 0
        elif name in _IN_SEGMENT and cluster in (0, size):
            if name == _CLUSTER:
                cluster = size if length is None else min(size, file.tell() + length)
                continue
            if length is None:
                return True
            file.seek(length, 1)
            cluster = 0
        else:
            return True
    return False


def _open_segment(file: BinaryIO) -> int | None:
    """Goes to the first element of the segment; gives the place where the segment ends, ``None`` if it does not know.

    Where there is no segment, goes back to the beginning of the file.
    """
    if file.read(4) == _EBML and (length := _number(file)) is not None:
        file.seek(length, 1)
        if file.read(4) == _SEGMENT:
            length = _number(file)
            return None if length is None else file.tell() + length
    file.seek(0)
    return None


def _name(file: BinaryIO) -> bytes | None:
    """An element's name, of one to four bytes; ``None`` where there is none."""
    first = file.read(1)
    if not first or first[0] < 1 << 4:
        return None
    return first + file.read(8 - first[0].bit_length())


def _number(file: BinaryIO) -> int | None:
    """A number of one to eight bytes: the first one begins with as many zero bits as others follow; ``None`` where it
    is not known, or none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    others = 8 - first[0].bit_length()
    unknown = (1 << 7 * (others + 1)) - 1
    size = int.from_bytes(first + file.read(others), "big") & unknown
    return None if size == unknown else size

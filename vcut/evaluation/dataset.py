"""Find annotated sequences in a folder of DAVIS layout.

::

    ROOT/JPEGImages/[480p/]SEQUENCE/00000.jpg ...
    ROOT/Annotations/[480p/]SEQUENCE/00000.png ...    (named as their frames; not every frame needs one)
    ROOT/ImageSets/[2017/]val.txt                      (read when a split is asked for)

The folder of a resolution may be 480p, Full-Resolution or 1080p, taken in this order, or left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from vcut.errors import InputError, MaskError
from vcut.masks.labels import Labels, object_ids, resize_labels, same_aspect
from vcut.masks.palette import VOID
from vcut.masks.pictures import open_picture

_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
_FRAME_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_LAYOUT = "give a folder with JPEGImages/SEQUENCE/*.jpg and Annotations/SEQUENCE/*.png"


@dataclass(frozen=True)
class Sequence:
    """One annotated sequence.

    Attributes:
        name: the name of its folder.
        frames: every frame, in order.
        annotations: the annotation of a frame, by the frame's index; in order, at least one.
        ids: the objects of the first annotation, ascending. Objects that only appear later are not judged.
        binary: the annotations are black and white (DAVIS-2016): white is object 1, 255 is not void.
        side: the shorter side that frames are enlarged to, pixels; None shows them as they are. See
            :func:`vcut.evaluation.enlarge.enlarged`.
        windows: scored frames whose mean J is reported apart, by the name it gets there. See
            :func:`vcut.evaluation.loop.looped`.
    """

    name: str
    frames: list[Path]
    annotations: dict[int, Path]
    ids: tuple[int, ...]
    binary: bool
    side: int | None = None
    windows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """The index of the first annotated frame; frames before it are not used."""
        return next(iter(self.annotations))

    @property
    def dense(self) -> bool:
        """Whether every frame from the first annotated one on is annotated."""
        return len(self.annotations) == len(self.frames) - self.start

    @property
    def scored(self) -> list[int]:
        """The indices of the frames to judge: all annotated ones but the first, which is given.

        Of a dense sequence the last one is dropped too, as in davis2017-evaluation; a sparse one has none to
        spare.
        """
        indices = list(self.annotations)
        return indices[1:-1] if self.dense else indices[1:]

    def size(self) -> tuple[int, int]:
        """Width and height of the first annotated frame, as it is shown.

        Raises:
            InputError: it cannot be read.
        """
        return self._shown(_frame_size(self.frames[self.start]))

    def frame(self, index: int) -> np.ndarray:
        """A frame as it is shown, enlarged (bicubic) where that is asked for: H x W x 3 uint8.

        Raises:
            InputError: it cannot be read.
        """
        path = self.frames[index]
        try:
            with Image.open(path) as image:
                rgb = image.convert("RGB")
        except OSError as error:
            raise _unreadable(path) from error
        size = self._shown(rgb.size)
        return np.array(rgb if size == rgb.size else rgb.resize(size, Image.Resampling.BICUBIC))

    def truth(self, index: int) -> np.ndarray:
        """The annotation of a frame at its own size: H x W uint8, 0 background (void counts as background).

        Raises:
            InputError: it cannot be read.
        """
        return _decode(_read_annotation(self.annotations[index]), self.binary)

    def first(self) -> Labels:
        """The first annotation at the size of the frames as they are shown.

        Raises:
            InputError: it or its frame cannot be read, their aspects differ, or an object is lost in
                resizing.
        """
        labels = self.truth(self.start)
        size = self.size()
        own = (labels.shape[1], labels.shape[0])
        if own != size:
            if not same_aspect(own, size):
                raise InputError(
                    f"annotation {self.annotations[self.start]} is {own[0]} x {own[1]}, "
                    f"of another aspect than its frame's {size[0]} x {size[1]}"
                )
            labels = resize_labels(labels, size)
            if object_ids(labels) != self.ids:
                raise InputError(
                    f"annotation {self.annotations[self.start]} loses objects at {size[0]} x {size[1]}, "
                    "the size of its frame"
                )
        return Labels(labels, self.ids)

    def _shown(self, size: tuple[int, int]) -> tuple[int, int]:
        """The width and height that a frame of this width and height is shown at."""
        if self.side is None:
            return size
        width, height = size
        return round(width * self.side / min(size)), round(height * self.side / min(size))


def find_sequences(root: str | Path, split: str | None = None) -> list[Sequence]:
    """Find the sequences of a data set, in order of name.

    Args:
        root: the folder that holds JPEGImages and Annotations.
        split: take only the sequences of ``ImageSets/[*/]SPLIT.txt``, such as ``val`` (or ``2017/val`` where
            several folders have one); None for all.

    Raises:
        InputError: the layout is not there, a sequence lacks frames or annotations, a frame and an annotation
            do not match, or the split is not there or ambiguous.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"data set {root} does not exist", _LAYOUT)
    images, annotations = (_resolution(root / folder) for folder in ("JPEGImages", "Annotations"))
    if split is None:
        names = sorted(
            {
                folder.name
                for parent in (images, annotations)
                for folder in parent.iterdir()
                if folder.is_dir() and not folder.name.startswith(".")
            }
        )
        if not names:
            raise InputError(f"data set {root} has no sequence", _LAYOUT)
    else:
        names = _read_split(root / "ImageSets", split)
    return [_read_sequence(images / name, annotations / name) for name in names]


def _resolution(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"data set {folder.parent} has no folder {folder.name}", _LAYOUT)
    return next((folder / name for name in _RESOLUTIONS if (folder / name).is_dir()), folder)


def _read_split(folder: Path, split: str) -> list[str]:
    """The sequences of a split, sorted: one name a line, or (DAVIS-2016) the paths of a frame and its
    annotation."""
    lists = [path for path in (folder / f"{split}.txt", *sorted(folder.glob(f"*/{split}.txt"))) if path.is_file()]
    if not lists:
        raise InputError(f"data set {folder.parent} has no split {split}", f"its file should be {folder / split}.txt")
    if len(lists) > 1:
        choices = " or ".join(str(path.relative_to(folder).with_suffix("")) for path in lists)
        raise InputError(f"data set {folder.parent} has more than one split {split}", f"say {choices}")
    first_words = [line.split()[0] for line in lists[0].read_text().splitlines() if line.strip()]
    names = sorted({Path(word).parent.name if "/" in word else word for word in first_words})
    if not names:
        raise InputError(f"split {lists[0]} is empty")
    return names


def _read_sequence(frame_folder: Path, annotation_folder: Path) -> Sequence:
    name = frame_folder.name
    frames = _pictures(frame_folder, _FRAME_SUFFIXES)
    if not frames:
        raise InputError(f"sequence {name} has no frames in {frame_folder}", _LAYOUT)
    index_of = {frame.stem: index for index, frame in enumerate(frames)}
    if len(index_of) < len(frames):
        raise InputError(f"sequence {name} has several frames of one name in {frame_folder}")
    annotations = {}
    for path in _pictures(annotation_folder, {".png"}):
        if path.stem not in index_of:
            raise InputError(f"annotation {path} has no frame", f"expected {frame_folder / path.stem}.jpg")
        annotations[index_of[path.stem]] = path
    if not annotations:
        raise InputError(f"sequence {name} has no annotation in {annotation_folder}", _LAYOUT)
    annotations = dict(sorted(annotations.items()))
    first = next(iter(annotations.values()))
    values = _read_annotation(first)
    binary = object_ids(values) == (VOID,)
    ids = object_ids(_decode(values, binary))
    if not ids:
        raise InputError(
            f"annotation {first} has no object", "the first annotation of a sequence must show its objects"
        )
    return Sequence(name, frames, annotations, ids, binary)


def _pictures(folder: Path, suffixes: set[str]) -> list[Path]:
    """The pictures in a folder, numbers in their names in order of value; none when the folder is missing."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")]
    return sorted(found, key=lambda path: [(len(part), part) for part in re.split(r"(\d+)", path.stem)])


def _read_annotation(path: Path) -> np.ndarray:
    """The pixels of an annotation as they are stored: H x W uint8, ids or 0 and 255."""
    try:
        picture = open_picture(path)
    except MaskError as error:
        raise InputError(f"annotation: {error.what}", error.fix) from error
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode in {"RGB", "RGBA", "LA"}:
        channels = np.array(picture.convert("RGB"))
        if (channels != channels[..., :1]).any():
            raise InputError(f"annotation {path} is in colour", "save it as an indexed PNG whose pixels are object ids")
        picture = picture.convert("L")
    if picture.mode not in {"P", "L"}:
        raise InputError(f"annotation {path} has pixels of kind {picture.mode}", "save it as an indexed PNG")
    return np.array(picture)


def _decode(values: np.ndarray, binary: bool) -> np.ndarray:
    if binary:
        return (values >= 128).astype(np.uint8)
    return np.where(values == VOID, np.uint8(0), values)


def _frame_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as frame:
            return frame.size
    except OSError as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> InputError:
    return InputError(f"frame {path} cannot be read", "is it damaged?")

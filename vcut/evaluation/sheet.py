"""Contact sheets of evaluated sequences: how the masks look along the way, and where they are worst."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vcut.atomic import replacing
from vcut.errors import OutputError
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.evaluate import Judged
from vcut.evaluation.report import SequenceScore
from vcut.masks.labels import resize_labels
from vcut.masks.palette import davis_palette
from vcut.tiles import arrange, contour, tile, write

TILES = 5
"""Judged frames on a sheet, where there are so many; the given one comes before them."""

COLUMNS = 3
TILE_HEIGHT = 240

_CONTOUR, _MARK = (255, 255, 255), (255, 64, 64)
_MARK_WIDTH = 3


class Sheets:
    """Writes ``FOLDER/SEQUENCE.png`` for each sequence while it is evaluated.

    Six tiles: the given frame and its mask, then :data:`TILES` judged frames spread over the sequence, of which the
    nearest one gives way to the frame of the lowest J, which is marked in red. A tile shows the prediction as a tint in
    DAVIS colours and the true contours in white; the caption has the frame's index and file and its J. Only
    tiles are held, eight at most.

    Give :meth:`add` and :meth:`write` to :func:`~vcut.evaluation.evaluate.evaluate` as ``on_frame`` and
    ``on_sequence``.

    Args:
        folder: where sheets go; made if it is not there.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder} ({error.strerror})", "choose another one") from error
        self.folder = folder
        self._sheet: _Sheet | None = None

    def add(self, frame: Judged) -> None:
        """Takes the next judged frame.

        Raises:
            InputError: it cannot be read again.
        """
        if self._sheet is None:
            self._sheet = _Sheet(_given(frame.sequence), _spread(frame.sequence.scored))
        self._sheet.add(frame)

    def write(self, score: SequenceScore) -> Path:
        """Writes the sheet of the sequence whose frames were added, and forgets them; gives its path.

        Raises:
            OutputError: it cannot be written.
        """
        path = self.folder / f"{score.name}.png"
        tiles = self._sheet.tiles()
        picture = arrange(tiles, min(COLUMNS, len(tiles)))
        self._sheet = None
        with replacing(path) as temporary:
            picture.save(temporary, format="PNG")
        return path


@dataclass
class _Sheet:
    """The tiles of one sequence: the given frame, those of the wanted indices, and the worst up to now."""

    given: Image.Image
    wanted: list[int]
    kept: dict[int, Image.Image] = field(default_factory=dict)
    worst: tuple[float, int, Image.Image] | None = None

    def add(self, frame: Judged) -> None:
        lowest = self.worst is None or frame.region < self.worst[0]
        if not lowest and frame.index not in self.wanted:
            return
        made = _tile(frame.sequence, frame.index, frame.labels, frame.truth, f"J {frame.region:.3f}")
        if frame.index in self.wanted:
            self.kept[frame.index] = made
        if lowest:
            self.worst = frame.region, frame.index, made

    def tiles(self) -> list[Image.Image]:
        _, index, worst = self.worst
        del self.kept[min(self.kept, key=lambda other: abs(other - index))]
        self.kept[index] = _marked(worst)
        return [self.given, *(self.kept[index] for index in sorted(self.kept))]


def _spread(scored: list[int]) -> list[int]:
    """:data:`TILES` of the indices, the first and last among them, at even distances; all when they are fewer."""
    places = np.linspace(0, len(scored) - 1, min(TILES, len(scored)))
    return [scored[round(place)] for place in places]


def _given(sequence: Sequence) -> Image.Image:
    truth = sequence.truth(sequence.start)
    return _tile(sequence, sequence.start, truth, truth, "given")


def _tile(sequence: Sequence, index: int, labels: np.ndarray, truth: np.ndarray, text: str) -> Image.Image:
    """A frame at the height of tiles, tinted where ``labels`` (H x W uint8) are, outlined where ``truth`` is, with
    a line of text under it."""
    picture = Image.fromarray(sequence.frame(index))
    size = (max(1, round(picture.width * TILE_HEIGHT / picture.height)), TILE_HEIGHT)
    pixels = np.array(picture.resize(size, Image.Resampling.BICUBIC))
    labels, truth = resize_labels(labels, size), resize_labels(truth, size)
    inside = labels > 0
    pixels[inside] = (pixels[inside].astype(np.uint16) + davis_palette()[labels[inside]]) // 2
    pixels[contour(truth)] = _CONTOUR
    return tile(pixels, [f"{index} ({sequence.frames[index].stem})  {text}"])


def _marked(given: Image.Image) -> Image.Image:
    marked = given.copy()
    ImageDraw.Draw(marked).rectangle((0, 0, marked.width - 1, TILE_HEIGHT - 1), outline=_MARK, width=_MARK_WIDTH)
    write(marked, "worst", TILE_HEIGHT, _MARK, right=True)
    return marked

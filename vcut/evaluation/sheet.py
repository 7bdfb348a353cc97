"""Contact sheets of evaluated sequences: how the masks look along the way, and where they are worst."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vcut.atomic import replacing
from vcut.errors import OutputError
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.evaluate import Judged
from vcut.evaluation.report import SequenceScore
from vcut.masks.labels import resize_labels
from vcut.masks.palette import davis_palette

TILES = 5
"""Judged frames on a sheet, where there are so many; the given one comes before them."""

COLUMNS = 3
TILE_HEIGHT = 240
CAPTION_HEIGHT = 20
GAP = 8
"""Pixels around tiles, captions included."""

_LEAST_WIDTH = 190  # so that the longest usual caption fits below a portrait
_PAPER, _INK, _CONTOUR, _MARK = (24, 24, 24), (230, 230, 230), (255, 255, 255), (255, 64, 64)
_MARK_WIDTH = 3
_FONT_SIZE = 13


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
        picture = _arrange(self._sheet.tiles())
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
        tile = _tile(frame.sequence, frame.index, frame.labels, frame.truth, f"J {frame.region:.3f}")
        if frame.index in self.wanted:
            self.kept[frame.index] = tile
        if lowest:
            self.worst = frame.region, frame.index, tile

    def tiles(self) -> list[Image.Image]:
        _, index, tile = self.worst
        del self.kept[min(self.kept, key=lambda other: abs(other - index))]
        self.kept[index] = _marked(tile)
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
    pixels[_contour(truth)] = _CONTOUR
    tile = Image.new("RGB", (max(size[0], _LEAST_WIDTH), TILE_HEIGHT + CAPTION_HEIGHT), _PAPER)
    tile.paste(Image.fromarray(pixels))
    _caption(tile, f"{index} ({sequence.frames[index].stem})  {text}", _INK)
    return tile


def _contour(labels: np.ndarray) -> np.ndarray:
    """H x W bool: the pixels of objects with another label above, below, left or right of them."""
    edge = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge & (labels > 0)


def _marked(tile: Image.Image) -> Image.Image:
    tile = tile.copy()
    ImageDraw.Draw(tile).rectangle((0, 0, tile.width - 1, TILE_HEIGHT - 1), outline=_MARK, width=_MARK_WIDTH)
    _caption(tile, "worst", _MARK, right=True)
    return tile


def _caption(tile: Image.Image, text: str, colour: tuple[int, int, int], right: bool = False) -> None:
    font = ImageFont.load_default(_FONT_SIZE)
    x, anchor = (tile.width - 1, "rm") if right else (0, "lm")
    middle = TILE_HEIGHT + CAPTION_HEIGHT // 2
    ImageDraw.Draw(tile).text((x, middle), text, fill=colour, font=font, anchor=anchor)


def _arrange(tiles: list[Image.Image]) -> Image.Image:
    """Tiles in rows of :data:`COLUMNS`, left to right and down."""
    width, height = max(tile.width for tile in tiles) + GAP, TILE_HEIGHT + CAPTION_HEIGHT + GAP
    columns, rows = min(COLUMNS, len(tiles)), -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), _PAPER)
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (GAP + place % COLUMNS * width, GAP + place // COLUMNS * height))
    return sheet

"""Masks as text: COCO run lengths, one line of JSON for each frame and object."""

from __future__ import annotations

import json

import numpy as np

from vcut.masks.rle import encode
from vcut.video.cutout import Cutout
from vcut.video.output import Writer


class LinesWriter(Writer):
    """``{"frame": 0, "id": 1, "size": [height, width], "counts": "..."}`` a line, ordered by frame and id.

    An object has a line in every frame from the first that shows it: an empty mask where it is not to be seen.
    """

    def _begin(self) -> None:
        self._ids: set[int] = set() if self.only is None else {self.only}
        self._file = self._temporary.open("w", encoding="ascii")

    def _write(self, cutout: Cutout) -> None:
        self._ids |= set(np.unique(cutout.labels).tolist()) - {0}
        for identifier in sorted(self._ids):
            line = {"frame": cutout.frame.index, "id": identifier, **encode(cutout.labels == identifier)}
            self._file.write(json.dumps(line) + "\n")

    def _end(self, complete: bool) -> None:
        if hasattr(self, "_file"):
            self._file.close()

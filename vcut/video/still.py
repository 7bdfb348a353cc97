"""One frame of a clip as a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from vcut.atomic import replacing
from vcut.errors import OutputError
from vcut.video.reader import open_source
from vcut.video.span import Span


def save_frame(source: Path, output: Path, index: int, overwrite: bool = False) -> tuple[int, int]:
    """Writes frame ``index`` (from 0) of a clip, upright, as a lossless PNG; returns its width and height.

    Raises:
        InputError: unreadable clip, or one with fewer frames.
        OutputError: not a .png, there already, or not writable.
    """
    if output.suffix.lower() != ".png":
        raise OutputError(f"{output} is not a .png", "a mask must be drawn on lossless pixels: name it .png")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists", "give --overwrite to replace it")
    with open_source(source, span=Span(index, index + 1)) as clip:
        frame = next(iter(clip))
    with replacing(output) as temporary:
        Image.fromarray(frame.rgb).save(temporary, "png")
    return frame.rgb.shape[1], frame.rgb.shape[0]

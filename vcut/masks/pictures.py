"""Open a still picture that should hold a mask; a file that is no such thing gives one clear line."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from vcut.errors import MaskError

_VIDEO_SUFFIXES = {
    ".mp4",
    ".mov",
    ".m4v",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".mts",
    ".m2ts",
    ".mxf",
    ".ts",
}


def open_picture(path: str | Path) -> Image.Image:
    """Read and decode a still picture in its own mode; EXIF (rotation included) is not applied.

    Raises:
        MaskError: the file is missing, a folder, a video, an animation, no picture, damaged, or far too
            large.
    """
    path = Path(path)
    if path.is_dir():
        raise MaskError(f"mask {path} is a folder", "give one picture file")
    if not path.exists():
        raise MaskError(f"mask {path} does not exist", "check the path")
    if path.suffix.lower() in _VIDEO_SUFFIXES:
        raise MaskError(f"mask {path} is a video", "give a still picture of the mask, such as a PNG")
    try:
        with Image.open(path) as picture:
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise MaskError(
                    f"mask {path} is an animation of {frames} frames", "give a still picture, such as a PNG"
                )
            picture.load()
            return picture
    except UnidentifiedImageError as error:
        raise MaskError(f"mask {path} is not a picture", "give a PNG") from error
    except Image.DecompressionBombError as error:
        raise MaskError(f"mask {path} is too large a picture", "give a mask of the size of the clip") from error
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MaskError(f"mask {path} cannot be read: {reason}", "save it again, as a PNG") from error

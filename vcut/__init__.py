"""vcut: cut objects out of video.

The public names are imported on first use, so that ``import vcut`` (and ``vcut --version``) does not wait for torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Propagator": "vcut.engine.propagator",
    "SegmentOptions": "vcut.options",
    "VcutError": "vcut.errors",
    "load_model": "vcut.weights",
    "segment_video": "vcut.pipeline",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from vcut.engine.propagator import Propagator as Propagator
    from vcut.errors import VcutError as VcutError
    from vcut.options import SegmentOptions as SegmentOptions
    from vcut.pipeline import segment_video as segment_video
    from vcut.weights import load_model as load_model


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'vcut' has no attribute {name!r}")

"""Weights: the manifest, the file format, and how a name becomes a model. No torch until a model is loaded.

``resolve`` here is the function, not the module of that name.
"""

from __future__ import annotations

from vcut.weights.manifest import WeightsEntry, load_manifest
from vcut.weights.resolve import load_model, resolve

__all__ = ["WeightsEntry", "load_manifest", "load_model", "resolve"]

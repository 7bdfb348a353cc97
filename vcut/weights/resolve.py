"""From what ``--weights`` says to a file, and from there to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vcut.errors import WeightsError
from vcut.weights import hub
from vcut.weights.digest import check_file
from vcut.weights.file import load_file, read_header
from vcut.weights.manifest import DEFAULT, bundled_dir, load_manifest

if TYPE_CHECKING:
    from torch import nn


def resolve(spec: str | Path | None = None) -> Path:
    """The weight file that is meant.

    Args:
        spec: a name in the bundled manifest (its file is hashed), a file, or
            ``hf://owner/repo[/file][@revision]`` (fetched into the Hub's cache); ``None``: the default name.

    Raises:
        WeightsError: nothing of the kind, or a file that is not what its manifest says.
    """
    text = DEFAULT if spec is None else str(spec)
    if text.startswith(hub.PREFIX):
        return hub.fetch(hub.parse(text))
    path = Path(text)
    if isinstance(spec, Path) or path.name != text or path.suffix == ".safetensors":
        if not path.is_file():
            raise WeightsError(f"no weight file at {path}", "give a .safetensors file, a name or hf://owner/repo")
        return path
    rows = load_manifest()
    if text in rows:
        bundled = bundled_dir() / rows[text].file
        check_file(bundled, rows[text], "install vcut-video again")
        return bundled
    if path.is_file():
        return path
    known = ", ".join(rows) or "none"
    raise WeightsError(f"unknown weights '{text}'", f"known names: {known}; or give a file or hf://owner/repo")


def load_model(spec: str | Path | None = None, *, allow_untrained: bool = False) -> nn.Module:
    """The model of :func:`resolve`: float32, CPU, evaluation mode, without gradients.

    Args:
        spec: as for :func:`resolve`.
        allow_untrained: load a file that says it was never trained.

    Raises:
        WeightsError: as :func:`resolve`; a damaged file; one of another version; an untrained one.
    """
    path = resolve(spec)
    if not allow_untrained and read_header(path).get("trained") == "no":
        raise WeightsError(f"{path} is untrained", "train it with 'vcut train', or name trained weights")
    return load_file(path)

"""Puts a trained file into a weights folder: the file, and its row in the manifest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from vcut.atomic import replacing
from vcut.errors import WeightsError
from vcut.models.base import MEAN, STD, STRIDE
from vcut.weights.digest import sha256_of
from vcut.weights.file import load_file, read_header
from vcut.weights.manifest import WeightsEntry, write_entry

KEPT = ("J&F", "J", "F")


def publish(
    file: Path,
    name: str,
    folder: Path,
    scores: dict[str, Path],
    recipe: str,
    licence: str,
) -> WeightsEntry:
    """Copies ``file`` to ``folder/NAME.safetensors`` and writes its row.

    Args:
        file: trained weights, as ``vcut train`` writes them.
        name: the name users give with ``--weights``.
        folder: where ``manifest.json`` is.
        scores: for each data set the JSON that ``vcut evaluate --json`` wrote for this file.
        recipe: how it was trained, in a sentence or the command.
        licence: what may be done with it, in a sentence.

    Raises:
        WeightsError: the file does not load, is untrained, or a score file is not one.
    """
    load_file(file)
    header = read_header(file)
    if header.get("trained") == "no":
        raise WeightsError(f"{file} is untrained", "train it first")
    means = {data: _mean(path) for data, path in scores.items()}
    target = folder / f"{name}.safetensors"
    with replacing(target) as temporary:
        shutil.copyfile(file, temporary)
    entry = WeightsEntry(
        name=name,
        file=target.name,
        sha256=sha256_of(target),
        size=target.stat().st_size,
        architecture=header["architecture"],
        licence=licence,
        recipe=recipe,
        scores=means,
        preprocessing={"mean": list(MEAN), "std": list(STD), "stride": STRIDE},
    )
    write_entry(folder, entry)
    return entry


def _mean(path: Path) -> dict[str, float]:
    try:
        mean: dict[str, Any] = json.loads(path.read_text())["mean"]
        return {key: round(float(mean[key]), 4) for key in KEPT}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} holds no scores ({error})", "make it with 'vcut evaluate --json'") from error

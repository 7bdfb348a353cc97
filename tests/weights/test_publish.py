"""Publishing trained weights into a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vcut.errors import WeightsError
from vcut.models.registry import build_model
from vcut.weights.digest import check_file
from vcut.weights.file import convert, read_header, save_weights
from vcut.weights.manifest import load_manifest
from vcut.weights.publish import publish

SMALL = {"key_channels": 8, "value_channels": 16, "widths": [16, 16, 16], "fine": 8}


def make(path: Path, trained: str) -> Path:
    save_weights(path, build_model("gam-s", SMALL), extra={"trained": trained})
    return path


def test_a_published_file_has_its_row_and_its_scores(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(json.dumps({"mean": {"J&F": 0.80004, "J": 0.7, "F": 0.9, "J-decay": 0.1}}))
    file = make(tmp_path / "run.safetensors", "yes")
    entry = publish(file, "tiny", tmp_path / "shop", {"dev": tmp_path / "dev.json"}, "by hand", "free")
    assert load_manifest(tmp_path / "shop") == {"tiny": entry}
    assert entry.scores == {"dev": {"J&F": 0.8, "J": 0.7, "F": 0.9}} and entry.architecture == "gam-s"
    check_file(tmp_path / "shop" / "tiny.safetensors", entry, "")


def test_untrained_weights_and_wrong_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="untrained"):
        publish(make(tmp_path / "a.safetensors", "no"), "a", tmp_path / "shop", {}, "r", "l")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(WeightsError, match="no scores"):
        publish(make(tmp_path / "b.safetensors", "yes"), "b", tmp_path / "shop", {"dev": tmp_path / "bad.json"}, "", "")
    assert not (tmp_path / "shop").exists()


def test_what_convert_made_is_published_as_it_is(tmp_path: Path) -> None:
    file, small = make(tmp_path / "run.safetensors", "yes"), tmp_path / "small.safetensors"
    convert(file, small, "int8")
    entry = publish(small, "ready", tmp_path / "shop", {}, "r", "l")
    target = tmp_path / "shop" / "ready.safetensors"
    assert target.read_bytes() == small.read_bytes() and read_header(target)["store"] == "int8"
    assert entry.size == small.stat().st_size < 0.6 * file.stat().st_size
    check_file(target, load_manifest(tmp_path / "shop")["ready"], "")

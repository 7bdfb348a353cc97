"""Publishing trained weights into a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vcut.errors import OptionError, WeightsError
from vcut.models.registry import build_model
from vcut.weights.digest import check_file
from vcut.weights.file import convert, read_header, read_state, save_weights
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


def test_published_as_int8_it_has_what_convert_makes_of_the_file(tmp_path: Path) -> None:
    file, small = make(tmp_path / "run.safetensors", "yes"), tmp_path / "small.safetensors"
    convert(file, small, "int8")
    shop = tmp_path / "shop"
    for name, source in (("whole", file), ("ready", small)):
        entry = publish(source, name, shop, {}, "r", "l", "int8")
        target = shop / f"{name}.safetensors"
        torch.testing.assert_close(read_state(target), read_state(small), rtol=0, atol=0)
        assert entry.size == small.stat().st_size < 0.6 * file.stat().st_size
        check_file(target, load_manifest(shop)[name], "")


def test_an_int8_file_is_published_as_fp16_and_an_unknown_store_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "small.safetensors", build_model("gam-s", SMALL), store="int8", extra={"trained": "yes"})
    publish(tmp_path / "small.safetensors", "back", tmp_path / "shop", {}, "r", "l")
    assert read_header(tmp_path / "shop" / "back.safetensors")["store"] == "fp16"
    with pytest.raises(OptionError, match="'int4'; known ones: fp16, int8"):
        publish(tmp_path / "small.safetensors", "odd", tmp_path / "shop", {}, "r", "l", "int4")
    assert list(load_manifest(tmp_path / "shop")) == ["back"] and not (tmp_path / "shop" / "odd.safetensors").exists()

"""From a name or a path to a checked file and a model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from torch import nn

from vcut.errors import WeightsError
from vcut.weights import load_model, resolve
from vcut.weights.file import save_weights


def flip(path: Path, at: int = -100) -> None:
    """Changes one bit, and neither size nor modification time."""
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_names_files_and_the_default(bundled: Path, weights_file: Path) -> None:
    assert resolve() == resolve(None) == bundled / "gam-s.safetensors"
    assert resolve("other") == bundled / "other.safetensors"
    assert resolve(weights_file) == resolve(str(weights_file)) == weights_file


def test_a_relative_file_is_found_with_and_without_suffix(
    bundled: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(weights_file.parent)
    Path("bare").write_bytes(weights_file.read_bytes())
    assert resolve("mine.safetensors") == Path("mine.safetensors")
    assert resolve("bare") == Path("bare")
    Path("other").write_bytes(b"a file named like weights in the manifest")
    assert resolve("other") == bundled / "other.safetensors"
    assert resolve("./other") == Path("other")


def test_a_file_needs_no_manifest(bundled: Path, weights_file: Path) -> None:
    (bundled / "manifest.json").unlink()
    assert resolve(weights_file) == weights_file
    with pytest.raises(WeightsError, match="cannot read the manifest"):
        resolve()


def test_an_unknown_name_lists_the_known_ones(bundled: Path) -> None:
    with pytest.raises(WeightsError, match=r"unknown weights 'gamma'; known names: gam-s, other") as caught:
        resolve("gamma")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["nowhere.safetensors", "no/where", Path("nowhere"), ".", "hf:/a/b"])
def test_a_path_without_a_file_is_told(bundled: Path, spec: str | Path) -> None:
    with pytest.raises(WeightsError, match="no weight file at"):
        resolve(spec)


@pytest.mark.parametrize(
    "spec", ["hf://", "hf://owner", "hf://owner/repo/", "hf://owner/repo/../x", "hf://o/r@", "hf:// o/r"]
)
def test_a_malformed_hub_address_is_told(spec: str) -> None:
    with pytest.raises(WeightsError, match=r"write hf://owner/repo\[/file\]\[@revision\]"):
        resolve(spec)


def test_one_flipped_bit_is_found(bundled: Path) -> None:
    flip(bundled / "gam-s.safetensors")
    with pytest.raises(WeightsError, match="is damaged: its sha256 is not that of 'gam-s'") as caught:
        load_model()
    assert str(bundled / "gam-s.safetensors") in str(caught.value) and "\n" not in str(caught.value)


def test_a_truncated_and_a_missing_bundled_file_are_told(bundled: Path) -> None:
    path = bundled / "gam-s.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="has 1000 bytes, 'gam-s' should have"):
        resolve("gam-s")
    path.unlink()
    with pytest.raises(WeightsError, match=r"cannot read weights .*gam-s"):
        resolve("gam-s")


def test_a_file_is_hashed_again_only_when_it_has_changed(bundled: Path) -> None:
    path = bundled / "gam-s.safetensors"
    resolve("gam-s")
    flip(path)
    assert resolve("gam-s") == path  # same size and time: taken as the file already hashed
    os.utime(path)
    with pytest.raises(WeightsError, match="is damaged"):
        resolve("gam-s")


def test_load_model_gives_the_default_model(bundled: Path, model: nn.Module) -> None:
    loaded = load_model()
    assert (loaded.architecture, loaded.config) == ("gam-s", model.config)


def test_an_untrained_model_never_loads_silently(tmp_path: Path, model: nn.Module) -> None:
    path = tmp_path / "raw.safetensors"
    save_weights(path, model, extra={"trained": "no"})
    with pytest.raises(WeightsError, match="is untrained") as caught:
        load_model(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert load_model(path, allow_untrained=True).architecture == "gam-s"

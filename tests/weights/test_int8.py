"""Weights stored as int8: how much is lost, how small they get, and what damage is told."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from tools import iou
from torch import Tensor, nn

from vcut import Propagator, load_model
from vcut.engine.runtime import Runtime
from vcut.errors import OptionError, WeightsError
from vcut.weights.file import convert, load_file, read_header, read_state, save_weights
from vcut.weights.int8 import FEWEST, quantise, restore


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """The model that comes with vcut."""
    return load_model()


@pytest.fixture
def int8_file(model: nn.Module, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_weights(path, model, store="int8", extra={"trained": "yes", "clips": "7"})
    return path


def losses(values: Tensor, stored: Tensor) -> Tensor:
    """Relative RMS error of each output channel that is not all zeros."""
    values, stored = values.flatten(1), stored.flatten(1)
    norm = values.norm(dim=1)
    return ((stored - values).norm(dim=1) / norm)[norm > 0]


def test_normal_weights_lose_one_percent_a_channel_whatever_its_size() -> None:
    sizes = torch.logspace(-6, 3, 64)[:, None, None, None]
    weights = torch.randn(64, 128, 3, 3, generator=torch.Generator().manual_seed(0)) * sizes
    codes, scales = quantise(weights)
    assert (codes.dtype, codes.shape, scales.dtype, scales.shape) == (torch.int8, weights.shape, torch.float32, (64,))
    assert losses(weights, restore(codes, scales)).max() < 0.0105


def test_no_channel_is_worse_than_without_clipping_and_some_are_better() -> None:
    weights = torch.randn(64, 400, generator=torch.Generator().manual_seed(0))
    plain = weights.abs().amax(1, keepdim=True) / 127
    before, after = losses(weights, (weights / plain).round() * plain), losses(weights, restore(*quantise(weights)))
    assert (after <= before * 1.0001).all() and (after < before * 0.99).any()


def test_channels_of_zeros_and_of_denormals_come_back_finite() -> None:
    weights = torch.stack([torch.zeros(8), torch.full((8,), 1e-42), torch.linspace(-1, 1, 8)])
    back = restore(*quantise(weights))
    assert back[0].tolist() == [0] * 8
    torch.testing.assert_close(back, weights, rtol=0, atol=1 / 254)


def test_a_trained_model_loses_little_and_takes_half_the_space(trained: nn.Module, tmp_path: Path) -> None:
    half, small = tmp_path / "half.safetensors", tmp_path / "small.safetensors"
    save_weights(half, trained)
    save_weights(small, trained, store="int8")
    assert small.stat().st_size < 0.55 * half.stat().st_size
    wanted, kinds = trained.state_dict(), read_header(small)["tensors"]
    channels = []
    for name, tensor in load_file(small).state_dict().items():
        if kinds[name][0] == "I8":
            channels.append(losses(wanted[name], tensor))
            assert (tensor - wanted[name]).norm() < 0.02 * wanted[name].norm(), name
        else:
            torch.testing.assert_close(tensor, wanted[name].half().float(), rtol=0, atol=0)
    every = torch.cat(channels)
    # the ImageNet trunk has channels with a few weights ten times as large as the rest
    assert every.median() < 0.01 and every.max() < 0.03


def test_masks_cut_with_int8_weights_are_those_of_fp16(trained: nn.Module, tmp_path: Path) -> None:
    frames, truth = moving_disc(6)
    masks = []
    for store in ("fp16", "int8"):
        path = tmp_path / f"{store}.safetensors"
        save_weights(path, trained, store=store)
        propagator = Propagator(load_file(path), Runtime(torch.device("cpu"), torch.float32), size=96)
        propagator.start(frames[0], truth[0])
        masks.append([propagator.step(frame).labels > 0 for frame in frames[1:]])
    for half, small, true in zip(*masks, truth[1:], strict=True):
        assert iou(half, small) > 0.97
        assert iou(small, true > 0) > 0.8


def moving_disc(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames T,96,128,3 of a striped disc that moves before noise, and its masks T,96,128."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :128]
    ground = rng.integers(0, 90, (96, 128, 3))
    frames, masks = [], []
    for time in range(count):
        disc = (x - 40 - 5 * time) ** 2 + (y - 48) ** 2 < 22**2
        body = np.where(((x - 5 * time) % 12 < 3)[..., None], (250, 250, 40), (200, 60, 170))
        frames.append(np.where(disc[..., None], body, ground).astype(np.uint8))
        masks.append(disc.astype(np.uint8))
    return np.stack(frames), np.stack(masks)


def test_the_header_says_int8_and_shows_the_model_s_own_tensors(model: nn.Module, int8_file: Path) -> None:
    header = read_header(int8_file)
    assert (header["format"], header["store"], header["trained"]) == ("vcut-2", "int8", "yes")
    wanted = {
        name: ("I8" if tensor.ndim > 1 and tensor.numel() >= FEWEST else "F16", tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
    }
    assert header["tensors"] == wanted and {"I8", "F16"} == {kind for kind, _ in wanted.values()}
    assert {tensor.dtype for tensor in read_state(int8_file).values()} == {torch.float32, torch.float16}


def test_an_older_vcut_does_not_take_the_file_for_its_own(int8_file: Path) -> None:
    """One that knew fp16 only wanted ``vcut-1``."""
    with safe_open(int8_file, framework="numpy") as file:
        assert file.metadata()["format"] not in (None, "vcut-1")


def test_tensors_to_keep_are_kept(model: nn.Module, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_weights(first, model, store="int8", keep_fp32=lambda name: name.startswith("key."))
    convert(first, second, "fp16")
    for path in (first, second):
        assert read_header(path)["tensors"]["key.weight"][0] == "F32"
        assert torch.equal(read_state(path)["key.weight"], model.state_dict()["key.weight"])


def test_converted_there_and_back_a_file_keeps_metadata_and_values(int8_file: Path, tmp_path: Path) -> None:
    half, again = tmp_path / "half.safetensors", tmp_path / "again.safetensors"
    convert(int8_file, half, "fp16")
    convert(half, again, "int8")
    first, second, third = map(read_header, (int8_file, half, again))
    assert (second["store"], second["format"]) == ("fp16", "vcut-1")
    assert third == first and {"clips": "7", "config": first["config"]}.items() <= second.items()
    before, between, after = map(read_state, (int8_file, half, again))
    assert before.keys() == between.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(between[name], tensor.half())
        assert (after[name] - tensor).norm() <= 1e-3 * tensor.norm()


def test_what_cannot_be_stored_is_refused(model: nn.Module, int8_file: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'int4'; known ones: fp16, int8"):
        save_weights(tmp_path / "t.safetensors", model, store="int4")
    with pytest.raises(OptionError, match="is stored as int8 already"):
        convert(int8_file, tmp_path / "t.safetensors", "int8")
    broken = copy.deepcopy(model)
    broken.key.weight.data[3, 5] = float("inf")
    with pytest.raises(WeightsError, match=r"'key.weight' holds NaN or infinity"):
        save_weights(tmp_path / "t.safetensors", broken, store="int8")
    assert not (tmp_path / "t.safetensors").exists()


def change_scale(change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    return lambda state: state.update({"key.weight.scale": change(state["key.weight.scale"])})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda state: state.pop("key.weight.scale"), "lacks 'key.weight.scale'"),
        (change_scale(lambda scale: scale[:-1].clone()), "has 'key.weight.scale' as F32 of shape (7,) instead of"),
        (change_scale(lambda scale: scale[:, None].clone()), "of shape (8, 1) instead of F32 of shape (8,)"),
        (change_scale(lambda scale: scale.half()), "has 'key.weight.scale' as F16"),
        (lambda state: state.update({"stray.scale": torch.ones(8)}), "has an unknown 'stray.scale'"),
        (lambda state: state.update({"key.weight": state["key.weight"].half()}), "has an unknown 'key.weight.scale'"),
        (lambda state: state.update({"key.weight": state["key.weight"][:, 1:].clone()}), "has 'key.weight' of shape"),
        (lambda state: (state.pop("key.weight"), state.pop("key.weight.scale")), "lacks 'key.weight'"),
    ],
)
def test_a_damaged_int8_file_is_told_in_one_line(int8_file: Path, damage: Callable[..., object], says: str) -> None:
    with safe_open(int8_file, framework="numpy") as file:
        metadata = file.metadata()
    state = load_tensors(int8_file)
    damage(state)
    int8_file.unlink()
    save_file(state, int8_file, metadata)
    with pytest.raises(WeightsError) as caught:
        load_file(int8_file)
    text = str(caught.value)
    assert says in text and str(int8_file) in text and "\n" not in text and caught.value.fix


def test_int8_tensors_in_a_file_that_says_fp16_are_not_taken_for_weights(int8_file: Path) -> None:
    with safe_open(int8_file, framework="numpy") as file:
        metadata = file.metadata()
    state = load_tensors(int8_file)
    int8_file.unlink()
    save_file(state, int8_file, {**metadata, "format": "vcut-1"})
    with pytest.raises(WeightsError, match=r"has an unknown '.*\.scale'"):
        load_file(int8_file)

"""Weight files: what is stored, what comes back, and every kind of damage."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from torch import nn

from vcut.errors import OutputError, VcutError, WeightsError
from vcut.weights.file import load_file, read_header, read_state, save_weights


class Tiny(nn.Module):
    """A convolution and a batch norm whose variance is beyond fp16."""

    architecture = "tiny"

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.config = SimpleNamespace(to_dict=lambda: {"channels": channels})
        self.conv = nn.Conv2d(3, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        self.bn.running_var.fill_(8e4)

    def keep_fp32(self, name: str) -> bool:
        return "running_" in name


def build_tiny(architecture: str, config: dict[str, int]) -> Tiny:
    assert architecture == "tiny"
    return Tiny(**config)


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_weights(path, Tiny(), extra={"trained": "yes"})
    return path


def one_line(caught: pytest.ExceptionInfo[VcutError]) -> str:
    text = str(caught.value)
    assert "\n" not in text and caught.value.fix
    return text


def test_a_real_model_comes_back_in_float32_ready_to_use(model: nn.Module, weights_file: Path) -> None:
    loaded = load_file(weights_file)
    assert (loaded.architecture, loaded.config) == (model.architecture, model.config)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    wanted = {name: tensor.half().float() for name, tensor in model.state_dict().items()}
    torch.testing.assert_close(loaded.state_dict(), wanted, rtol=0, atol=0)


def test_tensors_are_stored_as_fp16_and_the_header_says_what_they_are(model: nn.Module, weights_file: Path) -> None:
    header = read_header(weights_file)
    assert (header["format"], header["architecture"], header["trained"]) == ("vcut-1", "gam-s", "yes")
    assert header["config"] == json.loads(json.dumps(model.config.to_dict()))
    assert header["tensors"] == {name: ("F16", tuple(tensor.shape)) for name, tensor in model.state_dict().items()}


def test_tensors_to_keep_and_integers_are_not_halved(tiny_file: Path) -> None:
    types = {name: tensor.dtype for name, tensor in read_state(tiny_file).items()}
    assert types["conv.weight"] == torch.float16
    assert types["bn.running_var"] == torch.float32
    assert types["bn.num_batches_tracked"] == torch.int64
    loaded = load_file(tiny_file, builder=build_tiny)
    assert loaded.bn.running_var.tolist() == [8e4] * 4


def test_an_argument_goes_before_the_model_s_own_list(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_weights(path, Tiny(), keep_fp32=lambda name: name.startswith(("conv", "bn.running")))
    assert read_state(path)["conv.bias"].dtype == torch.float32


def test_values_beyond_fp16_are_refused_not_stored_as_infinity(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    with pytest.raises(WeightsError, match=r"'bn.running_var' goes beyond fp16") as caught:
        save_weights(path, Tiny(), keep_fp32=lambda _: False)
    one_line(caught)
    assert not path.exists()


def test_a_diverged_model_is_refused(tmp_path: Path) -> None:
    model = Tiny()
    model.conv.weight.data[0] = float("nan")
    with pytest.raises(WeightsError, match=r"'conv.weight' holds NaN"):
        save_weights(tmp_path / "t.safetensors", model)


def test_channels_last_tensors_and_shared_ones_can_be_saved(tmp_path: Path) -> None:
    model = Tiny()
    model.conv.weight.data = torch.randn(4, 3, 1, 1).to(memory_format=torch.channels_last)
    model.bn.running_mean = model.bn.running_var
    save_weights(tmp_path / "t.safetensors", model)
    loaded = load_file(tmp_path / "t.safetensors", builder=build_tiny)
    assert torch.equal(loaded.conv.weight, model.conv.weight.half().float())
    assert loaded.bn.running_mean.tolist() == [8e4] * 4


def test_extra_metadata_cannot_override_our_own(tmp_path: Path) -> None:
    save_weights(tmp_path / "t.safetensors", Tiny(), extra={"architecture": "x", "format": "y", "steps": "7"})
    header = read_header(tmp_path / "t.safetensors")
    assert (header["architecture"], header["format"], header["steps"]) == ("tiny", "vcut-1", "7")


@pytest.mark.skipif(os.name == "nt", reason="permissions as on POSIX")
def test_a_weight_file_has_the_permissions_of_any_new_file(tmp_path: Path, tiny_file: Path) -> None:
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(tiny_file.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_write_that_fails_midway_leaves_the_old_file_and_nothing_else(tiny_file: Path, model: nn.Module) -> None:
    resource = pytest.importorskip("resource")
    before = tiny_file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write") as caught:
            save_weights(tiny_file, model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    one_line(caught)
    assert tiny_file.read_bytes() == before
    assert list(tiny_file.parent.iterdir()) == [tiny_file]


def test_a_folder_that_cannot_be_made_is_an_output_error(tiny_file: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        save_weights(tiny_file / "below" / "t.safetensors", Tiny())


DAMAGES = {
    "empty": lambda data: b"",
    "a few bytes": lambda data: data[:5],
    "cut in the header": lambda data: data[:60],
    "cut in the tensors": lambda data: data[:-7],
    "too long": lambda data: data + b"abc",
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"<html><body>503 Service Unavailable</body></html>\n" * 40,
    "a header of nonsense": lambda data: data[:8] + b"\xff" * 40 + data[48:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_one_line_that_names_the_file(weights_file: Path, damage: str) -> None:
    weights_file.write_bytes(DAMAGES[damage](weights_file.read_bytes()))
    for read in (read_header, read_state, load_file):
        with pytest.raises(WeightsError) as caught:
            read(weights_file)
        assert str(weights_file) in one_line(caught)


def test_no_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weight file at"):
        load_file(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match="is a folder"):
        load_file(tmp_path)


def rewrite(path: Path, drop: tuple[str, ...] = (), **changes: str) -> None:
    """Writes the file anew with other metadata."""
    metadata = {"format": "vcut-1", "architecture": "tiny", "config": '{"channels": 4}', **changes}
    tensors = load_tensors(path)
    path.unlink()
    save_file(tensors, path, {key: value for key, value in metadata.items() if key not in drop} or None)


@pytest.mark.parametrize(
    ("drop", "changes", "says"),
    [
        (("format", "architecture", "config"), {}, "not a vcut weight file"),
        (("format",), {}, "not a vcut weight file"),
        ((), {"format": "vcut-9"}, "not a vcut weight file"),
        (("architecture",), {}, "no 'architecture' in its metadata"),
        (("config",), {}, "no 'config' in its metadata"),
        ((), {"config": "{"}, "bad config in its metadata"),
        ((), {"config": "[4]"}, "bad config in its metadata"),
    ],
)
def test_bad_metadata_is_told(tiny_file: Path, drop: tuple[str, ...], changes: dict[str, str], says: str) -> None:
    rewrite(tiny_file, drop, **changes)
    with pytest.raises(WeightsError) as caught:
        load_file(tiny_file, builder=build_tiny)
    assert says in one_line(caught) and str(tiny_file) in str(caught.value)


@pytest.mark.parametrize(
    ("config", "says"),
    [('{"nonsense": 1}', "nonsense"), ('{"trunk": "resnet999"}', "resnet999"), ('{"value_channels": -3}', "-3")],
)
def test_a_config_that_builds_nothing_is_the_file_s_fault(tiny_file: Path, config: str, says: str) -> None:
    rewrite(tiny_file, architecture="gam-s", config=config)
    with pytest.raises(WeightsError) as caught:
        load_file(tiny_file)
    assert says in one_line(caught) and str(tiny_file) in str(caught.value)


def test_an_unknown_architecture_is_a_weights_error(tiny_file: Path) -> None:
    with pytest.raises(WeightsError, match="unknown architecture 'tiny'") as caught:
        load_file(tiny_file)
    assert str(tiny_file) in one_line(caught)


def test_other_shapes_are_told(tiny_file: Path) -> None:
    rewrite(tiny_file, config='{"channels": 5}')
    with pytest.raises(WeightsError, match=r"has 'conv.weight' of shape \(4, 3, 1, 1\) instead of \(5, 3") as caught:
        load_file(tiny_file, builder=build_tiny)
    assert "more faults" in one_line(caught)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state: state.pop("conv.bias"), "lacks 'conv.bias'"),
        (lambda state: state.update(stray=torch.ones(2)), "has an unknown 'stray'"),
    ],
)
def test_missing_and_unknown_tensors_are_told(tiny_file: Path, change: object, says: str) -> None:
    state = load_tensors(tiny_file)
    change(state)  # type: ignore[operator]
    metadata = {"format": "vcut-1", "architecture": "tiny", "config": '{"channels": 4}'}
    tiny_file.unlink()
    save_file(state, tiny_file, metadata)
    with pytest.raises(WeightsError) as caught:
        load_file(tiny_file, builder=build_tiny)
    assert says in one_line(caught) and "faults" not in str(caught.value)


def test_a_header_is_read_without_torch(weights_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vcut.weights.file import read_header; "
        "print(read_header(Path(sys.argv[1]))['architecture'], 'torch' in sys.modules)"
    )
    root = str(Path(sys.modules["vcut"].__file__).parents[1])
    command = [sys.executable, "-c", code, str(weights_file)]
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True)
    assert result.stdout.split() == ["gam-s", "False"], result.stderr

"""The weight file: safetensors, fp16, and self-describing.

Its metadata (text by text) holds ``format`` = ``vcut-1``, ``architecture``, ``config`` (JSON) and what the
writer adds, for one ``trained`` = ``yes`` or ``no``. Torch is imported only where tensors or a model are
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcut.atomic import replacing
from vcut.errors import VcutError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "vcut-1"

_AGAIN = "get the file again"


def save_weights(
    path: Path,
    model: nn.Module,
    *,
    extra: Mapping[str, str] | None = None,
    keep_fp32: Callable[[str], bool] | None = None,
) -> None:
    """Writes a model's state, floating tensors as fp16, under a temporary name and then renamed.

    Args:
        path: the file, replaced if there.
        model: with ``architecture`` (text) and ``config`` (with ``to_dict()``).
        extra: more metadata; cannot override ``format``, ``architecture`` and ``config``.
        keep_fp32: says of a tensor's name whether it stays float32 (batch-norm statistics go beyond fp16);
            default: the model's own ``keep_fp32``, or none.

    Raises:
        WeightsError: a tensor has NaN or infinity, or values beyond fp16.
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save

    keep = keep_fp32 or getattr(model, "keep_fp32", None) or (lambda _: False)
    state = {name: _packed(name, tensor, keep(name)) for name, tensor in model.state_dict().items()}
    metadata = {
        **(extra or {}),
        "format": FORMAT,
        "architecture": model.architecture,
        "config": json.dumps(model.config.to_dict()),
    }
    with replacing(path) as temporary:
        # not save_file: it leaves a file that only its owner can read
        temporary.write_bytes(save(state, metadata))


def _packed(name: str, tensor: Tensor, keep_fp32: bool) -> Tensor:
    """A contiguous copy on the CPU, fp16 if floating and not to be kept."""
    import torch

    copy = tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format)
    if not copy.is_floating_point():
        return copy
    if not copy.isfinite().all():
        raise WeightsError(f"cannot save: '{name}' holds NaN or infinity", "train from an earlier checkpoint")
    if keep_fp32:
        return copy.float()
    half = copy.half()
    if not half.isfinite().all():
        raise WeightsError(f"cannot save: '{name}' goes beyond fp16", "name it in the model's keep_fp32")
    return half


def read_header(path: Path) -> dict[str, Any]:
    """What a weight file says of itself, without reading its tensors (or torch).

    Returns:
        The metadata, ``config`` parsed, and ``tensors``: name -> (type as safetensors writes it, shape).

    Raises:
        WeightsError: no such file, damaged, not safetensors, or without vcut's metadata.
    """
    from safetensors import SafetensorError, safe_open

    _check_there(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            tensors = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is not a vcut weight file (its metadata has no format '{FORMAT}')",
            "give a file that 'vcut train' wrote, or update vcut",
        )
    try:
        config = json.loads(metadata["config"])
        if not isinstance(config, dict):
            raise ValueError("config is not an object")
        return {**metadata, "architecture": metadata["architecture"], "config": config, "tensors": tensors}
    except KeyError as error:
        raise WeightsError(f"{path} has no {error} in its metadata", _AGAIN) from error
    except ValueError as error:
        raise WeightsError(f"{path} has a bad config in its metadata ({error})", _AGAIN) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors as stored, on the CPU.

    Raises:
        WeightsError: no such file, damaged, or not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_tensors

    _check_there(path)
    try:
        return load_tensors(path)
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def load_file(path: Path, *, builder: Callable[[str, dict[str, Any]], nn.Module] | None = None) -> nn.Module:
    """The model in a weight file: float32, CPU, evaluation mode, without gradients.

    Args:
        path: the file.
        builder: makes the model of an architecture and a config; default
            :func:`vcut.models.registry.build_model`.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit this version of vcut.
    """
    header = read_header(path)
    model = _build(path, header, builder)
    _check_fit(path, header, model)
    model.load_state_dict(read_state(path))  # copies into the model's float32
    return model.eval().requires_grad_(False)


def _build(path: Path, header: dict[str, Any], builder: Callable[..., nn.Module] | None) -> nn.Module:
    """The untrained model a header asks for; a config that does not work is the file's fault."""
    if builder is None:
        from vcut.models.registry import build_model as builder
    try:
        return builder(header["architecture"], header["config"])
    except VcutError as error:
        raise WeightsError(f"{path}: {error.what}", "update vcut") from error
    except (TypeError, ValueError, LookupError, RuntimeError) as error:
        what = f"{path}: bad config for '{header['architecture']}' ({_line(error)})"
        raise WeightsError(what, "get the file again, or update vcut") from error


def _check_fit(path: Path, header: dict[str, Any], model: nn.Module) -> None:
    """Raises WeightsError unless the file has the model's tensors, all of them, no others, of its shapes."""
    found = {name: shape for name, (_, shape) in header["tensors"].items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    lacks = [f"lacks '{name}'" for name in wanted if name not in found]
    has = [f"has an unknown '{name}'" for name in found if name not in wanted]
    shapes = [
        f"has '{name}' of shape {found[name]} instead of {wanted[name]}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    faults = [*lacks, *has, *shapes]
    if faults:
        more = f" and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise WeightsError(
            f"{path} does not fit architecture '{header['architecture']}': it {faults[0]}{more}",
            "get the file again, or update vcut",
        )


def _check_there(path: Path) -> None:
    """Raises WeightsError for no file, a folder, or an empty file."""
    if path.is_dir():
        raise WeightsError(f"{path} is a folder", "give a .safetensors file in it")
    if not path.is_file():
        raise WeightsError(f"no weight file at {path}", "check the path")
    if path.stat().st_size == 0:
        raise WeightsError(f"weight file {path} is empty", _AGAIN)


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"weight file {path} is damaged or not safetensors ({_line(error)})", _AGAIN)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

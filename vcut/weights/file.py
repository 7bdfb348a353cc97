"""The weight file: safetensors, fp16 or with int8 in it, and self-describing.

Its metadata (text by text) holds ``format`` (a value of :data:`FORMATS`), ``architecture``, ``config`` (JSON) and
what the writer adds, for one ``trained`` = ``yes`` or ``no``. Torch is imported only where tensors or a model are
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcut.atomic import replacing
from vcut.errors import OptionError, VcutError, WeightsError
from vcut.weights import int8

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMATS = {"fp16": "vcut-1", "int8": "vcut-2"}
"""How a file stores floating tensors, and the format that it says it is of. A vcut that knows only ``vcut-1`` refuses
the other. ``int8``: the large tensors are (:mod:`vcut.weights.int8`), the rest is fp16."""

_AGAIN = "get the file again"


def save_weights(
    path: Path,
    model: nn.Module,
    *,
    store: str = "fp16",
    extra: Mapping[str, str] | None = None,
    keep_fp32: Callable[[str], bool] | None = None,
) -> None:
    """Writes a model's state, floating tensors as fp16 or int8, under a temporary name and then renamed.

    Args:
        path: the file, replaced if there.
        model: with ``architecture`` (text) and ``config`` (with ``to_dict()``).
        store: a key of :data:`FORMATS`.
        extra: more metadata; cannot override ``format``, ``architecture`` and ``config``.
        keep_fp32: says of a tensor's name whether it stays float32 (batch-norm statistics go beyond fp16);
            default: the model's own ``keep_fp32``, or none.

    Raises:
        OptionError: unknown ``store``.
        WeightsError: a tensor has NaN or infinity, or values beyond fp16.
        OutputError: the file cannot be written.
    """
    keep = keep_fp32 or getattr(model, "keep_fp32", None) or (lambda _: False)
    metadata = {**(extra or {}), "architecture": model.architecture, "config": json.dumps(model.config.to_dict())}
    _write(path, model.state_dict(), metadata, store, keep)


def convert(source: Path, target: Path, store: str) -> None:
    """Writes a weight file anew in the other way to store; its metadata and the tensors kept float32 stay as they are.

    Args:
        source: the file.
        target: the new file, replaced if there.
        store: a key of :data:`FORMATS`, not that of ``source``.

    Raises:
        OptionError: unknown ``store``, or the one that ``source`` has already.
        WeightsError: ``source`` is missing, damaged or no weight file, or has values beyond fp16.
        OutputError: ``target`` cannot be written.
    """
    header = read_header(source)
    if header["store"] == store:
        raise OptionError(f"{source} is stored as {store} already", "copy it")
    metadata, _ = _open(source)
    kept = {name for name, (kind, _) in header["tensors"].items() if kind == "F32"}
    _write(target, _state(source, header), metadata, store, kept.__contains__)


def _write(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], store: str, keep_fp32: Callable[[str], bool]
) -> None:
    """The one place that writes a weight file."""
    from safetensors.torch import save

    if store not in FORMATS:
        raise OptionError(f"unknown way to store weights '{store}'", f"known ones: {', '.join(FORMATS)}")
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        packed |= _packed(name, tensor, store, keep_fp32(name))
    with replacing(path) as temporary:
        # not save_file: it leaves a file that only its owner can read
        temporary.write_bytes(save(packed, {**metadata, "format": FORMATS[store]}))


def _packed(name: str, tensor: Tensor, store: str, keep_fp32: bool) -> dict[str, Tensor]:
    """What is stored of a tensor, by name: contiguous copies on the CPU."""
    import torch

    copy = tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format)
    if not copy.is_floating_point():
        return {name: copy}
    if not copy.isfinite().all():
        raise WeightsError(f"cannot save: '{name}' holds NaN or infinity", "train from an earlier checkpoint")
    if keep_fp32:
        return {name: copy.float()}
    if store == "int8" and int8.suits(copy):
        codes, scales = int8.quantise(copy)
        return {name: codes, int8.scale_name(name): scales}
    half = copy.half()
    if not half.isfinite().all():
        raise WeightsError(f"cannot save: '{name}' goes beyond fp16", "name it in the model's keep_fp32")
    return {name: half}


def read_header(path: Path) -> dict[str, Any]:
    """What a weight file says of itself, without reading its tensors (or torch).

    Returns:
        The metadata, ``config`` parsed, ``store`` (a key of :data:`FORMATS`), and the model's ``tensors``: name ->
        (type as safetensors writes it, shape). Scales of int8 tensors are checked, and left out.

    Raises:
        WeightsError: no such file, damaged, not safetensors, or without vcut's metadata.
    """
    metadata, tensors = _open(path)
    store = next((store for store, name in FORMATS.items() if name == metadata.get("format")), None)
    if store is None:
        known = " or ".join(map(repr, FORMATS.values()))
        raise WeightsError(
            f"{path} is not a vcut weight file (its metadata has no format {known})",
            "give a file that 'vcut train' wrote, or update vcut",
        )
    if store == "int8":
        try:
            tensors = int8.without_scales(tensors)
        except ValueError as error:
            raise WeightsError(f"weight file {path} is damaged: it {error}", _AGAIN) from error
    try:
        config = json.loads(metadata["config"])
        if not isinstance(config, dict):
            raise ValueError("config is not an object")
        facts = {"architecture": metadata["architecture"], "config": config, "store": store, "tensors": tensors}
        return {**metadata, **facts}
    except KeyError as error:
        raise WeightsError(f"{path} has no {error} in its metadata", _AGAIN) from error
    except ValueError as error:
        raise WeightsError(f"{path} has a bad config in its metadata ({error})", _AGAIN) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The model's tensors on the CPU: as stored, and those stored as int8 in float32.

    Raises:
        WeightsError: no such file, damaged, or not a vcut weight file.
    """
    return _state(path, read_header(path))


def _state(path: Path, header: dict[str, Any]) -> dict[str, Tensor]:
    """:func:`read_state` with the file's header."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_tensors

    try:
        stored = load_tensors(path)
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if header["store"] != "int8":
        return stored
    return {
        name: int8.restore(stored[name], stored[int8.scale_name(name)]) if kind == int8.KIND else stored[name]
        for name, (kind, _) in header["tensors"].items()
    }


def _open(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, tuple[int, ...]]]]:
    """A safetensors file's metadata and tensors: name -> (type as safetensors writes it, shape)."""
    from safetensors import SafetensorError, safe_open

    _check_there(path)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            tensors = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
            return file.metadata() or {}, tensors
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def load_file(path: Path, *, builder: Callable[[str, dict[str, Any]], nn.Module] | None = None) -> nn.Module:
    """The model in a weight file: float32, CPU, evaluation mode, without gradients.

    Args:
        path: the file.
        builder: makes the model of an architecture and a config; default
            :func:`vcut.models.registry.rebuild_model`.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit this version of vcut.
    """
    header = read_header(path)
    model = _build(path, header, builder)
    _check_fit(path, header, model)
    model.load_state_dict(_state(path, header))  # copies into the model's float32
    return model.eval().requires_grad_(False)


def _build(path: Path, header: dict[str, Any], builder: Callable[..., nn.Module] | None) -> nn.Module:
    """The untrained model a header asks for; a config that does not work is the file's fault."""
    if builder is None:
        from vcut.models.registry import rebuild_model as builder
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

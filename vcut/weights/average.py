"""The mean of trained weights: of runs that began with the same ones, it is often better than each (Wortsman et al.,
"Model soups", ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vcut.errors import OptionError
from vcut.weights.file import load_file, read_header, save_weights


def average(sources: Sequence[Path], target: Path, shares: Sequence[float] | None = None) -> None:
    """Writes the weighted mean of weight files, as fp16.

    Args:
        sources: two or more, of one architecture and config.
        target: the new file, replaced if there.
        shares: how much each of them counts, above 0; their sum need not be 1. All the same when ``None``.

    Raises:
        OptionError: too few sources, shares that do not go with them, or networks that differ.
        WeightsError: a source is missing, damaged, untrained or no weight file.
        OutputError: ``target`` cannot be written.
    """
    if len(sources) < 2:
        raise OptionError("one file has no mean", "give two or more")
    shares = list(shares or [1.0] * len(sources))
    if len(shares) != len(sources) or not all(0 < share < float("inf") for share in shares):
        raise OptionError(f"{len(sources)} files need as many shares above 0", "for example --shares 0.3,0.7")
    kinds = [read_header(path) for path in sources]
    for path, kind in zip(sources, kinds, strict=True):
        if any(kind[key] != kinds[0][key] for key in ("architecture", "config")):
            raise OptionError(f"{path} is of another network than {sources[0]}", "average runs of one network")
        if kind.get("trained") != "yes":
            raise OptionError(f"{path} is not trained", "average trained weights")
    models = [load_file(path) for path in sources]
    states = [model.state_dict() for model in models]
    mean = {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True)) / sum(shares)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in states[0].items()
    }
    models[0].load_state_dict(mean)
    save_weights(target, models[0], extra={"trained": "yes"})

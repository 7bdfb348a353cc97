"""Options of cutting that ``segment`` and ``batch`` share, written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from vcut.cli.choices import (
    DEFAULT_RULE,
    DEFAULT_SIZE,
    Aggregation,
    Device,
    Dtype,
    FinetuneFirst,
    Roi,
    Scales,
    Size,
    Weights,
)
from vcut.video.formats import FORMATS

EDGES = "The edges"


def _template(
    format: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help=f"{', '.join(FORMATS)}; several with commas. Told from OUTPUT if left out."
        ),
    ] = None,
    background: Annotated[
        str | None, typer.Option("--background", "-b", help="A colour, picture or video to put behind the objects.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Frame (56) or time (2.5s) that the mask is of; begin there.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", help="Frame or time to end before.")] = None,
    objects: Annotated[str | None, typer.Option("--objects", help="Cut only these, e.g. 1,3.")] = None,
    split_objects: Annotated[bool, typer.Option("--split-objects", help="A file for each object.")] = False,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Keep the sound.")] = True,
    deinterlace: Annotated[
        bool | None, typer.Option("--deinterlace/--no-deinterlace", help="What to do with an interlaced clip.")
    ] = None,
    tone_map: Annotated[bool, typer.Option("--tone-map", help="Make ordinary video of an HDR clip.")] = False,
    edge: Annotated[
        str, typer.Option("--edge", help="soft, as in the picture, or crisp.", rich_help_panel=EDGES)
    ] = "soft",
    grow: Annotated[
        float, typer.Option("--grow", metavar="PX", help="Move edges outwards.", rich_help_panel=EDGES)
    ] = 0,
    shrink: Annotated[
        float, typer.Option("--shrink", metavar="PX", help="Move edges inwards.", rich_help_panel=EDGES)
    ] = 0,
    feather: Annotated[float, typer.Option("--feather", metavar="PX", help="Soften edges.", rich_help_panel=EDGES)] = 0,
    names: Annotated[
        Path | None, typer.Option("--names", help='JSON, {"1": "dog"}; or MASK.json beside the mask.')
    ] = None,
    aggregation: Aggregation = DEFAULT_RULE,
    scales: Scales = None,
    roi: Roi = None,
    finetune_first: FinetuneFirst = 0,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
    weights: Weights = None,
    rate: Annotated[str, typer.Option("--rate", help="Frames per second of a folder of pictures.")] = "25",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
) -> None:
    """The options; their names are those of :func:`vcut.options.read_options`."""


def cutting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options. It gets them as fields of SegmentOptions, as keywords beyond its own."""
    own, shared = _parameters(command), _parameters(_template)

    @wraps(command)
    def wrapped(**values: Any) -> None:
        from vcut.options import read_options

        command(**read_options({name: values.pop(name) for name in shared}), **values)

    parameters = {**own, **shared}
    wrapped.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    wrapped.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    del wrapped.__wrapped__  # typer reads what is wrapped, else
    return wrapped


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }

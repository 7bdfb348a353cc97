"""Options that several commands share, written once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vcut.engine.rules import DEFAULT_RULE, RULES
from vcut.options import DEFAULT_SIZE

Size = Annotated[
    int,
    typer.Option(
        "--size", metavar="PX", help="Shorter side of what the network sees; the output keeps the source's size."
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, fp32, bf16, fp16 or int8.")]
FinetuneFirst = Annotated[
    int, typer.Option("--finetune-first", metavar="N", help="Train on the first frame for N steps before.")
]
Aggregation = Annotated[
    str, typer.Option("--aggregation", metavar="RULE", help=f"How objects share pixels: {', '.join(RULES)}.")
]
Roi = Annotated[
    bool | None,
    typer.Option(
        "--roi/--no-roi",
        help="Look at most frames only where the objects are: faster, the same masks. On a CPU it is on.",
        show_default=False,
    ),
]
Scales = Annotated[
    str | None,
    typer.Option("--scales", metavar="S,S,…", help="rgmp: scales of the frame whose masks are averaged, 0.5,0.75,1."),
]


def _weights(*names: str) -> Any:
    return typer.Option(*names, metavar="NAME|FILE|hf://…", help="Trained weights; the default ones come with vcut.")


Weights = Annotated[str | None, _weights("--weights", "--model")]
OneWeights = Annotated[str | None, _weights("--weights")]
"""For a command whose ``--model`` takes several."""

__all__ = [
    "DEFAULT_RULE",
    "DEFAULT_SIZE",
    "Aggregation",
    "Device",
    "Dtype",
    "FinetuneFirst",
    "OneWeights",
    "Roi",
    "Scales",
    "Size",
    "Weights",
]

"""``vcut train``: train a model from stills and video, and export the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcut.cli import console
from vcut.cli.choices import Device
from vcut.errors import OptionError

if TYPE_CHECKING:
    from vcut.engine.runtime import Runtime
    from vcut.training.trainer import Judge

RUN, MODEL, CLIPS, LEARNING, LOSS = "The run", "The model", "The clips", "Learning", "The loss"


def train(
    run: Annotated[Path, typer.Option("--run", help="Folder of the run; a run that is in it is gone on with.")],
    data: Annotated[Path, typer.Option("--data", help="Folder with static/, backgrounds/ and video/.")],
    packed: Annotated[Path, typer.Option("--packed", help="Folder of the packed data (4 GB).")] = Path("packed"),
    minutes: Annotated[float | None, typer.Option(help="Stop and save after so long.", rich_help_panel=RUN)] = None,
    dev: Annotated[
        Path | None, typer.Option(help="Sequences to score the running mean on as it goes.", rich_help_panel=RUN)
    ] = None,
    dev_every: Annotated[int, typer.Option(help="Steps between scores.", rich_help_panel=RUN)] = 400,
    workers: Annotated[
        int | None,
        typer.Option(help="Loader processes; left out, 1, or for a GPU all cores but two.", rich_help_panel=RUN),
    ] = None,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option(help="Of everything drawn.", rich_help_panel=RUN)] = None,
    architecture: Annotated[
        str | None,
        typer.Option("--model", help="gam-s, gam, gc, rgmp, giel, stm, ... (see README).", rich_help_panel=MODEL),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE of the model's config, e.g. context=raw.", rich_help_panel=MODEL),
    ] = None,
    backbones: Annotated[
        Path | None, typer.Option(help="Folder of ImageNet trunks that a new run starts from.", rich_help_panel=MODEL)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help="Weights that a new run starts from, later ones over earlier ones; of another model, what fits.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    scratch: Annotated[bool, typer.Option("--scratch", help="Allow random trunks.", rich_help_panel=MODEL)] = False,
    batch: Annotated[int | None, typer.Option(help="Clips a step.", rich_help_panel=CLIPS)] = None,
    size: Annotated[int | None, typer.Option(help="Side of the frames, pixels.", rich_help_panel=CLIPS)] = None,
    clip: Annotated[int | None, typer.Option(help="Frames a clip at first.", rich_help_panel=CLIPS)] = None,
    long_clip: Annotated[int | None, typer.Option(help="Frames a clip later on.", rich_help_panel=CLIPS)] = None,
    long_from: Annotated[
        float | None, typer.Option(help="Share of the steps before long clips.", rich_help_panel=CLIPS)
    ] = None,
    video: Annotated[
        float | None, typer.Option(help="Share of clips from video, later on.", rich_help_panel=CLIPS)
    ] = None,
    video_from: Annotated[
        float | None, typer.Option(help="Share of the steps before video.", rich_help_panel=CLIPS)
    ] = None,
    stills: Annotated[
        str | None,
        typer.Option(
            help="How clips are made of stills: mixed, moved, pasted, either (RGMP's strategies 1, 2, both).",
            rich_help_panel=CLIPS,
        ),
    ] = None,
    two_objects: Annotated[
        float | None, typer.Option(help="Share of batches with two targets a clip.", rich_help_panel=CLIPS)
    ] = None,
    three_objects: Annotated[float | None, typer.Option(help="... with three.", rich_help_panel=CLIPS)] = None,
    glance: Annotated[
        float | None, typer.Option(help="Share of frames not remembered in full.", rich_help_panel=CLIPS)
    ] = None,
    apart: Annotated[
        float | None,
        typer.Option(help="Share of batches whose first frame is long before the others.", rich_help_panel=CLIPS),
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option(help="Share of masks that are spoilt before they are remembered.", rich_help_panel=CLIPS),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(help="Augmentations left out, e.g. 'occlusion,twin'; 'all' for all.", rich_help_panel=CLIPS),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps in all.", rich_help_panel=LEARNING)] = None,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.", rich_help_panel=LEARNING)] = None,
    trunk_rate: Annotated[
        float | None, typer.Option(help="... of the trunks, as a share of it.", rich_help_panel=LEARNING)
    ] = None,
    frozen: Annotated[
        int | None, typer.Option(help="Stages of the frame encoder not trained, 0 to 4.", rich_help_panel=LEARNING)
    ] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of rising learning rate.", rich_help_panel=LEARNING)] = None,
    decay: Annotated[float | None, typer.Option(help="Weight decay.", rich_help_panel=LEARNING)] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of the running mean.", rich_help_panel=LEARNING)] = None,
    hard: Annotated[
        float | None, typer.Option(help="Share of pixels in the cross-entropy, the hardest.", rich_help_panel=LOSS)
    ] = None,
    edge: Annotated[float | None, typer.Option(help="Weight of a loss next to edges.", rich_help_panel=LOSS)] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Weights whose soft masks are learnt too.", rich_help_panel=LOSS)
    ] = None,
    distil: Annotated[float | None, typer.Option(help="Weight of that loss.", rich_help_panel=LOSS)] = None,
) -> None:
    """Train a model. Stop it at any time (Ctrl-C): the same command goes on where it was.

    The running mean of the weights is written to RUN/weights.safetensors at every stop, and with --dev the best scored
    one to RUN/best.safetensors. Without options of the model, the clips, learning or loss, a run keeps its own.
    """
    import math
    import signal

    from vcut.engine.runtime import choose_runtime
    from vcut.training.options import AUGMENTATIONS, TrainOptions
    from vcut.training.pack import open_packs
    from vcut.training.trainer import Progress, Trainer, loaders
    from vcut.weights import load_model

    given: dict[str, Any] = {
        "architecture": architecture,
        "config": _settings(settings) if settings else None,
        "steps": steps,
        "batch": batch,
        "size": size,
        "clip": clip,
        "long_clip": long_clip,
        "long_from": long_from,
        "video": video,
        "video_from": video_from,
        "stills": stills,
        "two_objects": two_objects,
        "three_objects": three_objects,
        "glance": glance,
        "apart": apart,
        "drift": drift,
        "without": AUGMENTATIONS if without == "all" else tuple(without.split(",")) if without else None,
        "rate": rate,
        "trunk_rate": trunk_rate,
        "frozen": frozen,
        "warmup": warmup,
        "decay": decay,
        "hard": hard,
        "edge": edge,
        "teacher": teacher,
        "distil": distil,
        "ema": ema,
        "seed": seed,
    }
    given = {key: value for key, value in given.items() if value is not None}
    fresh = not (run / "options.json").exists()
    names = start.split(",") if start else []
    runtime = choose_runtime(device, "auto")
    trainer = Trainer(
        run,
        TrainOptions(**given) if given or fresh else None,
        runtime.device,
        backbones,
        [load_model(name) for name in names],
        scratch,
    )
    packs = open_packs(data, packed)
    for share, name in zip(trainer.taken, names, strict=False):
        console.stderr().print(f"took over {share:.0%} of the weights outside the trunks from {name}")

    def show(state: Progress) -> None:
        console.stderr().print(
            f"step {state.step}/{trainer.options.steps}  loss {state.loss:.3f}  IoU {state.overlap:.3f}  "
            f"{state.clips_per_second:.2f} clips/s  rate {state.rate:.2g}  {state.hours:.2f} h"
            + ("" if state.dev is None else f"  dev J&F {100 * state.dev:.1f}")
        )

    # both let the step end first; also in the background, where Ctrl-C is ignored unless asked for
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: trainer.stop())
    ended = trainer.train(
        packs,
        show,
        seconds=60 * minutes if minutes else math.inf,
        judge=_judge(dev, runtime) if dev else None,
        judge_every=dev_every,
        workers=loaders(runtime.device) if workers is None else workers,
    )
    path = trainer.export()
    console.done(f"{path}: step {trainer.step} of {trainer.options.steps}" + ("" if ended else ", not at its end"))


def _settings(pairs: list[str]) -> dict[str, Any]:
    """``FIELD=VALUE`` to values: numbers, true, false and lists as JSON writes them, else text."""
    import json

    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise OptionError(f"--set {pair} is not FIELD=VALUE", "write for example --set context=raw")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def _judge(root: Path, runtime: Runtime) -> Judge:
    from vcut.engine.propagator import Propagator
    from vcut.evaluation.dataset import find_sequences
    from vcut.evaluation.evaluate import evaluate
    from vcut.evaluation.network import NetworkPredictor

    sequences = find_sequences(root)
    return lambda model: evaluate(sequences, NetworkPredictor(Propagator(model, runtime))).mean()["J&F"]

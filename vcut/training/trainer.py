"""The training loop: resumable, on CPU or CUDA, in bf16 where the hardware has it.

A run is a folder: ``options.json``, ``log.csv``, ``state.pt`` (weights, their running mean, optimizer, step, random
state), and what was exported: ``weights.safetensors``, ``best.safetensors``.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vcut.atomic import replacing
from vcut.engine.runtime import Runtime, training_dtype
from vcut.errors import InputError, OptionError
from vcut.models.base import SegmentationModel
from vcut.models.registry import build_model, load_trunks, same_trunks, take_over
from vcut.training.clips import Batches, ClipMaker, Drawn
from vcut.training.descent import descend
from vcut.training.layout import Resident
from vcut.training.losses import Weights, unroll
from vcut.training.options import TrainOptions
from vcut.training.pack import Pack
from vcut.training.render import draw
from vcut.weights import load_model
from vcut.weights.file import save_weights

MOST_LOADERS = 14
"""Processes that draw clips for a GPU, at most: these keep an H200 busy."""


@dataclass(frozen=True)
class Progress:
    """State of a run after a step: means since the last report.

    Attributes:
        waiting: share of the time that went by waiting for clips.
        dev: J&F of the running mean, where it was judged.
    """

    step: int
    loss: float
    overlap: float
    rate: float
    clips_per_second: float
    waiting: float
    hours: float
    dev: float | None = None

    COLUMNS: ClassVar = ("step", "loss", "overlap", "rate", "clips_per_second", "waiting", "hours", "dev")

    def row(self) -> tuple[str, ...]:
        """As text, under :attr:`COLUMNS`."""
        return (
            str(self.step),
            f"{self.loss:.4f}",
            f"{self.overlap:.4f}",
            f"{self.rate:.3g}",
            f"{self.clips_per_second:.2f}",
            f"{self.waiting:.3f}",
            f"{self.hours:.4f}",
            "" if self.dev is None else f"{self.dev:.4f}",
        )


class Tally:
    """Steps since the last report.

    Attributes:
        steps: how many.
        waited: seconds that went by waiting for clips.
    """

    def __init__(self, device: torch.device) -> None:
        self.steps = 0
        self.waited = 0.0
        self._sums = torch.zeros(2, device=device)
        self._began = time.monotonic()

    def add(self, values: Tensor, waited: float) -> None:
        """Counts a step with its loss and overlap; a GPU is not waited for."""
        self._sums += values
        self.waited += waited
        self.steps += 1

    @property
    def seconds(self) -> float:
        """From the last report until now."""
        return time.monotonic() - self._began

    @property
    def loss(self) -> float:
        """Mean; 0 without a step."""
        return float(self._sums[0]) / max(1, self.steps)

    @property
    def overlap(self) -> float:
        """Mean; 0 without a step."""
        return float(self._sums[1]) / max(1, self.steps)


Judge = Callable[[SegmentationModel], float]
"""Gives a model's J&F on sequences that it is not trained on, 0 to 1."""


class Trainer:
    """One run in one folder.

    Args:
        folder: of the run; made when it is not there. A folder with a ``state.pt`` is gone on with.
        options: of a new run; ``None`` takes those of the folder.
        device: to train on.
        backbones: folder of ImageNet trunks, for a new run.
        start: trained models to start a new run from, each over the one before; of another architecture, what fits.
        scratch: let a new run start from random trunks when neither of these has them.

    Attributes:
        step: optimizer steps done.
        taken: share of the weights outside the trunks that a new run took over from each of ``start``.
        best: highest J&F of the running mean so far, 0 when it was never judged.

    Raises:
        OptionError: a folder with a run, and other options than it was started with, or none that are known; neither
            options nor a run; or random trunks without ``scratch``.
    """

    def __init__(
        self,
        folder: Path,
        options: TrainOptions | None,
        device: torch.device,
        backbones: Path | None = None,
        start: Sequence[SegmentationModel] = (),
        scratch: bool = False,
    ) -> None:
        self.folder = folder
        self.device = device
        self.runtime = Runtime(device, training_dtype(device))
        self.options = _settle(folder, options)
        resumed = (folder / "state.pt").is_file()
        torch.manual_seed(self.options.seed)
        model = build_model(self.options.architecture, self.options.config)
        if backbones is not None and not resumed:
            load_trunks(model, backbones)
        self.taken = [] if resumed else [take_over(model, source) for source in start]
        if not (resumed or scratch or backbones is not None or any(same_trunks(model, source) for source in start)):
            raise OptionError("a new run would start from random trunks", "give --backbones, or --start, or --scratch")
        if not resumed and all(source.architecture != model.architecture for source in start):
            model.align()
        self.model = model.to(device, memory_format=torch.channels_last).train()
        model.trunks()[0].freeze(self.options.frozen)
        self.mean = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.teacher = self._teacher()
        self.weights = Weights(self.options.hard, self.options.edge, self.options.distil)
        self.optimizer = self._optimizer()
        self.step = 0
        self.seconds = 0.0
        self.best = 0.0
        self._stopping = False
        if resumed:
            self._load()
        else:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / "options.json") as temporary:
                temporary.write_text(json.dumps(self.options.to_dict(), indent=1))
            self.save()

    def _teacher(self) -> SegmentationModel | None:
        if not self.options.teacher:
            return None
        teacher = load_model(self.options.teacher).to(self.device, memory_format=torch.channels_last)
        return teacher.eval().requires_grad_(False)

    def _optimizer(self) -> torch.optim.AdamW:
        options = self.options
        trunk = {id(p) for t in self.model.trunks() for p in t.parameters()}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.model.parameters():
            if not parameter.requires_grad:
                continue
            groups.setdefault((id(parameter) in trunk, parameter.ndim > 1), []).append(parameter)
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "share": options.trunk_rate if in_trunk else 1.0,
                    "weight_decay": options.decay if decays else 0.0,
                }
                for (in_trunk, decays), parameters in groups.items()
            ],
            lr=options.rate,
            fused=self.device.type == "cuda",  # one launch for all
        )

    def rate(self, step: int) -> float:
        """Learning rate at a step: a linear rise, then half a cosine down to a fiftieth."""
        options = self.options
        rise = min(1.0, (step + 1) / max(1, options.warmup))
        fall = 0.5 * (1 + math.cos(math.pi * step / options.steps))
        return options.rate * rise * (0.02 + 0.98 * fall)

    def stop(self) -> None:
        """Lets :meth:`train` end after the step it is at."""
        self._stopping = True

    def train(
        self,
        packs: dict[str, Pack],
        report: Callable[[Progress], None],
        *,
        seconds: float = math.inf,
        report_every: int = 20,
        save_every: float = 300.0,
        judge: Judge | None = None,
        judge_every: int = 400,
        workers: int = 1,
    ) -> bool:
        """Trains until the last step or the time is up, saving as it goes; true when the run is at its end.

        Args:
            packs: see :func:`vcut.training.pack.open_packs`.
            report: called at every ``report_every``-th step.
            seconds: time allowed now.
            save_every: seconds between checkpoints.
            judge: scores the running mean every ``judge_every`` steps, at the next report, and at the end;
                the best so far is exported to ``best.safetensors``.
            workers: loader processes; 0 loads between steps.

        Raises:
            InputError: the loss is no longer finite. The last checkpoint is from before.
        """
        begin = saved = time.monotonic()
        before = self.seconds
        tally = Tally(self.device)
        self._stopping = False
        with closing(self._batches(packs, workers)) as batches:  # its workers end with it, also after an error
            while self.step < self.options.steps:
                asked = time.monotonic()
                clips = next(batches)
                waited = time.monotonic() - asked
                tally.add(self._advance(*clips), waited)
                now = time.monotonic()
                self.seconds = before + now - begin
                ended = self.step == self.options.steps
                if self.step % report_every == 0 or ended:
                    due = judge is not None and (self.step % judge_every < report_every or ended)
                    self._tell(tally, judge if due else None, report)
                    tally = Tally(self.device)
                stopping = self._stopping or time.monotonic() - begin > seconds
                if ended or stopping or time.monotonic() - saved > save_every:
                    self._check(tally.loss)
                    self.save()
                    saved = time.monotonic()
                if stopping:
                    break
        return self.step >= self.options.steps

    def _tell(self, tally: Tally, judge: Judge | None, report: Callable[[Progress], None]) -> None:
        """Logs and reports the means since the last time, judged where there is a judge."""
        self._check(tally.loss)
        speed, waiting = tally.steps * self.options.batch / tally.seconds, tally.waited / tally.seconds
        dev = None if judge is None else self._judge(judge)
        rate, hours = self.rate(self.step), self.seconds / 3600
        progress = Progress(self.step, tally.loss, tally.overlap, rate, speed, waiting, hours, dev)
        self._log(progress)
        report(progress)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise InputError(f"loss is {loss} at step {self.step}", "train with a lower --rate")

    def _judge(self, judge: Judge) -> float:
        score = judge(self.mean)
        if score > self.best:
            self.best = score
            self.export("best.safetensors")
        return score

    def _batches(self, packs: dict[str, Pack], workers: int) -> Generator[tuple[Tensor, Tensor, int], None, None]:
        """Frames, labels and the number of targets: drawn by the loader for a CPU; by a GPU for itself, as it has all
        pictures."""
        options = self.options
        maker = ClipMaker(packs, options.augmentations, options.size, options.stills)
        resident = None if self.device.type == "cpu" else Resident(packs.values(), self.device)
        loader = DataLoader(
            Batches(maker, options, resident.places) if resident else Drawn(Batches(maker, options)),
            batch_size=None,
            sampler=range(self.step, options.steps),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_set_up_loader,
            pin_memory=self.device.type == "cuda",
        )
        for batch in loader:
            if resident is None:
                yield batch
            else:
                layout = replace(batch.to(self.device), pixels=resident.pixels)
                yield *draw(layout, options.size), layout.most

    def _advance(self, frames: Tensor, labels: Tensor, objects: int) -> Tensor:
        """One optimizer step; returns loss and overlap, on the device, which is not waited for."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step) * group["share"]
        glances = (torch.rand(frames.shape[1]) < self.options.glance).tolist()
        with self.runtime.autocast():
            loss, overlap = unroll(
                self.model,
                frames.float() / 255,
                labels,
                self.weights,
                self.teacher,
                glances,
                self.options.drift,
                self.options.given(self.step),
                objects,
            )
        descend(self.model, self.optimizer, loss)
        self.step += 1
        decay = min(self.options.ema, self.step / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - decay)
            for kept, newest in zip(self.mean.buffers(), self.model.buffers(), strict=True):  # of batch norm
                kept.copy_(newest)
        return torch.stack([loss.detach(), overlap])

    def _log(self, progress: Progress) -> None:
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(Progress.COLUMNS)
            writer.writerow(progress.row())

    def save(self) -> None:
        """Writes the checkpoint under a temporary name, then renames it."""
        state = {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "random": torch.get_rng_state(),
            "random on device": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        with replacing(self.folder / "state.pt") as temporary:
            torch.save(state, temporary)

    def export(self, name: str = "weights.safetensors") -> Path:
        """Writes the running mean of the weights to a file in the run's folder."""
        path = self.folder / name
        save_weights(path, self.mean, extra={"trained": "yes", "clips": str(self.step * self.options.batch)})
        return path

    def _load(self) -> None:
        state = torch.load(self.folder / "state.pt", map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state.get("best", 0.0)
        torch.set_rng_state(state["random"].cpu())
        on_device = state.get("random on device")
        if on_device is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(on_device.cpu(), self.device)
        self._forget_log()

    def _forget_log(self) -> None:
        """Drops the log's rows of steps after the checkpoint: they are done again."""
        path = self.folder / "log.csv"
        if not path.is_file():
            return
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) <= self.step]
        with replacing(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, Progress.COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(rows)


def loaders(device: torch.device) -> int:
    """Loader processes that keep a device busy: a CPU has no core to spare, and a GPU is fast."""
    return 1 if device.type == "cpu" else max(1, min(MOST_LOADERS, (os.cpu_count() or 1) - 2))


def _settle(folder: Path, options: TrainOptions | None) -> TrainOptions:
    """The options of the run in a folder, or those of a new one."""
    saved = folder / "options.json"
    if saved.is_file():
        kept = TrainOptions.from_dict(json.loads(saved.read_text()))
        if options is not None and options != kept:
            raise OptionError(
                f"{folder} holds a run with other options", "leave them out to resume, or give another --run folder"
            )
        return kept
    if (folder / "state.pt").is_file():
        raise OptionError(f"{folder} holds a run whose options.json is gone", "remove it, or give another --run folder")
    if options is None:
        raise OptionError(f"{folder} holds no run to resume", "give the options of a new one")
    return options


def _set_up_loader(worker: int) -> None:
    """One thread; and deaf to Ctrl-C, which reaches all processes of a terminal: the trainer decides when to end."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

"""The training loop: resumable, on CPU or CUDA in bf16.

A run is a folder: ``options.json``, ``log.csv``, and ``state.pt`` (weights, their running mean, optimizer,
step, random state).
"""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vcut.atomic import replacing
from vcut.errors import InputError, OptionError
from vcut.models.base import SegmentationModel
from vcut.models.registry import build_model, load_trunks
from vcut.training.clips import Batches, ClipMaker
from vcut.training.losses import unroll
from vcut.training.options import TrainOptions
from vcut.training.pack import Pack
from vcut.weights.file import save_weights


@dataclass(frozen=True)
class Progress:
    """State of a run after a step: means since the last report."""

    step: int
    loss: float
    overlap: float
    rate: float
    clips_per_second: float
    hours: float


class Trainer:
    """One run in one folder.

    Args:
        folder: of the run; made when it is not there. A folder with a ``state.pt`` is gone on with.
        options: of a new run; ``None`` takes those of the folder.
        device: to train on.
        backbones: folder of ImageNet trunks, for a new run.
        start: a weight file's model to start a new run from, instead of ImageNet trunks.

    Raises:
        OptionError: a folder with a run, and other options than it was started with; or neither options nor a run.
    """

    def __init__(
        self,
        folder: Path,
        options: TrainOptions | None,
        device: torch.device,
        backbones: Path | None = None,
        start: SegmentationModel | None = None,
    ) -> None:
        self.folder = folder
        self.device = device
        saved = folder / "options.json"
        if saved.is_file():
            kept = TrainOptions(**json.loads(saved.read_text()))
            if options is not None and options != kept:
                raise OptionError(
                    f"{folder} holds a run with other options", "leave them out to resume, or give another --run folder"
                )
            self.options = kept
        elif options is not None:
            self.options = options
            folder.mkdir(parents=True, exist_ok=True)
            saved.write_text(json.dumps(options.to_dict(), indent=1))
        else:
            raise OptionError(f"{folder} holds no run to resume", "give the options of a new one")
        torch.manual_seed(self.options.seed)
        model = start if start is not None else build_model(self.options.architecture)
        if start is None and backbones is not None:
            load_trunks(model, backbones)
        self.model = model.to(device, memory_format=torch.channels_last).train().requires_grad_(True)
        self.mean = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = self._optimizer()
        self.step = 0
        self.seconds = 0.0
        if (folder / "state.pt").is_file():
            self._load()

    def _optimizer(self) -> torch.optim.AdamW:
        options = self.options
        trunk = {id(p) for t in self.model.trunks() for p in t.parameters()}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.model.parameters():
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
        )

    def rate(self, step: int) -> float:
        """Learning rate at a step: a linear rise, then half a cosine down to a fiftieth."""
        options = self.options
        rise = min(1.0, (step + 1) / max(1, options.warmup))
        fall = 0.5 * (1 + math.cos(math.pi * step / options.steps))
        return options.rate * rise * (0.02 + 0.98 * fall)

    def train(
        self,
        packs: dict[str, Pack],
        report: Callable[[Progress], None],
        *,
        seconds: float = math.inf,
        report_every: int = 20,
        save_every: float = 300.0,
        workers: int = 1,
    ) -> bool:
        """Trains until the last step or the time is up, saving as it goes; true when the run is at its end.

        Args:
            packs: see :func:`vcut.training.pack.open_packs`.
            report: called every ``report_every`` steps.
            seconds: time allowed now.
            save_every: seconds between checkpoints.
            workers: loader processes; 0 loads between steps.
        """
        begin = saved = marked = time.monotonic()
        before = self.seconds
        sums = torch.zeros(2)
        since = 0
        try:
            for frames, labels in self._batches(packs, workers):
                sums += self._advance(frames, labels)
                since += 1
                now = time.monotonic()
                self.seconds = before + now - begin
                if since == report_every or self.step == self.options.steps:
                    clips = since * self.options.batch / (now - marked)
                    loss, overlap = (sums / since).tolist()
                    progress = Progress(self.step, loss, overlap, self.rate(self.step), clips, self.seconds / 3600)
                    self._log(progress)
                    report(progress)
                    if not math.isfinite(loss):
                        raise InputError(f"loss is {loss} at step {self.step}", "train with a lower --rate")
                    sums, since, marked = torch.zeros(2), 0, now
                if now - saved > save_every:
                    self.save()
                    saved = now
                if now - begin > seconds:
                    break
        finally:
            if sums.isfinite().all():
                self.save()
        return self.step >= self.options.steps

    def _batches(self, packs: dict[str, Pack], workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        batches = Batches(ClipMaker(packs, self.options.size), self.options)
        return iter(
            DataLoader(
                batches,
                batch_size=None,
                sampler=range(self.step, self.options.steps),
                num_workers=workers,
                prefetch_factor=4 if workers else None,
                pin_memory=self.device.type == "cuda",
                worker_init_fn=_one_thread,
            )
        )

    def _advance(self, frames: Tensor, labels: Tensor) -> Tensor:
        """One optimizer step; returns loss and overlap on the CPU."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step) * group["share"]
        frames = frames.to(self.device, non_blocking=True).float() / 255
        labels = labels.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss, overlap = unroll(self.model, frames, labels, self.options.hard)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        decay = min(self.options.ema, self.step / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - decay)
        return torch.stack([loss.detach(), overlap]).cpu()

    def _log(self, progress: Progress) -> None:
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "loss", "overlap", "rate", "clips_per_second", "hours"])
            writer.writerow(
                [
                    progress.step,
                    f"{progress.loss:.4f}",
                    f"{progress.overlap:.4f}",
                    f"{progress.rate:.3g}",
                    f"{progress.clips_per_second:.2f}",
                    f"{progress.hours:.4f}",
                ]
            )

    def save(self) -> None:
        """Writes the checkpoint under a temporary name, then renames it."""
        state = {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "random": torch.get_rng_state(),
        }
        with replacing(self.folder / "state.pt") as temporary:
            torch.save(state, temporary)

    def export(self) -> Path:
        """Writes the running mean of the weights to ``weights.safetensors`` in the run's folder."""
        path = self.folder / "weights.safetensors"
        save_weights(path, self.mean, extra={"trained": "yes", "clips": str(self.step * self.options.batch)})
        return path

    def _load(self) -> None:
        state = torch.load(self.folder / "state.pt", map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"].cpu())


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)

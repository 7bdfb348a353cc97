"""What only a GPU shows of training: it draws the clips for itself, of pictures that it has as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vcut.training.clips import ClipMaker
from vcut.training.layout import Resident, lay_out
from vcut.training.options import TrainOptions
from vcut.training.render import draw, render
from vcut.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

OPTIONS = TrainOptions(steps=24, batch=4, size=64, warmup=4, rate=5e-4, video=0.3, drift=0.5, apart=0.5)


def test_the_gpu_draws_what_a_cpu_draws(packs):
    device = torch.device("cuda")
    maker = ClipMaker(packs, ["occlusion", "vanish", "twin", "zoom", "small", "motion-blur", "flicker"])
    scenes = [maker.scene(np.random.default_rng(seed), 4, 3, seed % 2 == 0) for seed in range(12)]
    for scene in scenes:
        scene.camera.noise = 0.0  # its numbers are others on each device
    resident = Resident(packs.values(), device)
    layout = lay_out(scenes, resident.places).pin_memory().to(device)
    frames, labels = draw(replace(layout, pixels=resident.pixels), 64)
    there, own = render(scenes, 64)
    assert (frames.cpu().int() - there.int()).abs().float().mean() < 0.5
    assert (labels.cpu() != own).float().mean() < 1e-3


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_learns_there_and_goes_on_where_it_was(packs, tmp_path, workers):
    device, reports = torch.device("cuda"), []
    first = Trainer(tmp_path, OPTIONS, device, scratch=True)
    assert not first.train(packs, reports.append, report_every=1, seconds=0, workers=workers)
    second = Trainer(tmp_path, None, device)
    assert second.step == first.step
    assert second.train(packs, reports.append, report_every=1, workers=workers)
    losses = [report.loss for report in reports]
    assert len(losses) == OPTIONS.steps and sum(losses[-6:]) < 0.7 * sum(losses[:6]), losses

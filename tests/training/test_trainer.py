"""Training on a small set: the loss falls, a run resumes exactly, the result is a weight file."""

from __future__ import annotations

import csv

import pytest
import torch

from vcut.engine.aggregate import aggregate_logits
from vcut.errors import OptionError
from vcut.models.registry import build_model
from vcut.training.losses import clip_loss, unroll
from vcut.training.options import TrainOptions
from vcut.training.trainer import Trainer
from vcut.weights import load_model

CPU = torch.device("cpu")
SMALL = TrainOptions(steps=6, batch=2, size=64, warmup=2, video_from=0.5, long_from=0.5)


def run(folder, packs, options, **arguments):
    reports = []
    trainer = Trainer(folder, options, CPU)
    ended = trainer.train(packs, reports.append, report_every=1, workers=0, **arguments)
    return trainer, reports, ended


def test_a_run_that_was_stopped_resumes_exactly(packs, tmp_path):
    whole, _, ended = run(tmp_path / "whole", packs, SMALL)
    assert ended and whole.step == 6
    for _ in range(6):
        stopped, _, ended = run(
            tmp_path / "parts", packs, SMALL if not (tmp_path / "parts").exists() else None, seconds=0
        )
    assert ended and stopped.step == 6
    for a, b in zip(whole.model.parameters(), stopped.model.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(whole.mean.parameters(), stopped.mean.parameters(), strict=True):
        assert torch.equal(a, b)
    with (tmp_path / "parts" / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [1, 2, 3, 4, 5, 6]


def test_the_loss_falls(packs, tmp_path):
    options = TrainOptions(steps=24, batch=2, size=64, warmup=4, rate=5e-4, video=0.3)
    _, reports, _ = run(tmp_path, packs, options)
    losses = [report.loss for report in reports]
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6]), losses


def test_the_export_is_a_weight_file_of_the_running_mean(packs, tmp_path):
    trainer, _, _ = run(tmp_path, packs, SMALL, seconds=0)
    model = load_model(trainer.export())
    assert model.architecture == "gam-s" and not model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, trainer.mean.state_dict()[name], rtol=1e-3, atol=1e-6)


def test_a_run_keeps_its_options(packs, tmp_path):
    run(tmp_path, packs, SMALL, seconds=0)
    with pytest.raises(OptionError, match="other options"):
        Trainer(tmp_path, TrainOptions(steps=7), CPU)
    with pytest.raises(OptionError, match="no run"):
        Trainer(tmp_path / "nothing", None, CPU)


@pytest.mark.parametrize("values", [{"size": 100}, {"steps": 0}, {"clip": 1}, {"video": 1.5}])
def test_options_that_make_no_sense_are_refused(values):
    with pytest.raises(OptionError):
        TrainOptions(**values)


def test_loss_is_least_for_the_truth():
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    labels[:, 4:10, 4:10] = 1
    right = torch.where(labels == 1, 8.0, -8.0)[:, None]
    good = clip_loss(aggregate_logits(right), labels, 0.4)
    unsure = clip_loss(aggregate_logits(torch.zeros(1, 1, 16, 16)), labels, 0.4)
    wrong = clip_loss(aggregate_logits(-right), labels, 0.4)
    assert good < 0.01 < unsure < wrong


def test_gradients_reach_every_parameter_through_time():
    torch.manual_seed(0)
    for name in ("gam-s", "gc"):
        model = build_model(name)
        labels = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
        labels[:, :, 8:30, 8:30] = 1
        labels[:, :, 40:60, 20:50] = 2
        loss, overlap = unroll(model, torch.rand(1, 3, 3, 64, 64), labels, 0.4)
        loss.backward()
        assert 0 <= overlap <= 1
        silent = [n for n, p in model.named_parameters() if p.grad is None]
        assert silent == []

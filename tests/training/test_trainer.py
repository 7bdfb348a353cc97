"""Training on a small set: the loss falls, a run resumes exactly, the result is a weight file."""

from __future__ import annotations

import csv
import math
import multiprocessing
from dataclasses import replace

import pytest
import torch

from vcut.engine.aggregate import aggregate_logits
from vcut.errors import InputError, OptionError
from vcut.models.registry import build_model, same_trunks, take_over
from vcut.training.losses import Weights, clip_loss, near_edge, unroll
from vcut.training.options import TrainOptions
from vcut.training.trainer import Trainer
from vcut.weights import load_model
from vcut.weights.file import read_header

CPU = torch.device("cpu")
SMALL = TrainOptions(steps=6, batch=2, size=64, warmup=2, video_from=0.5, long_from=0.5)


def run(folder, packs, options, **arguments):
    reports = []
    trainer = Trainer(folder, options, CPU, scratch=True)
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


def test_rgmp_trains_by_recurrence_over_five_frames(packs, tmp_path):
    config = {"trunk": "resnet18", "channels": 16, "widths": (16, 16), "scales": (0.5, 1.0)}
    options = replace(SMALL, architecture="rgmp", config=config, steps=2, clip=6, long_clip=6)
    trainer, reports, ended = run(tmp_path, packs, options)
    assert ended and all(math.isfinite(report.loss) for report in reports)
    again = Trainer(tmp_path, None, CPU)
    assert again.step == 2 and again.model.config.widths == (16, 16)
    assert load_model(trainer.export()).scales == (0.5, 1.0)


def test_the_running_mean_has_the_newest_batch_norm(packs, tmp_path):
    tiny = {"trunk": "resnet18", "key_channels": 16, "value_channels": 32, "label_channels": 8, "widths": [16, 16, 16]}
    options = replace(SMALL, architecture="giel", config=tiny, steps=2, video_from=1.0)
    trainer, _, ended = run(tmp_path, packs, options)
    norm = trainer.mean.label_encoder.norm1
    assert ended and not torch.equal(norm.running_var, torch.ones(8))
    assert torch.equal(norm.running_var, trainer.model.label_encoder.norm1.running_var)
    resumed = Trainer(tmp_path, None, CPU)
    assert torch.equal(resumed.mean.label_encoder.norm1.running_var, norm.running_var)
    assert load_model(trainer.export()).architecture == "giel"


def test_a_run_keeps_its_options(packs, tmp_path):
    run(tmp_path, packs, SMALL, seconds=0)
    with pytest.raises(OptionError, match="other options"):
        Trainer(tmp_path, TrainOptions(steps=7), CPU)
    with pytest.raises(OptionError, match="no run"):
        Trainer(tmp_path / "nothing", None, CPU)
    (tmp_path / "options.json").unlink()
    for options in (SMALL, None):
        with pytest.raises(OptionError, match="json is gone"):
            Trainer(tmp_path, options, CPU)


def test_random_trunks_are_not_trained_by_mistake(tmp_path):
    with pytest.raises(OptionError, match="random trunks"):
        Trainer(tmp_path / "a", SMALL, CPU)
    small = load_model("gam-s")
    with pytest.raises(OptionError, match="random trunks"):  # a ResNet-18 is no start for a ResNet-50
        Trainer(tmp_path / "b", replace(SMALL, architecture="gam"), CPU, start=[small])
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_a_run_starts_from_weights_and_goes_on_without_them(tmp_path):
    small = load_model("gam-s")
    fresh = Trainer(tmp_path, SMALL, CPU, start=[small])
    assert fresh.taken == [1]
    again = Trainer(tmp_path, None, CPU)
    for a, b in zip(small.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_another_architecture_takes_over_what_fits():
    small, medium = load_model("gam-s"), build_model("gam")
    before = medium.frame_encoder.conv1.weight.clone()
    assert 0.3 < take_over(medium, small) < 0.9
    assert torch.equal(medium.decoder.predict.weight, small.decoder.predict.weight)
    assert torch.equal(medium.frame_encoder.conv1.weight, before)


def test_a_trunk_without_a_namesake_starts_from_the_frame_encoder():
    gam, rgmp = load_model("gam"), build_model("rgmp")
    assert same_trunks(rgmp, gam) and not same_trunks(rgmp, load_model("gam-s"))
    take_over(rgmp, gam)
    rgmp.align()
    first, *others = rgmp.encoder.parameters()
    theirs, *rest = gam.frame_encoder.parameters()
    assert torch.equal(first[:, :3], theirs) and first[:, 3:].abs().min() > 0
    assert all(torch.equal(a, b) for a, b in zip(others, rest, strict=True))


def test_trunks_start_from_shallower_ones_and_from_those_that_see_masks():
    rgmp = build_model("rgmp")
    gam, deep = build_model("gam"), build_model("rgmp-paper")
    assert same_trunks(gam, rgmp) and same_trunks(rgmp, deep) and not same_trunks(deep, rgmp)
    take_over(gam, rgmp)
    take_over(deep, rgmp)
    assert torch.equal(gam.frame_encoder.conv1.weight, rgmp.encoder.conv1.weight[:, :3])
    for mine in (gam.frame_encoder, deep.encoder):
        for a, b in zip(mine.layer3.parameters(), rgmp.encoder.layer3.parameters(), strict=True):
            assert torch.equal(a, b)


def test_a_later_start_goes_over_an_earlier_one(tmp_path):
    gam, gc = load_model("gam"), build_model("gc", {"previous_masks": 0})
    take_over(gc, load_model("gc"))
    options = replace(SMALL, architecture="gc", config={})
    model = Trainer(tmp_path, options, CPU, start=[gam, gc]).model
    assert torch.equal(model.query.weight, gc.query.weight)
    for mine, theirs in zip(model.embedding.parameters(), gam.embedding.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_frozen_stages_stay(packs, tmp_path):
    options = replace(SMALL, frozen=2, steps=1)
    start = load_model("gam-s")
    trainer = Trainer(tmp_path, options, CPU, start=[start])
    trainer.train(packs, lambda _: None, workers=0)
    trunk, before = trainer.model.frame_encoder, start.frame_encoder
    assert torch.equal(trunk.layer1[0].conv1.weight, before.layer1[0].conv1.weight)
    assert not torch.equal(trunk.layer2[0].conv1.weight, before.layer2[0].conv1.weight)


def test_the_running_mean_is_judged_and_the_best_kept(packs, tmp_path):
    scores = iter([0.5, 0.7, 0.6])
    reports = []
    trainer = Trainer(tmp_path, SMALL, CPU, scratch=True)
    trainer.train(packs, reports.append, report_every=2, judge=lambda _: next(scores), judge_every=2, workers=0)
    assert [report.dev for report in reports] == [0.5, 0.7, 0.6] and trainer.best == 0.7
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["dev"] for row in rows] == ["0.5000", "0.7000", "0.6000"]
    assert read_header(tmp_path / "best.safetensors")["clips"] == "8"
    assert Trainer(tmp_path, None, CPU).best == 0.7


def test_a_killed_run_forgets_what_it_logged_after_its_checkpoint(packs, tmp_path):
    run(tmp_path, packs, SMALL, seconds=0)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("5,0.9,0.1,1e-4,2.0,0.1,0.01,\n")
    run(tmp_path, packs, None, seconds=0)
    with (tmp_path / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2"]


def test_a_run_that_fails_leaves_no_loader_behind(packs, tmp_path):
    """A loader is deaf to signals: one that outlives an error would keep the process from ever ending."""
    trainer = Trainer(tmp_path, replace(SMALL, rate=1e12, warmup=1, steps=20), CPU, scratch=True)
    with pytest.raises(InputError, match="loss is nan") as kept:
        trainer.train(packs, lambda progress: None, report_every=1, workers=1)
    assert kept.tb and not multiprocessing.active_children()


def test_a_teacher_pulls_towards_its_masks(packs, tmp_path):
    options = replace(SMALL, steps=2, teacher="gam-s", distil=1.0)
    _, reports, ended = run(tmp_path, packs, options)
    plain = run(tmp_path / "plain", packs, replace(SMALL, steps=2))[1]
    assert ended and reports[0].loss > plain[0].loss  # its loss comes on top
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    logits = aggregate_logits(torch.zeros(1, 1, 16, 16).requires_grad_())
    taught = aggregate_logits(torch.full((1, 1, 16, 16), 8.0))
    free = clip_loss(logits, labels, Weights(distil=0.0), taught)
    assert clip_loss(logits, labels, Weights(distil=1.0), taught) > free


@pytest.mark.parametrize(
    "values",
    [
        {"size": 100},
        {"steps": 0},
        {"clip": 1},
        {"video": 1.5},
        {"two_objects": 0.7, "three_objects": 0.7},
        {"without": ("rain",)},
        {"frozen": 5},
        {"teacher": "gam-s"},
    ],
)
def test_options_that_make_no_sense_are_refused(values):
    with pytest.raises(OptionError):
        TrainOptions(**values)


def test_loss_is_least_for_the_truth():
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    labels[:, 4:10, 4:10] = 1
    right = torch.where(labels == 1, 8.0, -8.0)[:, None]
    good = clip_loss(aggregate_logits(right), labels, Weights())
    unsure = clip_loss(aggregate_logits(torch.zeros(1, 1, 16, 16)), labels, Weights())
    wrong = clip_loss(aggregate_logits(-right), labels, Weights())
    assert good < 0.01 < unsure < wrong


def test_edges_are_the_pixels_next_to_another_label():
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    labels[:, :, 8:] = 1
    band = near_edge(labels)[0]
    assert band[0].tolist() == [0] * 6 + [1] * 4 + [0] * 6
    logits = torch.zeros(1, 2, 16, 16)
    more = clip_loss(logits, labels, Weights(edge=0.5)) - clip_loss(logits, labels, Weights())
    assert abs(more.item() - 0.5 * math.log(2)) < 1e-5


def test_gradients_reach_every_parameter_through_time():
    torch.manual_seed(0)
    for name in ("gam-s", "gam", "gc"):
        model = build_model(name)
        labels = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
        labels[:, :, 8:30, 8:30] = 1
        labels[:, :, 40:60, 20:50] = 2
        loss, overlap = unroll(model, torch.rand(1, 3, 3, 64, 64), labels, Weights())
        loss.backward()
        assert 0 <= overlap <= 1
        silent = [n for n, p in model.named_parameters() if p.grad is None]
        assert silent == []

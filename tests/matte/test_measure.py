"""Composites are what they say, scores tell mattes apart, and a real network's matte beats its upsampled map."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import typer
from torch.nn import functional
from typer.testing import CliRunner

from vcut.cli.matte import matte_score
from vcut.engine.runtime import Runtime
from vcut.errors import InputError, OptionError
from vcut.matte.composite import MOVING, compose, extend, find_cutouts
from vcut.matte.measure import measure
from vcut.matte.scores import colour_error, flicker, gradient_error, mse, sad
from vcut.weights import load_model

from .conftest import disc

CPU = Runtime(torch.device("cpu"), torch.float32)


def test_scores_of_known_errors():
    truth = disc()
    worse = truth.clone()
    worse[:10, :100] = 0.5
    assert sad(worse, truth) == pytest.approx(0.5)
    assert mse(worse, truth) == pytest.approx(1000 * 0.25 * 1000 / truth.numel())
    assert sad(truth, truth) == mse(truth, truth) == gradient_error(truth, truth) == 0
    blurred = [functional.avg_pool2d(truth[None, None], k, 1, k // 2)[0, 0] for k in (3, 9)]
    assert 0 < gradient_error(blurred[0], truth) < gradient_error(blurred[1], truth)


def test_colour_error_counts_the_soft_zone_by_its_alpha():
    alpha = torch.tensor([[0.0, 0.25, 0.75, 1.0]])
    truth = torch.zeros(3, 1, 4)
    found = truth.clone()
    found[:, 0, 1] = 0.4
    found[:, 0, [0, 3]] = 1.0  # outside the soft zone
    assert colour_error(found, truth, alpha) == pytest.approx(255 * 0.4 * 0.25)
    assert colour_error(found, truth, alpha.round()) == 0


def test_flicker_is_the_change_in_the_soft_zone():
    truth = torch.tensor([[0.0, 0.5, 0.5, 1.0]])
    assert flicker(truth + 0.1, truth, truth) == pytest.approx(25.5)
    assert flicker(truth, truth, truth) == 0


def test_composites_hold_their_equation_and_repeat(data):
    cutout = find_cutouts(data, "tune")[0]
    frames, again = list(compose(cutout, data, 270)), list(compose(cutout, data, 270))
    assert [frame.still for frame in frames] == [t >= MOVING for t in range(len(frames))]
    for frame, same in zip(frames, again, strict=True):
        assert np.array_equal(frame.rgb, same.rgb)
        assert frame.rgb.shape == (270, 480, 3)
        assert ((frame.alpha > 0.1) & (frame.alpha < 0.9)).sum() > 300
        inside = frame.alpha == 1
        seen = torch.from_numpy(frame.rgb).permute(2, 0, 1).float() / 255
        assert (seen - frame.colours).abs().mean(0)[inside].mean() < 0.05
    assert (frames[0].alpha - frames[MOVING - 1].alpha).abs().max() > 0.5, "the object moves"
    assert torch.equal(frames[-1].alpha, frames[MOVING - 1].alpha)
    assert not np.array_equal(frames[-1].rgb, frames[-2].rgb), "noise goes on where all stands still"


def test_colours_are_carried_outwards():
    alpha = disc(radius=40)
    colour = torch.tensor([0.9, 0.2, 0.1])[:, None, None]
    extended = extend(torch.where(alpha > 0.5, colour, torch.tensor(0.3)), alpha)
    assert (extended - colour).abs().max() < 0.02


def test_halves_share_no_picture(data):
    names = [{cutout.name for cutout in find_cutouts(data, half)} for half in ("tune", "held-out")]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_what_cannot_be_measured_is_refused(data, tmp_path):
    with pytest.raises(OptionError, match="unknown half"):
        find_cutouts(data, "all")
    with pytest.raises(InputError, match="no pictures with alpha"):
        find_cutouts(tmp_path, "tune")


def test_a_real_networks_matte_beats_its_upsampled_map(data):
    cutouts = find_cutouts(data, "held-out")[:1]
    report = measure(cutouts, data, load_model("gam-s"), CPU, size=240, height=360)
    ratio = report.ratio()
    assert len(report.clips) == 1
    assert ratio["SAD"] < 0.75
    assert ratio["colour"] < 0.75
    assert ratio["flicker"] < 1


def test_the_command_prints_and_writes_its_scores(data, tmp_path):
    app = typer.Typer()
    app.command()(matte_score)
    scores = tmp_path / "scores.json"
    sizes = ["--height", "270", "--size", "128", "--device", "cpu", "--dtype", "fp32"]
    result = CliRunner().invoke(app, ["--data", str(data), "--clips", "1", *sizes, "--json", str(scores)])
    assert result.exit_code == 0, result.output
    assert "stamps/disc1" in result.output
    written = json.loads(scores.read_text())
    assert written["half"] == "held-out"
    assert len(written["clips"]) == 1
    assert written["ratio"]["SAD"] == pytest.approx(written["matte"]["SAD"] / written["plain"]["SAD"])
    refused = CliRunner().invoke(app, ["--data", str(data), "--clips", "0"])
    assert isinstance(refused.exception, OptionError)

"""Fine-tuning on the one frame whose mask is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tools import RABBIT, example

from vcut.models.base import SegmentationModel
from vcut.training.clips import ClipMaker
from vcut.training.first_frame import SIZE, FirstFrame, finetune
from vcut.training.losses import Weights, unroll
from vcut.training.render import render
from vcut.video.reader import open_source
from vcut.weights import load_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> SegmentationModel:
    return load_model("gam-s")


@pytest.fixture(scope="module")
def frame() -> tuple[np.ndarray, np.ndarray]:
    """The rabbit of Big Buck Bunny, object 3, 240 x 427."""
    with open_source(example("bigbuckbunny.mp4")) as source:
        rabbit = Image.fromarray(next(frame.rgb for frame in source if frame.index == 56))
    rgb = np.array(rabbit.resize((427, 240)))
    mask = Image.open(RABBIT).resize((427, 240), Image.Resampling.NEAREST)
    labels = np.where(np.array(mask) > 0, 3, 0).astype(np.uint8)
    return rgb, labels


def losses_on(model: SegmentationModel, frame: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Of six clips of the frame that fine-tuning has not seen."""
    maker = ClipMaker(
        {"stills": FirstFrame(*frame), "backgrounds": FirstFrame(), "video": FirstFrame()}, (), SIZE, "moved"
    )
    found = []
    for number in range(6):
        frames, labels = render([maker.scene(np.random.default_rng((9, number)), 3, 1, False)], SIZE)
        with torch.inference_mode():
            found.append(float(unroll(model.float().eval(), frames.float() / 255, labels, Weights())[0]))
    return np.array(found)


def test_it_learns_the_frame_and_leaves_the_model_alone(model, frame):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told: list[int] = []
    tuned = finetune(model, *frame, 20, CPU, lambda step, loss: told.append(step))
    assert told == list(range(1, 21))
    assert np.log(losses_on(tuned, frame) / losses_on(model, frame)).mean() < 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    trunk, old = tuned.trunks()[0].state_dict(), model.trunks()[0].state_dict()
    assert all(torch.equal(trunk[name], old[name].float()) for name in trunk)
    changed = [not torch.equal(a, b) for a, b in zip(tuned.parameters(), model.parameters(), strict=True)]
    assert sum(changed) > len(changed) / 4 and not tuned.training


def test_it_gives_the_same_again_and_leaves_the_random_state_alone(model, frame):
    state = torch.get_rng_state()
    first, again = finetune(model, *frame, 2, CPU), finetune(model, *frame, 2, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_small_objects_are_learnt_too(model):
    rgb = np.full((120, 160, 3), 40, np.uint8)
    labels = np.zeros((120, 160), np.uint8)
    labels[60:63, 80:83] = 1
    losses: list[float] = []
    finetune(model, rgb, labels, 1, CPU, lambda step, loss: losses.append(loss))
    assert np.isfinite(losses).all()

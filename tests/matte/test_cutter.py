"""From a step to what is written: what is made of it, and when."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vcut.engine.preprocess import Geometry
from vcut.engine.step import Step
from vcut.matte.cutter import Cutter
from vcut.matte.options import MatteOptions
from vcut.matte.outline import outline
from vcut.video.source import Frame

from .conftest import HEIGHT, SCALE, WIDTH, Truth


@pytest.fixture
def step(strands: Truth) -> Step:
    inner = (HEIGHT // SCALE, WIDTH // SCALE)
    return Step(strands.probabilities, (5,), Geometry((HEIGHT, WIDTH), inner, inner), strands.rgb)


@pytest.fixture
def frame(strands: Truth) -> Frame:
    return Frame(0, 0, Fraction(1, 25), strands.rgb)


def test_without_edges_the_labels_are_all_there_is(step: Step, frame: Frame) -> None:
    cutout = Cutter(None)(frame, step)
    assert np.array_equal(cutout.labels, outline(frame.rgb, step.probabilities, (5,)).numpy())
    assert np.array_equal(cutout.alpha, np.where(cutout.labels == 5, 255, 0))
    assert cutout.alpha.dtype == np.uint8


@pytest.mark.parametrize("separate", [False, True])
def test_labels_that_no_output_shows_are_made_when_they_are_asked_for(step: Step, frame: Frame, separate: bool) -> None:
    cutout = Cutter(MatteOptions(separate=separate), labels=False)(frame, step)
    assert "labels" not in vars(step)
    assert cutout.labels is step.labels
    assert "labels" in vars(step)


def test_labels_and_matte_agree_on_what_is_inside(step: Step, frame: Frame) -> None:
    cutout = Cutter(MatteOptions(steady=False))(frame, step)
    assert ((cutout.alpha > 127) != (cutout.labels > 0)).mean() < 0.001

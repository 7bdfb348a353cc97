"""Frames that are looked at only where the objects are: windows, what a network sees of them, and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moving import disc, overlap

from vcut import load_model
from vcut.engine import propagator
from vcut.engine.propagator import Propagator
from vcut.engine.roi import MARGIN, WHOLE_EVERY, bounded, find_region, goes_beyond, joined, occupied
from vcut.engine.runtime import Runtime
from vcut.models.base import other_objects
from vcut.models.region import NOWHERE, Region, Window

CPU = Runtime(torch.device("cpu"), torch.float32)
HEIGHT, WIDTH = 320, 640


def masks(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    """Top, bottom, left, right of each object, in pixels: N,H,W."""
    found = torch.zeros(len(boxes), HEIGHT, WIDTH)
    for plane, (top, bottom, left, right) in zip(found, boxes, strict=True):
        plane[top:bottom, left:right] = 1
    return found


def test_windows_lie_around_the_objects_and_end_with_the_frame():
    region = find_region(masks((100, 130, 200, 260), (0, 20, 600, 640)))
    assert region.each == (
        Window(100 // 16 - MARGIN, 130 // 16 + 1 + MARGIN, 200 // 16 - MARGIN, 260 // 16 + 1 + MARGIN),
        Window(0, 2 + MARGIN, 600 // 16 - MARGIN, 40),
    )
    assert (region.around.left, region.around.right, region.around.top) == (region.each[0].left, 40, 0)
    assert Region.from_dict(region.to_dict()) == region


def test_all_of_the_frame_is_looked_at_where_an_object_is_gone_or_large():
    assert find_region(masks((100, 130, 200, 260), (0, 0, 0, 0))) is None
    faint = masks((100, 130, 200, 260)) * 0.05
    assert find_region(faint) is None
    large = find_region(masks((20, 300, 20, 600)))
    assert large.around == large.each[0] == Window(0, 20, 0, 40)


def test_an_object_at_the_rim_of_its_window_may_go_on_beyond_it():
    region = joined([Window(4, 10, 0, 12)], 20, 40)
    logits = torch.full((1, HEIGHT, WIDTH), NOWHERE)
    assert not goes_beyond(logits, region)
    logits[0, 80:140, 0:170] = 3.0  # to the frame's own edge
    assert not goes_beyond(logits, region)
    for top, left in ((64, 50), (150, 50), (80, 182)):
        moved = logits.clone()
        moved[0, top : top + 8, left : left + 8] = 1.0
        assert goes_beyond(moved, region)


@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_a_window_gives_what_the_whole_frame_gives_there(name):
    model = load_model(name)
    frames, labels = disc([(150, 200), (150, 210)])
    frames[:, 30:90, 420:520] = (30, 60, 200)  # the second object: a patch that is not as the ground around it
    frames = torch.from_numpy(frames).permute(0, 3, 1, 2)[:, None] / 255
    own = torch.stack([torch.from_numpy(labels[0]).float(), masks((30, 90, 420, 520))[0]])[None]
    with torch.inference_mode():
        memory = model.remember(None, model.encode(frames[0]), frames[0], own, other_objects(own))
        expected = model.segment(memory, model.encode(frames[1]))
        whole = joined([Window(0, 20, 0, 40)] * 2, 20, 40)
        assert torch.allclose(model.segment_within(memory, model.encode(frames[1]), whole), expected, atol=1e-3)
        region = find_region(own[0])
        part = model.segment_within(memory, model.encode(region.around.cut(frames[1], 1)), region)
    assert part.shape == expected.shape
    for plane, truth, window in zip(part[0], expected[0], region.each, strict=True):
        rows, columns = slice(16 * window.top, 16 * window.bottom), slice(16 * window.left, 16 * window.right)
        # nowhere beyond the window, and within it where the whole frame says so, too (out of reach)
        assert (plane == NOWHERE).sum() == plane.numel() - (truth[rows, columns] > NOWHERE).sum()
        assert ((plane > 0) == (truth > 0))[rows, columns].float().mean() > 0.97


@pytest.mark.parametrize("name", ["gam-s", "gam"])
def test_what_was_seen_of_a_frame_is_remembered_and_the_rest_is_as_before(name):
    model = load_model(name)
    frames, labels = disc([(150, 200), (150, 216)])
    frames = torch.from_numpy(frames).permute(0, 3, 1, 2)[:, None] / 255
    own = torch.stack([torch.stack([torch.from_numpy(x).float(), masks((30, 90, 300, 400))[0]]) for x in labels[:2]])
    first, second = own.split(1)
    others = other_objects(second)
    with torch.inference_mode():
        memory = model.remember(None, model.encode(frames[0]), frames[0], first, other_objects(first))
        expected = model.remember(memory, model.encode(frames[1]), frames[1], second, others)
        whole = joined([Window(0, 20, 0, 40)] * 2, 20, 40)
        same = model.remember_within(memory, model.encode(frames[1]), frames[1], second, others, whole)
        region = find_region(first[0])
        features = model.encode(region.around.cut(frames[1], 1))
        part = model.remember_within(memory, features, frames[1], second, others, region)
    assert torch.allclose(same.previous.key, expected.previous.key, atol=1e-3)
    assert torch.allclose(same.previous.value, expected.previous.value, atol=1e-3)
    assert torch.equal(part.context.product, memory.context.product) and (expected.context.frames == 2).all()
    inside = torch.zeros(20, 40, dtype=torch.bool)
    inside[region.around.top : region.around.bottom, region.around.left : region.around.right] = True
    for kind in ("key", "value"):
        old, new, seen = (getattr(m.previous, kind) for m in (memory, expected, part))
        assert torch.equal(seen[..., ~inside], old[..., ~inside])
        far, near = ((x - new)[..., 9:14, 13:16].norm() for x in (old, seen))  # on the disc, far from the part's edges
        assert near < 0.5 * far
    assert torch.equal(part.masks, expected.masks) and torch.equal(part.reference.key, memory.reference.key)


def squares(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft masks of some squares, and logits that show them a bit elsewhere, some in a corner of the frame, too."""
    random = np.random.default_rng(seed)
    own, logits = torch.zeros(count, HEIGHT, WIDTH), torch.full((1, count, HEIGHT, WIDTH), -3.0)
    for plane, found in zip(own, logits[0], strict=True):
        y, x, side, by = random.integers((0, 0, 1, -60), (HEIGHT // 2, WIDTH // 2, 320, 60))
        plane[y : y + side, x : x + side] = random.choice((0.05, 0.2, 1.0), p=(0.1, 0.3, 0.6))
        found[max(0, y + by) : max(0, y + by + side), x : x + side] = 2.0
        found[0, 0] = random.choice((-3.0, 2.0))
    return own, logits


def test_objects_are_found_where_a_network_that_sees_a_part_would_look():
    kinds = set()
    for seed in range(100):
        own, logits = squares(1 + seed % 3, seed)
        region, expected, kind = find_region(own), logits, "not to be seen"
        if region is not None:
            kind = "beyond" if goes_beyond(logits[0], region) else "within"
        if kind == "within":
            windows = zip(region.each, logits.split(1, 1), strict=True)
            expected = torch.cat([w.paste(w.cut(plane, 1), HEIGHT // 16, WIDTH // 16) for w, plane in windows], 1)
            kind = "large" if torch.equal(expected, logits) else kind
        assert torch.equal(bounded(logits, occupied(own)), expected)
        kinds.add(kind)
    assert kinds == {"not to be seen", "beyond", "within", "large"}


def test_what_looks_like_the_object_elsewhere_is_not_it_though_the_network_sees_it(monkeypatch):
    frames, labels = disc([(150, 120 + 4 * t) for t in range(5)])
    twins, places = disc([(150, 520)] * 5)
    frames[1:] = np.where(places[1:, :, :, None], twins[1:], frames[1:])
    found, pixels = follow(frames, labels[0], False)
    assert pixels == [HEIGHT * WIDTH] * 4
    for mine, truth in zip(found, labels, strict=True):
        assert overlap(mine, truth) > 0.85 and not mine[:, 320:].any()
    monkeypatch.setattr(propagator, "bounded", lambda logits, cells: logits)
    found, _ = follow(frames, labels[0], False)
    assert all(overlap(mine[:, 320:], there[:, 320:]) > 0.8 for mine, there in zip(found[1:], places[1:], strict=True))


def follow(frames: np.ndarray, first: np.ndarray, roi: bool | None) -> tuple[list[np.ndarray], list[int]]:
    """Label maps, and how many pixels the network saw of each frame after the first."""
    model, seen = load_model(), []
    propagator = Propagator(model, CPU, size=HEIGHT, roi=roi)
    encode = propagator.model.encode
    propagator.model.encode = lambda x: (seen.append(x.shape[-2] * x.shape[-1]), encode(x))[1]
    propagator.start(frames[0], first)
    del seen[:]
    found, pixels = [first], []
    for frame in frames[1:]:
        found.append(propagator.step(frame).labels)
        pixels.append(sum(seen))
        del seen[:]
    return found, pixels


def test_masks_are_the_same_and_less_is_looked_at():
    frames, labels = disc([(150 + 4 * t, 120 + 16 * t) for t in range(8)])
    parts, pixels = follow(frames, labels[0], None)
    whole, all_pixels = follow(frames, labels[0], False)
    assert all_pixels == [HEIGHT * WIDTH] * 7
    assert all(n < 0.3 * HEIGHT * WIDTH for n in pixels)  # the fifth, which is remembered, too
    for a, b, truth in zip(parts, whole, labels, strict=True):
        assert overlap(a, b) > 0.97 and overlap(a, truth) > 0.85


def test_of_the_frames_to_be_remembered_one_in_a_few_is_seen_in_full():
    frames, labels = disc([(150 + 2 * t, 120 + 8 * t) for t in range(22)])
    parts, pixels = follow(frames, labels[0], True)
    every = load_model().config.remember_every
    assert [n == HEIGHT * WIDTH for n in pixels] == [t % (WHOLE_EVERY * every) == 0 for t in range(1, 22)]
    assert all(overlap(a, truth) > 0.85 for a, truth in zip(parts, labels, strict=True))


def test_an_object_that_leaps_is_found_again_as_without_windows():
    frames, labels = disc([(150, 120)] * 2 + [(160, 460)] * 3)
    parts, pixels = follow(frames, labels[0], True)
    whole, _ = follow(frames, labels[0], False)
    assert pixels[1] < HEIGHT * WIDTH <= pixels[2]  # it is not where it was: the next frame is seen in full
    assert overlap(parts[4], labels[4]) > overlap(whole[4], labels[4]) - 0.1 > 0.4


def test_an_object_that_outruns_its_window_is_looked_for_in_the_whole_frame_at_once():
    frames, labels = disc([(150, 120), (150, 120), (150, 200)])
    parts, pixels = follow(frames, labels[0], True)
    assert pixels[1] > HEIGHT * WIDTH  # the window, and then all of it
    assert overlap(parts[2], labels[2]) > 0.8


@pytest.mark.parametrize("roi", [True, False])
def test_a_saved_state_knows_where_to_look(roi, tmp_path):
    frames, labels = disc([(150, 120 + 10 * t) for t in range(5)])
    model = load_model()
    first = Propagator(model, CPU, size=HEIGHT, roi=roi)
    first.start(frames[0], labels[0])
    first.step(frames[1])
    torch.save(first.state(), tmp_path / "state.pt")
    second = Propagator(model, CPU, size=HEIGHT, roi=roi)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    for frame in frames[2:]:
        assert np.array_equal(first.step(frame).levels, second.step(frame).levels)

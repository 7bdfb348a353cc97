"""What models answer when they are asked what they hold, against what they segment with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import Memory, Picture, SegmentationModel, other_objects
from vcut.models.maps import Map
from vcut.models.registry import ARCHITECTURES, build_model
from vcut.weights import load_model

HEIGHT, WIDTH, OBJECTS = 64, 96, 2
SLIM = {"trunk": "resnet18", "key_channels": 16, "value_channels": 32, "widths": [16, 16, 16]}
MATCHING, LABELS = {**SLIM, "window": 2}, {**SLIM, "label_channels": 8}
TINY = {
    "gc": {**SLIM, "surroundings": 0.0},
    "gc-paper": SLIM,
    "gam": MATCHING,
    "gam-s": MATCHING,
    "gam-paper": SLIM,
    "giel": LABELS,
    "giel-fast": LABELS,
    "giel-paper": LABELS,
    "rgmp": {"trunk": "resnet18", "channels": 16, "widths": [16, 16]},
    "rgmp-paper": {"trunk": "resnet18", "channels": 16, "widths": [16, 16, 16]},
    "stm": SLIM,
    "stm-paper": SLIM,
}
ATTENTION = ["before attention", "after attention", "change by attention"]
STREAMS = ["reference (first frame)", "target", "matched"]
EXPECTED = {
    "gc": ["key", "mask embedding"],
    "gc-paper": ["key"],
    "gam": ["key", *ATTENTION, "mask embedding", "first mask, matched"],
    "gam-paper": ["key", *ATTENTION, "mask embedding"],
    "gam-s": ["key", "mask embedding", "first mask, matched"],
    "giel": ["global", "instance"],
    "giel-fast": ["global", "coarse instance"],
    "giel-paper": ["global", "instance"],
    "rgmp": STREAMS,
    "rgmp-paper": STREAMS,
    "stm": [],
    "stm-paper": [],
}
SHARED = {"gc", "gam", "gam-s", "gam-paper"}
"""Models whose keys know nothing of the objects."""


@dataclass
class Moment:
    """A model that has remembered a first frame, and a second frame it has segmented."""

    model: SegmentationModel
    memory: Memory
    features: Picture
    frame: Tensor
    masks: Tensor
    first: Tensor
    logits: Tensor

    def maps(self) -> dict[str, Map]:
        others = other_objects(self.masks)
        found = self.model.inspect(self.memory, self.features, self.frame, self.masks, others, self.first)
        return {part.name: part for part in found}


def boxes(down: int) -> Tensor:
    """1,2,64,96: two boxes, so far down."""
    masks = torch.zeros(1, OBJECTS, HEIGHT, WIDTH)
    masks[:, 0, down : down + 16, 0:16] = 1
    masks[:, 1, down : down + 24, 64:88] = 1
    return masks


def moment(model: SegmentationModel) -> Moment:
    frames = torch.rand(2, 1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    first, masks = boxes(0), boxes(16)
    with torch.no_grad():
        memory = model.remember(None, model.encode(frames[0]), frames[0], first, other_objects(first))
        features = model.encode(frames[1])
        return Moment(model, memory, features, frames[1], masks, first, model.segment(memory, features))


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def seen(request) -> Moment:
    torch.manual_seed(0)
    return moment(build_model(request.param, TINY[request.param]).eval())


def made(name: str, **changes: object) -> Moment:
    torch.manual_seed(0)
    return moment(build_model(name, {**TINY[name], **changes}).eval())


@torch.no_grad()
def test_maps_of_every_model(seen):
    maps = seen.maps()
    name = seen.model.architecture
    assert list(maps) == EXPECTED[name]
    for part in maps.values():
        groups, channels, height, width = part.values.shape
        assert part.values.dtype == torch.float32 and part.values.isfinite().all()
        assert groups == (OBJECTS if part.each else 1)
        assert channels == (16 if part.name == "key" else 1)
        stride = {"key": 16, "mask embedding": 4, "global": 1, "instance": 1, "coarse instance": 1}.get(part.name, 16)
        if part.name != "mask embedding":
            stride *= 2 if name == "rgmp-paper" else 1
        assert (height, width) == (HEIGHT // stride, WIDTH // stride)
        assert part.each is (part.name not in ("key", "global") or (part.name == "key" and name not in SHARED))


@torch.no_grad()
def test_asking_changes_nothing(seen):
    before = {name: tensor.clone() for name, tensor in flat(seen.memory.to_dict())}
    seen.maps()
    assert all(torch.equal(before[name], tensor) for name, tensor in flat(seen.memory.to_dict()))
    assert torch.equal(seen.model.segment(seen.memory, seen.features), seen.logits)


def flat(values: dict[str, object], above: str = "") -> list[tuple[str, Tensor]]:
    found = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += flat(value, f"{above}{name}.")
        else:
            parts = value if isinstance(value, tuple) else (value,)
            found += [(f"{above}{name}.{i}", part) for i, part in enumerate(parts) if isinstance(part, Tensor)]
    return found


@torch.no_grad()
@pytest.mark.parametrize("name", ["gc", "gam-s"])
def test_keys_of_the_normalised_context_share_out_every_location(name):
    """They are what the context is a mean with: its mass is their mean, here over the whole frame."""
    seen = made(name)
    keys = seen.maps()["key"].values
    torch.testing.assert_close(keys.sum(1), torch.ones(1, HEIGHT // 16, WIDTH // 16))
    again = seen.model.remember(None, seen.features, seen.frame, seen.masks, other_objects(seen.masks))
    torch.testing.assert_close(keys.mean((2, 3))[..., None].expand(OBJECTS, -1, -1), again.context.mass)


@torch.no_grad()
@pytest.mark.parametrize("name", ["gc-paper", "gam-paper"])
def test_raw_keys_are_magnitudes_around_one(name):
    keys = made(name).maps()["key"].values
    assert (keys >= 0).all()
    torch.testing.assert_close(keys.mean((2, 3)), torch.ones(keys.shape[:2]))


@torch.no_grad()
def test_attention_is_shown_before_and_after():
    """It starts as the identity; then what it changes shows."""
    seen = made("gam")
    maps = seen.maps()
    assert torch.equal(maps["before attention"].values, maps["after attention"].values)
    assert not maps["change by attention"].values.any()
    seen.model.channel_attention.alpha.fill_(0.5)
    later = seen.maps()
    assert torch.equal(later["before attention"].values, maps["before attention"].values)
    assert (later["after attention"].values - later["before attention"].values).abs().max() > 1e-3
    assert (later["change by attention"].values > 0).all()
    assert later["before attention"].scale == later["after attention"].scale != later["change by attention"].scale


@torch.no_grad()
def test_attention_of_the_trained_gam_changes_its_features():
    maps = moment(load_model("gam")).maps()
    before, after = maps["before attention"].values, maps["after attention"].values
    assert before.shape == after.shape == (OBJECTS, 1, HEIGHT // 16, WIDTH // 16)
    assert (after - before).abs().max() > 0.01 * before.max()


@torch.no_grad()
@pytest.mark.parametrize("name", ["gc", "gam-s"])
def test_the_mask_embedding_shows_where_the_masks_were(name):
    """Each object's own: four 3 x 3 convolutions see four locations far, and beyond that nothing comes of its mask."""
    shown = made(name).maps()["mask embedding"].values[:, 0]
    own = functional.avg_pool2d(boxes(0), 4)
    reach = functional.max_pool2d(own, 9, 1, 4)[0] > 0
    for plane, box, near in zip(shown, own[0] > 0, reach, strict=True):
        assert near.sum() > 2 * box.sum() and near.float().mean() < 0.5
        assert (plane[~near] <= 1e-4 * plane.max()).all()
        assert plane[box].mean() > 3 * plane[~box].mean()


@torch.no_grad()
def test_the_first_mask_is_read_as_values_are():
    """Where a frame is matched with itself, sharp keys find every location again."""
    seen = made("gam-s")
    model, first = seen.model, seen.first
    frame = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(5))
    model.key.weight.mul_(20)
    features = model.encode(frame)
    memory = model.remember(None, features, frame, first, other_objects(first))
    maps = model.inspect(memory, features, frame, first, other_objects(first), first)
    (found,) = [part for part in maps if part.name == "first mask, matched"]
    torch.testing.assert_close(found.values, functional.avg_pool2d(first, 16)[0, :, None], atol=0.01, rtol=0)
    assert (found.low, found.high) == (0, 1)


@torch.no_grad()
@pytest.mark.parametrize("name", ["giel", "giel-fast"])
def test_the_product_of_giels_maps_is_its_mask(name):
    maps = list(made(name).maps().values())
    product = maps[0].values * maps[1].values
    torch.testing.assert_close(product[:, 0], made(name).logits[0].sigmoid(), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_rgmp_shows_its_largest_scale():
    """The reference is what was remembered of the first frame there."""
    seen = made("rgmp", scales=[1.0, 0.5])
    maps = seen.maps()
    expected = seen.memory.reference[0].abs().mean(1, keepdim=True)
    torch.testing.assert_close(maps["reference (first frame)"].values, expected)
    assert maps["target"].values.shape == expected.shape
    assert not torch.allclose(maps["target"].values, expected, rtol=0.01)

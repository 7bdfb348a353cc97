"""Every architecture with a memory of fixed size through the one interface."""

from __future__ import annotations

import pytest
import torch

from vcut.engine.aggregate import aggregate
from vcut.engine.roi import joined
from vcut.errors import OptionError, WeightsError
from vcut.models.base import other_objects
from vcut.models.region import NOWHERE, Window
from vcut.models.registry import ARCHITECTURES, build_model, rebuild_model
from vcut.weights.file import load_file, save_weights

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module", params=sorted(set(ARCHITECTURES) - {"stm", "stm-paper"}))
def model(request):
    torch.manual_seed(0)
    return build_model(request.param).eval()


def frames_and_masks(objects: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(1, objects, HEIGHT, WIDTH)
    for i in range(objects):
        masks[:, i, 8 * i : 8 * i + 8, 10:40] = 1
    return torch.rand(4, 1, 3, HEIGHT, WIDTH, generator=generator), masks


@torch.no_grad()
def test_three_verbs_carry_objects_with_a_memory_of_fixed_size(model):
    frames, masks = frames_and_masks(3)
    memory, sizes = None, []
    for frame in frames:
        features = model.encode(frame)
        if memory is not None:
            logits = model.segment(memory, features)
            assert logits.shape == (1, 3, HEIGHT, WIDTH) and logits.dtype == torch.float32
            assert logits.isfinite().all()
            masks = aggregate(logits)[:, 1:]
        memory = model.remember(memory, features, frame, masks, other_objects(masks))
        sizes.append(memory.nbytes)
    if model.architecture.startswith("giel"):  # all four are in its support set of five
        assert sizes == [sizes[0] * n for n in (1, 2, 3, 4)] and sizes[0] > 0
        return
    assert len(set(sizes)) == 1 and sizes[0] > 0
    if hasattr(memory, "context"):
        assert memory.context.frames.flatten().tolist() == [4, 4, 4]


@torch.no_grad()
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("name", ["gam-s", "gam"])
def test_frames_are_matched_with_the_first_and_the_last_but_one_remembered(name, within):
    torch.manual_seed(0)
    model = build_model(name).eval()
    frames, masks = frames_and_masks(2)
    others, height, width = other_objects(masks), HEIGHT // 16, WIDTH // 16
    region = joined([Window(0, height, 0, width)] * 2, height, width)
    memory, keyframes = None, []
    for frame in frames:
        features = model.encode(frame)
        if memory is None or not within:
            memory = model.remember(memory, features, frame, masks, others)
        else:
            memory = model.remember_within(memory, features, frame, masks, others, region)
        keyframes.append(memory.previous)
        last_but_one = keyframes[max(0, len(keyframes) - 2)]
        for both, first, later in zip(
            memory.reference.tensors, keyframes[0].tensors, last_but_one.tensors, strict=True
        ):
            assert torch.equal(both, torch.cat([first, later], 2))


@torch.no_grad()
def test_objects_in_a_batch_equal_objects_one_by_one(model):
    frames, masks = frames_and_masks(3)
    others = other_objects(masks)
    features = [model.encode(frame) for frame in frames[:2]]
    together = model.remember(None, features[0], frames[0], masks, others)
    logits = model.segment(together, features[1])
    for i in range(3):
        alone = model.remember(None, features[0], frames[0], masks[:, i : i + 1], others[:, i : i + 1])
        one = model.segment(alone, features[1])
        torch.testing.assert_close(one[:, 0], logits[:, i], rtol=1e-3, atol=1e-3 * logits.std().item())


@torch.no_grad()
def test_clips_in_a_batch_equal_clips_one_by_one(model):
    frames, masks = frames_and_masks(2)
    pair = torch.cat([frames[0], frames[1]])
    both = torch.cat([masks, masks.flip(-1)])
    later = torch.cat([frames[2], frames[3]])
    memory = model.remember(None, model.encode(pair), pair, both, other_objects(both))
    logits = model.segment(memory, model.encode(later))
    own = both[1:]
    memory = model.remember(None, model.encode(frames[1]), frames[1], own, other_objects(own))
    alone = model.segment(memory, model.encode(frames[3]))
    torch.testing.assert_close(alone[0], logits[1], rtol=1e-3, atol=1e-3 * logits.std().item())


@torch.no_grad()
def test_the_mask_decides_what_is_read(model):
    frames, masks = frames_and_masks(1)
    features = model.encode(frames[0])
    outcomes = []
    for mask in (masks, masks.flip(-2)):
        memory = model.remember(None, features, frames[0], mask, other_objects(mask))
        outcomes.append(model.segment(memory, features))
    assert (outcomes[0] - outcomes[1]).abs().max() > 1e-3


def test_a_config_describes_its_model(model):
    twin = build_model(model.architecture, model.config.to_dict())
    assert twin.config == model.config
    twin.load_state_dict(model.state_dict())


def test_papers_sizes():
    gc, gam = build_model("gc-paper"), build_model("gam-paper")
    for config in (gc.config, gam.config):
        assert (config.key_channels, config.value_channels, config.context) == (128, 512, "raw")
        assert config.remember_every == 1
    assert gam.config.channel_attention and gam.config.previous_masks == 3
    parameters = sum(p.numel() for p in gc.parameters()) / 1e6
    assert parameters == pytest.approx(38, abs=1)  # GC Table 2: 38 M


def test_unknown_names_are_errors_in_one_line():
    known = "gc, gc-paper, gam, gam-paper, gam-s, giel, giel-fast, giel-paper, rgmp, rgmp-paper, stm, stm-paper"
    with pytest.raises(OptionError, match=f"known ones: {known}"):
        build_model("resnet")
    with pytest.raises(WeightsError, match="does not fit this version"):
        build_model("gc", {"wings": 2})


@torch.no_grad()
def test_gc_finds_a_place_again_before_any_training():
    """Key and query begin alike, so the prototypes of a place are the same from both sides."""
    torch.manual_seed(0)
    gc = build_model("gc", {"surroundings": 0.0}).eval()
    gc.align()
    frames, masks = frames_and_masks(1)
    features = gc.encode(frames[0])
    memory = gc.remember(None, features, frames[0], masks, other_objects(masks))
    key = features.query.flatten(2).softmax(1).mean(2, keepdim=True)
    torch.testing.assert_close(memory.context.mass, key, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_what_is_far_from_an_object_is_not_in_gcs_context_of_it():
    frame, masks = torch.full((1, 3, 64, 640), 0.5), torch.zeros(1, 1, 64, 640)
    masks[..., 16:48, 16:48] = 1
    changed = frame.clone()
    changed[..., 600:] = 0.9
    for reach, same in ((1.0, True), (0.0, False)):
        torch.manual_seed(0)
        gc = build_model("gc", {"surroundings": reach, "trunk": "resnet18"}).eval()
        a, b = (gc.remember(None, gc.encode(x), x, masks, other_objects(masks)).context for x in (frame, changed))
        assert torch.allclose(a.product, b.product, rtol=1e-4, atol=1e-7) == same


@torch.no_grad()
def test_what_appears_far_from_an_object_is_not_taken_for_it_by_gc():
    torch.manual_seed(0)
    frame, masks = torch.rand(1, 3, 64, 640), torch.zeros(1, 2, 64, 640)
    masks[:, 0, 16:48, 16:48] = 1  # the other object is nowhere, and may come back anywhere
    free, bound = (build_model("gc", {"trunk": "resnet18", "reach": reach}).eval() for reach in (0, 3))
    bound.load_state_dict(free.state_dict())
    found = {}
    for name, gc, learns in (("free", free, False), ("bound", bound, False), ("in training", bound, True)):
        features = gc.train(learns).encode(frame)
        found[name] = gc.segment(gc.remember(None, features, frame, masks, other_objects(masks)), features)
    near = 16 * (3 + 3)
    assert (found["bound"][:, 0, :, near:] == NOWHERE).all()
    assert torch.equal(found["bound"][:, 0, :, :near], found["free"][:, 0, :, :near])
    assert torch.equal(found["bound"][:, 1], found["free"][:, 1])
    assert (found["in training"][:, 0, :, near:] > NOWHERE).all()


@torch.no_grad()
def test_an_object_of_a_few_pixels_is_remembered_and_one_that_is_gone_adds_nothing():
    torch.manual_seed(0)
    gc = build_model("gc").eval()
    frames, _ = frames_and_masks(1)
    masks = torch.zeros(1, 1, HEIGHT, WIDTH)
    masks[..., 40:43, 50:53] = 1
    memory = gc.remember(None, gc.encode(frames[0]), frames[0], masks, other_objects(masks))
    assert memory.context.mass.sum() > 0
    gone = gc.remember(memory, gc.encode(frames[1]), frames[1], 0 * masks, other_objects(masks))
    torch.testing.assert_close(gone.context.product / gone.context.mass, memory.context.product / memory.context.mass)


def test_a_field_younger_than_a_weight_file_is_off(tmp_path):
    """A file that was written before ``first`` was thought of gives the network that was trained, not today's."""
    model = build_model("gc", {"trunk": "resnet18", "first": False})
    save_weights(tmp_path / "old.safetensors", model, extra={"trained": "yes"})
    assert load_file(tmp_path / "old.safetensors").compress_first is None
    config = {name: value for name, value in model.config.to_dict().items() if name != "first"}
    assert rebuild_model("gc", config).compress_first is None and build_model("gc").compress_first is not None

"""RGMP: its blocks, its memory, its scales, and that it learns."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from vcut.engine.aggregate import aggregate_logits, combine
from vcut.engine.propagator import Propagator
from vcut.engine.rules import check_rule
from vcut.engine.runtime import Runtime
from vcut.errors import OptionError, WeightsError
from vcut.models.base import other_objects
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.decoder import Refine
from vcut.models.parts.global_convolution import GlobalConvolution
from vcut.models.registry import build_model, load_trunks
from vcut.models.rgmp import RGMP, RGMPConfig, RGMPMemory, at_scales, mean_logits
from vcut.options import parse_scales
from vcut.training.losses import Weights, unroll

CPU = Runtime(torch.device("cpu"), torch.float32)
SMALL = RGMPConfig(trunk="resnet18", channels=16, widths=(16, 16, 16), scales=(1.0,))
THREE = RGMPConfig(trunk="resnet18", channels=16, widths=(16, 16, 16))


def small(config: RGMPConfig = SMALL) -> RGMP:
    torch.manual_seed(0)
    return RGMP(config).eval()


def frame_and_masks(objects: int, height: int = 64, width: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(1, objects, height, width)
    for i in range(objects):
        masks[:, i, 8 * i : 8 * i + 8, 10:40] = 1
    return torch.rand(1, 3, height, width, generator=generator), masks


def test_papers_sizes():
    with torch.device("meta"):
        model = build_model("rgmp-paper")
    assert model.encoder.channels == (64, 256, 512, 1024, 2048) and model.encoder.conv1.in_channels == 4
    assert model.match.row_first[0].weight.shape == (256, 4096, 1, 7)
    assert model.match.column_first[0].weight.shape == (256, 4096, 7, 1)
    assert [step.block.conv1.out_channels for step in model.decoder.steps] == [256, 256, 256]
    assert model.config.scales == (0.5, 0.75, 1.0)


def test_global_convolution_is_a_sum_of_two_separable_ones_and_sees_k_by_k():
    torch.manual_seed(0)
    block = GlobalConvolution(3, 4, 7)
    row, column = block.row_first, block.column_first
    x = torch.randn(1, 3, 9, 11)
    a = functional.conv2d(
        functional.conv2d(x, row[0].weight, row[0].bias, padding=(0, 3)), row[1].weight, row[1].bias, padding=(3, 0)
    )
    b = functional.conv2d(
        functional.conv2d(x, column[0].weight, column[0].bias, padding=(3, 0)),
        column[1].weight,
        column[1].bias,
        padding=(0, 3),
    )
    torch.testing.assert_close(block(x), block.block(a + b))
    point = torch.zeros(1, 3, 15, 15)
    point[..., 7, 7] = 1
    reach = (row(point) + column(point) - row(0 * point) - column(0 * point)).abs().sum(1)[0] > 1e-7
    assert reach.sum() == 49 and reach[4:11, 4:11].all()


def test_a_deep_trunk_goes_on_to_stride_32():
    trunk = Trunk("resnet50", deep=True)
    assert [tuple(f.shape) for f in trunk(torch.rand(1, 3, 64, 80))] == [
        (1, c, -(-64 // s), -(-80 // s)) for c, s in zip(trunk.channels, (2, 4, 8, 16, 32), strict=True)
    ]


@torch.no_grad()
@pytest.mark.parametrize("config", [SMALL, THREE], ids=["one scale", "three scales"])
def test_the_reference_is_encoded_once_and_memory_stays_as_large(config):
    model, seen, sizes = small(config), [], []
    frame, masks = frame_and_masks(2)
    model.encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    assert len(seen) == len(config.scales)
    reference = [features.clone() for features in memory.reference]
    for _ in range(3):
        features = model.encode(frame)
        masks = model.segment(memory, features).sigmoid()
        memory = model.remember(memory, features, frame, masks, other_objects(masks))
        sizes.append(memory.nbytes)
    assert len(seen) == 4 * len(config.scales) and len(set(sizes)) == 1
    assert all(torch.equal(old, new) for old, new in zip(reference, memory.reference, strict=True))
    assert torch.equal(memory.masks[:, 0], masks[0])


@torch.no_grad()
def test_both_streams_are_one_encoder_and_decide_what_is_found():
    """The paper's equations by hand; then either input by itself changes the result (Table 5: -Ref, -Prev)."""
    model = small()
    frame, masks = frame_and_masks(1)
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    guide = masks.flip(-2)
    memory = model.glance(memory, guide, other_objects(guide))
    rgb = model.encode(frame).rgb
    reference = model.encoder(torch.cat([rgb, masks], 1))[-1]
    _, f4, f8, f16, target = model.encoder(torch.cat([rgb, guide], 1))
    by_hand = model.decoder(model.match(torch.cat([reference, target], 1)), (f16, f8, f4))
    found = model.segment(memory, model.encode(frame))
    torch.testing.assert_close(found, by_hand)
    for changed in (
        RGMPMemory((torch.zeros_like(reference),), memory.masks),
        RGMPMemory(memory.reference, torch.zeros_like(memory.masks)),
    ):
        assert (model.segment(changed, model.encode(frame)) - found).abs().max() > 1e-3


@torch.no_grad()
def test_scales_are_averaged_as_probabilities():
    a, b = torch.randn(2, 1, 1, 4, 5)
    torch.testing.assert_close(mean_logits([a, b]).sigmoid(), (a.sigmoid() + b.sigmoid()) / 2)
    assert mean_logits([torch.full((1,), 1e4)] * 3).isfinite().all() and mean_logits([a]) is a
    model, seen = small(THREE), []
    frame, masks = frame_and_masks(2, 48, 96)
    model.encoder.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[-2:])))
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    logits = model.segment(memory, model.encode(frame))
    assert seen == 2 * [(24, 48), (36, 72), (48, 96)] and logits.shape == (1, 2, 48, 96)
    model.train()
    assert model.scales == (1.0,)


@torch.no_grad()
def test_a_frame_that_ends_within_a_cell_of_stride_32_is_not_stretched():
    refine = Refine(3, 4, 4, slim=False)
    x, skip = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16, 16)
    whole, cut = refine(x, skip, 1), refine(x, skip[..., :15, :15], 1)
    assert cut.shape == (1, 4, 15, 15)
    torch.testing.assert_close(cut[..., :10, :10], whole[..., :10, :10])
    model = small()
    frame, masks = frame_and_masks(1, 80, 112)
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    assert memory.reference[0].shape[-2:] == (3, 4)
    assert model.segment(memory, model.encode(frame)).shape == (1, 1, 80, 112)


def test_scales_and_rules_are_given_as_text():
    model = small()
    other = at_scales(model, parse_scales("0.5,1"))
    assert other.scales == (0.5, 1.0) and model.scales == small().scales and check_rule("union") == "union"
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))
    for text in ("", "half", "0", "nan", "1,3"):
        with pytest.raises(OptionError, match="are not scales"):
            parse_scales(text)
    with pytest.raises(OptionError, match="not for gam-s"):
        at_scales(build_model("gam-s"), (1.0,))
    with pytest.raises(OptionError, match="known ones: product, union, naive, winner"):
        check_rule("loudest")


def test_the_memory_of_a_clip_can_be_saved():
    model = small(THREE)
    frame, masks = frame_and_masks(1)
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    halved = memory.map(lambda tensor: tensor.half())
    assert [features.dtype for features in halved.reference] == 3 * [torch.float16]
    assert halved.nbytes == memory.nbytes // 2
    twin = RGMPMemory.from_dict(memory.to_dict())
    assert all(torch.equal(a, b) for a, b in zip(twin.reference, memory.reference, strict=True))


def test_filters_of_the_mask_begin_at_random_and_a_trunk_without_its_end_is_an_error(tmp_path):
    model = small()
    with torch.no_grad():
        model.encoder.conv1.weight[:, 3:] = 0
    model.align()
    weight = model.encoder.conv1.weight
    assert weight.requires_grad and 0.8 < weight[:, 3:].std() / weight[:, :3].std() < 1.2
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet18-trunk-imagenet.safetensors")
    with pytest.raises(WeightsError, match="has no layer4"):
        load_trunks(model, tmp_path)


def test_training_lowers_the_loss_and_goes_back_through_time():
    model = small().train()
    generator = torch.Generator().manual_seed(2)
    frames, labels = torch.rand(1, 4, 3, 64, 64, generator=generator) / 4, torch.zeros(1, 4, 64, 64, dtype=torch.int64)
    for t in range(4):
        frames[:, t, :, 16:40, 8 + 4 * t : 32 + 4 * t] += 0.7
        labels[:, t, 16:40, 8 + 4 * t : 32 + 4 * t] = 1
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss, _ = unroll(model, frames, labels, Weights())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    masks = torch.zeros(1, 1, 64, 64, requires_grad=True)
    features = model.encode(frames[:, 1])
    memory = model.remember(None, model.encode(frames[:, 0]), frames[:, 0], (labels[:, :1] == 1).float(), None)
    first = model.segment(model.glance(memory, masks, None), features)
    soft = aggregate_logits(first).softmax(1)[:, 1:]
    model.segment(model.glance(memory, soft, None), features).sum().backward()
    assert masks.grad.abs().sum() > 0


def test_rules_of_aggregation():
    torch.manual_seed(0)
    logits = 3 * torch.randn(1, 3, 4, 5)
    p = logits.sigmoid()
    naive, winner, union = (combine(logits, rule) for rule in ("naive", "winner", "union"))
    torch.testing.assert_close(naive, torch.cat([1 - p.amax(1, keepdim=True), p], 1))
    assert ((winner[:, 1:] > 0).sum(1) == 1).all()
    assert torch.equal(winner.argmax(1), naive.argmax(1))
    torch.testing.assert_close(winner.sum(1), torch.ones(1, 4, 5))
    background = 1 - p[:, 2:]
    odds = torch.cat([background / (1 - background), (p / (1 - p))[:, :2]], 1)  # Eq. 1
    torch.testing.assert_close(union, odds / odds.sum(1, keepdim=True))
    one = logits[:, :1]
    torch.testing.assert_close(combine(torch.cat([one, one], 1), "union"), combine(one, "product"))


@pytest.mark.parametrize("rule", ["union", "naive", "winner"])
def test_a_clip_can_be_cut_by_any_rule(rule, monkeypatch):
    model = small()
    rgb = torch.randint(256, (3, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)).numpy()
    labels = torch.zeros(64, 64, dtype=torch.uint8).numpy()
    labels[8:24, 8:40], labels[30:50, 20:60] = 5, 9
    found = []
    for at_once in (1, 8):
        monkeypatch.setattr(type(model), "objects_at_once", at_once)
        propagator = Propagator(model, CPU, size=64, rule=rule)
        propagator.start(rgb[0], labels)
        size = propagator.memory_bytes
        found.append([propagator.step(picture) for picture in rgb[1:]])
        assert propagator.memory_bytes == size
        assert sum(len(memory.masks) for memory in propagator.memories) == 2 + (rule == "union")
    for a, b in zip(*found, strict=True):
        assert sorted(a.objects) == [5, 9]
        torch.testing.assert_close(a.probabilities, b.probabilities, rtol=0, atol=2e-3)

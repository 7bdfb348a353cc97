"""Parts of the networks against what their papers define."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torchvision.models import resnet18, resnet50

from vcut.engine.aggregate import aggregate, aggregate_logits
from vcut.models.parts import context, matching
from vcut.models.parts.attention import ChannelAttention
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.embedding import MaskEmbedding, shrink_masks
from vcut.models.parts.surroundings import surroundings, within_reach


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_trunk_with_folded_norm_equals_torchvision(name, tmp_path):
    torch.manual_seed(0)
    reference = {"resnet18": resnet18, "resnet50": resnet50}[name]()
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    if name == "resnet50":  # the trunk at hand is "v1": stride on the first convolution of a block
        for layer in (reference.layer2, reference.layer3):
            layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    reference.eval()
    save_file({k: v for k, v in reference.state_dict().items() if "num_batches" not in k}, tmp_path / "t.safetensors")
    trunk = Trunk(name, extra=1)
    trunk.load_imagenet(tmp_path / "t.safetensors")
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        f4 = reference.layer1(reference.maxpool(functional.relu(reference.bn1(reference.conv1(x)))))
        expected = reference.layer3(reference.layer2(f4))
        mask = torch.rand(2, 1, 64, 96)
        f2, got4, f8, f16 = trunk(torch.cat([x, mask], 1))  # extra inputs start with no say
    torch.testing.assert_close(got4, f4, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(f16, expected, rtol=1e-3, atol=1e-4)
    assert [tuple(f.shape[1:]) for f in (f2, got4, f8, f16)] == [
        (c, 64 // s, 96 // s) for c, s in zip(trunk.channels, (2, 4, 8, 16), strict=True)
    ]


@pytest.mark.parametrize("kind", ["raw", "softmax"])
def test_context_does_not_depend_on_resolution(kind):
    torch.manual_seed(0)
    key, value, query = torch.randn(2, 8, 6, 7), torch.randn(2, 12, 6, 7), torch.randn(2, 8, 3, 3)
    small = context.distribute(query, context.summarise(key, value, kind), kind)
    big = context.summarise(
        functional.interpolate(key, scale_factor=4), functional.interpolate(value, scale_factor=4), kind
    )
    torch.testing.assert_close(context.distribute(query, big, kind), small, rtol=1e-4, atol=1e-5)


def test_raw_context_is_the_papers_equations():
    torch.manual_seed(0)
    keys, values = torch.randn(3, 1, 8, 4, 5), torch.randn(3, 1, 6, 4, 5)
    query = torch.randn(1, 8, 4, 5)
    state = context.summarise(keys[0], values[0], "raw")
    g = torch.einsum("nhw,mhw->nm", keys[0, 0], values[0, 0]) / 20
    for t in (2, 3):
        state = context.merge(state, context.summarise(keys[t - 1], values[t - 1], "raw"))
        c = torch.einsum("nhw,mhw->nm", keys[t - 1, 0], values[t - 1, 0]) / 20
        g = (t - 1) / t * g + c / t
    read = context.distribute(query, state, "raw")
    torch.testing.assert_close(read[0], torch.einsum("nhw,nm->mhw", query[0], g), rtol=1e-4, atol=1e-5)


def test_every_frame_counts_the_same_in_the_context():
    torch.manual_seed(0)
    frames = [context.summarise(torch.randn(1, 8, 4, 4), torch.randn(1, 6, 4, 4), "softmax") for _ in range(5)]

    def fold(order):
        state = frames[order[0]]
        for i in order[1:]:
            state = context.merge(state, frames[i])
        return state

    a, b = fold([0, 1, 2, 3, 4]), fold([3, 1, 4, 0, 2])
    torch.testing.assert_close(a.product, b.product)
    torch.testing.assert_close(a.mass, b.mass)
    assert a.frames.item() == 5


@pytest.mark.parametrize("kind", ["raw", "softmax"])
def test_a_location_that_counts_three_times_is_three_locations(kind):
    torch.manual_seed(0)
    key, value, query = torch.randn(2, 8, 3, 4), torch.randn(2, 12, 3, 4), torch.randn(2, 8, 2, 2)
    weights = torch.ones(2, 1, 3, 4)
    weights[:, :, 1] = 3
    weighed = context.summarise(key, value, kind, weights)
    rows = [0, 1, 1, 1, 2]
    repeated = context.summarise(key[:, :, rows], value[:, :, rows], kind)
    scale = 1 if kind == "softmax" else 5 / 3  # raw contexts are sums over the locations there are
    torch.testing.assert_close(
        context.distribute(query, weighed, kind),
        context.distribute(query, repeated, kind) * scale,
        rtol=1e-3,
        atol=1e-4,
    )


def test_surroundings_are_the_bounding_box_made_wider_by_its_own_length():
    masks = torch.zeros(2, 1, 16 * 20, 16 * 30)
    masks[0, :, 16 * 8 : 16 * 11, 16 * 2 : 16 * 12] = 1  # 3 rows, 10 columns
    masks[1, :, 16 * 19 :, 16 * 29 : 16 * 29 + 3] = 1  # a little less than a fifth of the last cell
    expected = torch.zeros(2, 1, 20, 30)
    expected[0, :, 5:14, :22] = 1
    assert torch.equal(surroundings(masks, 1.0), expected)
    expected[1, :, 17:, 27:] = 1
    assert torch.equal(surroundings(masks, 1.0, at_all=True), expected)
    assert not surroundings(0 * masks, 1.0, at_all=True).any()


def test_an_object_can_be_in_the_cells_around_those_it_was_in_and_one_that_is_gone_anywhere():
    masks = torch.zeros(3, 1, 4 * 8, 4 * 12)
    masks[0, :, 4 * 3, 4 * 5] = 0.6  # one place of stride 4 in a cell
    masks[1, :, 4 * 7, 4 * 11] = 0.11
    masks[1, :, 0, 0] = 0.09  # too faint
    expected = torch.zeros(3, 1, 16 * 8, 16 * 12, dtype=torch.bool)
    expected[0, :, 16 * 1 : 16 * 6, 16 * 3 : 16 * 8] = True
    expected[1, :, 16 * 5 :, 16 * 9 :] = True
    expected[2] = True
    assert torch.equal(within_reach(masks, 2), expected)


@pytest.mark.parametrize("most", [1, 54 * 20, 1 << 20])  # in bands of one row, of two, and all at once
def test_matching_reads_by_a_softmax_over_remembered_locations_within_the_window(most, monkeypatch):
    monkeypatch.setitem(matching.MOST, "cpu", most)
    torch.manual_seed(0)
    query, key = torch.randn(2, 4, 6, 9), torch.randn(2, 4, 6, 9)
    every = torch.eye(54).view(1, 54, 6, 9).expand(2, -1, -1, -1)  # of each location a value: what is read are weights

    def weights(radius: int | None = None) -> torch.Tensor:
        return matching.read(query, key, every, 1, radius).flatten(2).transpose(1, 2)

    distance = (query.flatten(2).transpose(1, 2)[:, :, None] - key.flatten(2).transpose(1, 2)[:, None]).square().sum(3)
    torch.testing.assert_close(weights(), (-distance / 2).softmax(2), rtol=1e-4, atol=1e-6)
    ys, xs = torch.arange(6).repeat_interleave(9), torch.arange(9).repeat(6)
    far = ((ys[:, None] - ys).abs() > 2) | ((xs[:, None] - xs).abs() > 2)
    expected = (-distance / 2).masked_fill(far, float("-inf")).softmax(2)
    torch.testing.assert_close(weights(2), expected, rtol=1e-4, atol=1e-6)


def test_a_later_frame_counts_less_and_alone_knows_what_has_changed():
    torch.manual_seed(0)
    keys = 20 * torch.randn(1, 16, 10, 6)  # 60 places that do not look alike
    first, changed = keys.chunk(2, 2)
    one, other = torch.zeros(1, 3, 5, 6), torch.ones(1, 3, 5, 6)
    values = torch.cat([one, other], 2)

    def found(query: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        return matching.read(query, torch.cat([first, later], 2), values, 1, later=matching.Later(30, 3.0))

    torch.testing.assert_close(found(changed, changed), other)
    even = 1 / (1 + math.exp(3.0))
    torch.testing.assert_close(found(first, first), torch.full_like(one, even), rtol=1e-2, atol=1e-4)


def test_matching_a_frame_with_itself_gives_its_values_back():
    torch.manual_seed(0)
    key, value = 20 * torch.randn(1, 16, 5, 6), torch.randn(3, 7, 5, 6)
    torch.testing.assert_close(matching.read(key, key, value, 3), value, rtol=1e-3, atol=1e-3)


def test_channel_attention_is_the_identity_at_first_and_equation_7_later():
    torch.manual_seed(0)
    x = torch.randn(1, 5, 3, 4)
    attention = ChannelAttention()
    assert torch.equal(attention(x), x)
    attention.alpha.data.fill_(0.5)
    f = x.flatten(2)[0]
    relation = (f @ f.T / 12).exp()
    relation = relation / relation.sum(0, keepdim=True)
    expected = 0.5 * (f.T @ relation).T + f
    torch.testing.assert_close(attention(x).flatten(2)[0], expected, rtol=1e-4, atol=1e-5)


def test_mask_embedding_sees_masks_at_stride_4():
    masks = torch.zeros(1, 2, 32, 48)
    masks[..., 8:16, 4:12] = 1
    small = shrink_masks(masks)
    assert small.shape == (1, 2, 8, 12)
    assert small[0, 0, 2:4, 1:3].min() == 1 and small.sum() == 8
    assert MaskEmbedding(1, 4, 6)(small).shape == (1, 6, 8, 12)


def test_aggregation_is_the_stm_formula():
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, 3, 4, 5)
    p = logits.double().sigmoid()
    all_p = torch.cat([(1 - p).prod(1, keepdim=True), p], 1).clamp(1e-7, 1 - 1e-7)
    odds = all_p / (1 - all_p)
    expected = odds / odds.sum(1, keepdim=True)
    torch.testing.assert_close(aggregate(logits).double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("spread", [1, 10, 100])
def test_aggregation_is_the_softmax_that_is_trained_with(count, spread):
    logits = spread * torch.randn(2, count, 9, 11, generator=torch.Generator().manual_seed(count))
    expected = aggregate_logits(logits).softmax(1)
    torch.testing.assert_close(aggregate(logits), expected, rtol=1e-4, atol=1e-7)


def test_aggregation_stays_finite_when_all_is_certain():
    for value in (-1e4, 1e4):
        probabilities = aggregate(torch.full((1, 2, 2, 2), value))
        assert probabilities.isfinite().all()
        torch.testing.assert_close(probabilities.sum(1), torch.ones(1, 2, 2))
    assert aggregate(torch.full((1, 2, 1, 1), -1e4))[0, 0].item() > 0.999

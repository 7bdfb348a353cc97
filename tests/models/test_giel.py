"""GIEL against its paper's equations, each as a loop over locations, and what its memory keeps."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from vcut.engine.aggregate import aggregate
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.errors import OptionError
from vcut.models.base import other_objects
from vcut.models.giel import GIEL, GIELConfig, product
from vcut.models.parts.label_encoder import LabelEncoder, label_tensors
from vcut.models.parts.support import TemporalAttention, correlate, read, surplus
from vcut.models.registry import build_model
from vcut.training.losses import Weights, carry, clip_loss, foreground_loss, unroll
from vcut.weights.file import load_file, save_weights

TINY = {"trunk": "resnet18", "key_channels": 16, "value_channels": 32, "label_channels": 8, "widths": [16, 16, 16]}


@pytest.fixture(params=["giel", "giel-fast"])
def model(request) -> GIEL:
    torch.manual_seed(0)
    return build_model(request.param, TINY).eval()


def stripes(objects: int, height: int = 64, width: int = 64) -> torch.Tensor:
    """1,N,H,W: objects below each other in the upper three quarters."""
    masks = torch.zeros(1, objects, height, width)
    tall = 3 * height // 4 // objects
    for i in range(objects):
        masks[:, i, tall * i : tall * i + tall, width // 4 : 3 * width // 4] = 1
    return masks


def test_papers_sizes():
    config = build_model("giel-paper").config
    assert (config.trunk, config.key_channels, config.value_channels) == ("resnet50", 128, 512)
    assert (config.support, config.objects, config.refine, config.remember_every) == (5, 6, True, 1)
    assert not build_model("giel-fast").config.refine
    with pytest.raises(OptionError, match="support set of 1"):
        GIELConfig(support=1)


def test_memory_reading_is_naive_attention_over_all_frames():
    """Eq. 4, 5 and 9: one correlation for the value of all and for that of each object."""
    torch.manual_seed(0)
    query, key = torch.randn(2, 8, 3, 4), torch.randn(2, 8, 5, 12)
    values = torch.randn(2, 3, 6, 5, 12)
    equal = torch.full((2, 5), 0.2).log()
    found = read(values, correlate(query, key, equal), (3, 4)).view(2, 3, 6, 3, 4)
    for b in range(2):
        for y in range(3):
            for x in range(4):
                likeness = torch.einsum("ctl,c->tl", key[b], query[b, :, y, x]) / 8**0.5
                weights = likeness.exp() / likeness.exp().sum()
                expected = torch.einsum("nctl,tl->nc", values[b], weights)
                torch.testing.assert_close(found[b, :, :, y, x], expected, rtol=1e-4, atol=1e-5)


def test_weights_of_frames_multiply_what_is_read_of_them():
    torch.manual_seed(0)
    query, key, values = torch.randn(1, 8, 3, 4), torch.randn(1, 8, 3, 12), torch.randn(1, 1, 6, 3, 12)
    weights = torch.tensor([[0.7, 0.2, 0.1]])
    correlation = correlate(query, key, weights.log())
    plain = correlate(query, key, torch.zeros(1, 3)).view(3, 12, 12)
    expected = plain * weights.view(3, 1, 1)
    torch.testing.assert_close(correlation.view(3, 12, 12), expected / expected.sum((0, 1)))
    alone = correlate(query, key, torch.tensor([[0.0, -1e4, -1e4]]))
    torch.testing.assert_close(
        read(values, alone, (3, 4)),
        read(values[..., :1, :], correlate(query, key[:, :, :1], torch.zeros(1, 1)), (3, 4)),
    )


def test_temporal_attention_is_figure_3_and_begins_equal():
    torch.manual_seed(0)
    attention = TemporalAttention(8)
    query, key = torch.randn(2, 8, 3, 4), torch.randn(2, 8, 4, 12)

    def summary(layer, picture):
        return torch.stack([layer(picture[..., i, None, None]).relu() for i in range(picture.shape[-1])]).mean(0)

    score = []
    for t in range(4):
        three = summary(attention.first, key[:, :, 0]), summary(attention.own, key[:, :, t])
        score.append(attention.regress(torch.cat([*three, summary(attention.query, query.flatten(2))], 1)).flatten())
    expected = torch.stack(score, 1).softmax(1)
    torch.testing.assert_close(attention(query, key).exp(), expected)
    assert expected.std() > 1e-3
    attention.start_equal()
    torch.testing.assert_close(attention(query, key).exp(), torch.full((2, 4), 0.25))


def test_label_tensors_are_own_others_and_background():
    """Eq. 7: three channels, which share every pixel out."""
    masks = stripes(3)
    labels = label_tensors(masks, other_objects(masks)).view(3, 3, 64, 64)
    for i in range(3):
        assert torch.equal(labels[i, 0], masks[0, i])
        assert torch.equal(labels[i, 1], masks[0, [n for n in range(3) if n != i]].sum(0))
        assert torch.equal(labels[i, 2], 1 - masks[0].sum(0))
    assert LabelEncoder(8, 32)(labels).shape == (3, 32, 4, 4)


@torch.no_grad()
def test_values_of_objects_are_the_frames_value_times_their_labels(model):
    """Eq. 8."""
    frame, masks = torch.rand(1, 3, 64, 64), stripes(2)
    memory = model.remember(None, model.encode(frame), frame, masks, other_objects(masks))
    codes = model.label_encoder(label_tensors(masks, other_objects(masks)))
    for i in range(2):
        for location in range(16):
            expected = memory.value[0, 0, :, 0, location] * codes[i, :, location // 4, location % 4]
            torch.testing.assert_close(memory.instance[0, i, :, 0, location], expected)


@torch.no_grad()
def test_a_mask_is_the_map_of_all_objects_times_its_own(model):
    """Eq. 5-6, and 9-12."""
    frame, masks = torch.rand(1, 3, 64, 64), stripes(2)
    features = model.encode(frame)
    memory = model.remember(None, features, frame, masks, other_objects(masks))
    correlation = correlate(features.query, memory.key, torch.zeros(1, 1))
    embedding = torch.cat([features.value, read(memory.value, correlation, (4, 4))], 1)
    whole = model.decoder(model.compress(embedding), features, 1, None).sigmoid()
    logits = model.segment(memory, features)
    for i in range(2):
        embedding = torch.cat([features.value, read(memory.instance[:, i : i + 1], correlation, (4, 4))], 1)
        if model.config.refine:
            own = model.instance_decoder(model.instance_compress(embedding), features, 1, None)
        else:
            own = functional.interpolate(model.coarse(embedding), (64, 64), mode="bilinear", align_corners=False)
        torch.testing.assert_close(logits[:, i].sigmoid(), (whole * own.sigmoid())[:, 0], rtol=1e-4, atol=1e-5)


def test_the_product_stays_finite_when_all_is_certain():
    edges = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], requires_grad=True)
    logits = product(edges[:, None], edges[None])
    assert logits.isfinite().all()
    logits.sum().backward()
    assert edges.grad.isfinite().all()
    assert product(torch.zeros(1), torch.zeros(1)).sigmoid().item() == pytest.approx(0.25)


@torch.no_grad()
def test_more_objects_than_d_go_through_in_groups(model):
    frame, masks = torch.rand(1, 3, 64, 64), stripes(9)
    features = model.encode(frame)
    memory = model.remember(None, features, frame, masks, other_objects(masks))
    logits = model.segment(memory, features)
    assert logits.shape == (1, 9, 64, 64) and model.config.objects == 6
    wide = build_model(model.architecture, {**TINY, "objects": 9}).eval()
    wide.load_state_dict(model.state_dict())
    torch.testing.assert_close(wide.segment(memory, features), logits, rtol=1e-3, atol=1e-4)


def test_the_engine_gives_it_all_objects_in_one_pass(model, monkeypatch):
    passes = []
    real = GIEL.segment
    monkeypatch.setattr(GIEL, "segment", lambda *arguments: passes.append(1) or real(*arguments))
    labels = torch.arange(0, 12, dtype=torch.uint8).repeat_interleave(6)[:64, None].repeat(1, 64).numpy()
    frames = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8).numpy()
    propagator = Propagator(model, Runtime(torch.device("cpu"), torch.float32), size=64)
    propagator.start(frames[0], labels)
    for frame in frames[1:]:
        assert len(propagator.step(frame).ids) == 10
    assert len(passes) == 2 and len(propagator.memories) == 1


def test_the_saved_state_of_a_clip_goes_on_alike(model):
    frames = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8).numpy()
    labels = stripes(2).argmax(1)[0].to(torch.uint8).numpy()
    first, second = (Propagator(model, Runtime(torch.device("cpu"), torch.float32), size=64) for _ in range(2))
    first.start(frames[0], labels)
    first.step(frames[1])
    second.restore(first.state())
    for frame in frames[2:]:
        assert torch.equal(first.step(frame).probabilities, second.step(frame).probabilities)


@torch.no_grad()
def test_a_place_is_found_again_before_any_training(model):
    model.align()
    frame, masks = torch.rand(1, 3, 64, 64), stripes(1)
    features = model.encode(frame)
    memory = model.remember(None, features, frame, masks, other_objects(masks))
    torch.testing.assert_close(memory.key[:, :, 0], features.query.flatten(2), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_memory_stops_growing_and_the_first_frame_stays(model):
    masks, memory, sizes, first = stripes(2), None, [], None
    for n in range(50):
        frame = torch.rand(1, 3, 64, 64)
        features = model.encode(frame)
        if memory is not None and n % 10 == 0:
            masks = aggregate(model.segment(memory, features))[:, 1:]
        memory = model.remember(memory, features, frame, masks, other_objects(masks))
        first = memory.key[:, :, 0] if first is None else first
        assert torch.equal(memory.key[:, :, 0], first)
        assert memory.times[0] == 0 and memory.times[-1] == n and len(memory.times) == min(n + 1, 5)
        sizes.append(memory.nbytes)
    assert len(set(sizes[4:])) == 1 and sizes[4] == 5 * sizes[0]


def test_the_support_set_is_spread_over_the_clip():
    times: tuple[int, ...] = (0, 1, 2, 3, 4)
    for n in range(5, 400):
        times = (*times, n)
        gone = surplus(times)
        times = times[:gone] + times[gone + 1 :]
        gaps = [later - sooner for sooner, later in pairwise(times)]
        assert times[0] == 0 and times[-1] == n and max(gaps) <= max(2, 0.6 * n)


@pytest.mark.parametrize("store", ["fp16", "int8"])
def test_batch_norm_survives_a_weight_file(model, tmp_path, store):
    model.train()
    masks = stripes(2)
    for _ in range(3):
        model.label_encoder(label_tensors(masks, other_objects(masks)))
    model.label_encoder.norm2.running_var[0] = 1e6  # beyond fp16
    save_weights(tmp_path / "giel.safetensors", model, store=store, extra={"trained": "no"})
    loaded = load_file(tmp_path / "giel.safetensors").label_encoder.norm2
    assert torch.equal(loaded.running_var, model.label_encoder.norm2.running_var)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_runs_in_every_number_format(model, dtype):
    frames = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8).numpy()
    propagator = Propagator(model, Runtime(torch.device("cpu"), dtype), size=64)
    propagator.start(frames[0], stripes(2).argmax(1)[0].to(torch.uint8).numpy())
    propagator.step(frames[1])
    assert not propagator.notices


def moving_object() -> tuple[torch.Tensor, torch.Tensor]:
    """A clip 1,4,3,64,64 of a bright square and a dark one before noise, and its labels."""
    frames, labels = torch.rand(1, 4, 3, 64, 64) * 0.5, torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    for t in range(4):
        for i, top in ((1, 8), (2, 36)):
            labels[:, t, top : top + 20, 8 + 4 * t : 32 + 4 * t] = i
            frames[:, t, i - 1, top : top + 20, 8 + 4 * t : 32 + 4 * t] = 1
    return frames, labels


def test_the_loss_is_equation_13_on_top_of_the_usual_one(model):
    torch.manual_seed(0)
    frames, labels = moving_object()
    with torch.no_grad():
        found = list(carry(model, frames, labels))
        loss, _ = unroll(model, frames, labels, Weights())
    expected = torch.zeros(())
    for t, (logits, together) in enumerate(found, 1):
        p, truth = together.sigmoid()[:, 0], labels[:, t] > 0
        entropy = -torch.where(truth, p.log(), (1 - p).log()).mean()
        torch.testing.assert_close(foreground_loss(together, labels[:, t]), entropy)
        expected = expected + (entropy + clip_loss(logits, labels[:, t], Weights())) / 3
    torch.testing.assert_close(loss, expected)


def test_gradients_reach_every_parameter_and_steps_lower_the_loss(model):
    torch.manual_seed(0)
    model.train()
    frames, labels = moving_object()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss, _ = unroll(model, frames, labels, Weights())
        optimizer.zero_grad()
        loss.backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0], losses

"""STM, the baseline for cost: its read, its memory, and the growth that GC Table 1 gives."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vcut.models.base import other_objects
from vcut.models.parts import context
from vcut.models.stm import STM, STMConfig, read_memory


def test_the_read_is_naive_attention():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 8, 3, 4), torch.randn(2, 8, 5), torch.randn(2, 6, 5)
    read = read_memory(query, key, value)
    for b in range(2):
        for y in range(3):
            for x in range(4):
                weights = ((key[b] * query[b, :, y, x, None]).sum(0) / 8**0.5).softmax(0)
                torch.testing.assert_close(read[b, :, y, x], (value[b] * weights).sum(1))


@torch.no_grad()
def test_every_fifth_frame_and_the_last_are_kept():
    torch.manual_seed(0)
    model = STM(STMConfig(trunk="resnet18", key_channels=16, value_channels=32)).eval()
    masks, memory, held = torch.zeros(1, 2, 32, 48), None, []
    masks[:, 0, :16], masks[:, 1, 16:] = 1, 1
    for _ in range(12):
        frame = torch.rand(1, 3, 32, 48)
        features = model.encode(frame)
        if memory is not None:
            assert model.segment(memory, features).shape == (1, 2, 32, 48)
        memory = model.remember(memory, features, frame, masks, other_objects(masks))
        held.append(memory.key.shape[2] // 6)
    assert held == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4][: len(held)]


# GC Table 1: 384 x 384, float32; multiplications and additions count as one
@pytest.mark.parametrize(("frames", "gflop", "megabytes"), [(1, 0.2, 4), (10, 2.1, 40), (100, 21.2, 394)])
def test_cost_of_the_read_is_that_of_the_paper(frames, gflop, megabytes):
    locations = 24 * 24
    query = torch.empty(1, 128, 24, 24, device="meta")
    key = torch.empty(1, 128, frames * locations, device="meta")
    value = torch.empty(1, 512, frames * locations, device="meta")
    with FlopCounterMode(display=False) as counter:
        read_memory(query, key, value)
    assert counter.get_total_flops() / 2e9 == pytest.approx(gflop, abs=0.06)
    # keys and values that are kept, and the likenesses before and after the softmax
    held = 4 * (key.numel() + value.numel() + 2 * frames * locations * locations)
    assert held / 2**20 == pytest.approx(megabytes, rel=0.03)


def test_cost_of_the_global_context_is_that_of_the_paper_whatever_the_length():
    query = torch.empty(1, 128, 24, 24, device="meta")
    held = context.Context(*(torch.empty(1, 128, n, device="meta") for n in (512, 1)), torch.ones(1, 1, 1))
    with FlopCounterMode(display=False) as counter:
        read = context.distribute(query, held, "raw")
    assert counter.get_total_flops() / 2e9 == pytest.approx(0.04, abs=0.004)
    assert 4 * (held.product.numel() + read.numel()) / 2**20 == pytest.approx(1, rel=0.5)

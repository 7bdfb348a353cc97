"""Variants of a short training, trained and scored, and gone on with after a stop."""

from __future__ import annotations

import json

import pytest
import torch

from vcut.errors import OptionError
from vcut.training.ablation import VARIANTS, ablate, table
from vcut.training.options import TrainOptions

CPU = torch.device("cpu")
BASE = TrainOptions(steps=2, batch=1, size=64, clip=2, long_clip=2, warmup=1)
NAMES = ["as it is", "no mask embedding", "no matching, context raw"]


def test_variants_differ_in_one_thing_and_a_second_run_does_nothing_again(packs, tmp_path):
    judged = []

    def judge(model) -> dict[str, float]:
        judged.append(model.config)
        value = 0.5 + 0.1 * len(judged)
        return {"J&F": value, "J": value, "F": value}

    seen = []
    options = {
        "base": BASE,
        "scratch": True,
        "workers": 0,
        "report": lambda name, state: seen.append((name, state.step)),
    }
    rows = ablate(tmp_path, packs, judge, CPU, names=NAMES[:2], **options)
    assert seen == [(name, 2) for name in NAMES[:2]]
    again = ablate(tmp_path, packs, judge, CPU, names=NAMES, **options)
    assert again[:2] == rows and len(judged) == 3
    assert [config.previous_masks for config in judged] == [1, 0, 1]
    assert (judged[2].reference, judged[2].window, judged[2].context) == (False, 0, "raw")
    assert [row["clips"] for row in json.loads((tmp_path / "ablation.json").read_text())["rows"]] == [2, 2, 2]
    lines = table(again).splitlines()
    assert lines[2:] == [
        "| as it is | 0.600 | 0.600 | 0.600 |  |",
        "| no mask embedding | 0.700 | 0.700 | 0.700 | +10.0 |",
        "| no matching, context raw | 0.800 | 0.800 | 0.800 | +20.0 |",
    ]


def test_every_variant_can_be_built():
    from dataclasses import replace

    from vcut.models.registry import build_model

    for changes in VARIANTS.values():
        options = replace(BASE, **changes)
        build_model(options.architecture, options.config)


def test_unknown_variants_are_refused(packs, tmp_path):
    with pytest.raises(OptionError, match="unknown variant 'no luck'; known ones: as it is"):
        ablate(tmp_path, packs, lambda _: {}, CPU, names=["no luck"])

"""``vcut bench``: what it writes, that figures hang together, and memory against length."""

from __future__ import annotations

import json

import pytest
import torch
from tools import vcut

from vcut.bench import network
from vcut.bench.length import measure_length
from vcut.bench.network import NetworkCase, measure_network
from vcut.bench.work import Machine, StageWork, probe
from vcut.engine.runtime import choose_runtime
from vcut.models.registry import build_model
from vcut.weights import load_model

SMALL_TRUNK = {"trunk": "resnet18"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """A size of frames that costs next to nothing."""
    monkeypatch.setitem(network.SIZES, "384x384", (64, 64))
    monkeypatch.setitem(network.SIZES, "480p", (64, 96))
    monkeypatch.setitem(network.SIZES, "1080p", (128, 192))


def test_everything_is_written_and_hangs_together(tmp_path):
    files = {name: tmp_path / name for name in ("b.json", "b.md", "plots")}
    options = ("--models", "gam-s,stm-paper", "--objects", "1,3", "--frames", 4, "--files", "labels", "--length", 10)
    result = vcut(
        "bench",
        *options,
        "--json",
        files["b.json"],
        "--markdown",
        files["b.md"],
        "--plots",
        files["plots"],
        "--device",
        "cpu",
        "--work",
    )
    assert result.exit_code == 0, result.output
    report = json.loads(files["b.json"].read_text())
    assert report["system"]["threads"] == torch.get_num_threads() and report["system"]["runtime"].startswith("cpu")
    rows = {(r["case"]["model"], r["case"]["size"], r["case"]["objects"]): r for r in report["networks"]}
    assert len(rows) == 8 and not any(row["error"] for row in rows.values())
    for (model, _, objects), row in rows.items():
        assert row["trained"] == (model == "gam-s") and 0 < row["median_ms"] <= row["p95_ms"]
        assert sum(row["stages_ms"].values()) == pytest.approx(row["median_ms"], rel=1)
        assert (row["used_fps"] > 0) == (model == "gam-s")  # stm looks at all it has remembered
        assert objects == 1 or row["gmac"] > rows[model, row["case"]["size"], 1]["gmac"]
    assert rows["gam-s", "1080p", 1]["gmac"] > 2 * rows["gam-s", "480p", 1]["gmac"]
    work = files["b.md"].read_text().partition("**Work** of a mean step")[2]
    assert report["machine"]["macs"] > 1e9 and work.count("| all |") == 8
    for row in rows.values():
        assert row["gmac"] == pytest.approx(sum(row["stages_gmac"].values())) and row["stages_gmac"]["aggregate"] == 0
        assert all(megabytes > 0 for megabytes in row["stages_mb"].values())
    assert [f["case"]["format"] for f in report["files"]] == ["labels", "labels"]
    assert all(f["fps"] > 0 and {"decode", "network", "write"} <= set(f["stages_ms"]) for f in report["files"])
    assert "| stm-paper (random weights) | 480p |" in files["b.md"].read_text()
    assert sorted(p.name for p in files["plots"].iterdir()) == [
        "memory-length.svg",
        "speed-size.svg",
        "time-length.svg",
    ]

    again = vcut("bench", *options[:2], "--objects", 1, "--frames", 2, "--files", "none", "--compare", files["b.json"])
    assert again.exit_code == 0, again.output
    assert "gam-s 480p 1" in again.stderr and "stm-paper 1080p 1" in again.stderr


@pytest.mark.parametrize(("name", "steps"), [("gam", 10), ("gc", 5)])
def test_regions_are_timed_over_whole_rounds(monkeypatch, name, steps):
    """At a small object steps look at less than the frame, but for one a round: of those that are remembered every one
    in ``gc``, every second in ``gam``."""
    monkeypatch.setitem(network.SIZES, "480p", (320, 480))
    seen = []
    model = load_model(name)
    encode = type(model).encode
    monkeypatch.setattr(type(model), "encode", lambda self, frame: seen.append(frame.shape) or encode(self, frame))
    result = measure_network(NetworkCase(name, "480p", 1, 5), model, True, choose_runtime("cpu"))
    timed = seen[-steps:]
    assert result.used_fps > 0
    assert [shape[-2:] == seen[0][-2:] for shape in timed].count(True) == 1
    assert seen[-steps - 1][-2] < seen[0][-2] or name == "gc"


def test_work_is_counted_as_by_hand():
    runtime = choose_runtime("cpu", "fp32")
    layer = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    work, picture = StageWork(), torch.zeros(1, 3, 16, 20)
    with torch.inference_mode(), work("layer"):
        layer(picture).flatten(1)
    assert work.macs == {"layer": 16 * 20 * 8 * 3 * 9}
    assert work.bytes == {"layer": 4 * (3 * 16 * 20 + 8 * 16 * 20 + 8 * 3 * 9)}  # the view is free
    machine = Machine(macs=1e9, bytes=2e9)
    assert machine.floor(5e8, 1e6) == 0.5 and machine.floor(1, 4e9) == 2
    here = probe(runtime)
    assert here.macs > 1e9 and here.bytes > 1e8


def test_memory_is_flat_for_the_context_and_grows_for_stm():
    runtime = choose_runtime("cpu", "fp32")
    lengths = (1, 10, 100)
    flat = measure_length("gc", build_model("gc", SMALL_TRUNK).eval(), runtime, lengths=lengths)
    grows = measure_length("stm", build_model("stm", SMALL_TRUNK).eval(), runtime, lengths=lengths)
    assert flat.frames == grows.frames == [1, 10, 100]
    assert len(set(flat.context_bytes)) == 1 and set(flat.working_bytes) == {0}
    one = grows.context_bytes[0]
    assert grows.context_bytes == [one, 3 * one, 21 * one]  # every fifth frame, and the last
    assert grows.working_bytes[2] == 21 * grows.working_bytes[0]


def test_a_curve_ends_where_memory_would(monkeypatch):
    monkeypatch.setattr("vcut.bench.length.available_memory", lambda: 3_000_000)
    model = build_model("stm", SMALL_TRUNK).eval()
    curve = measure_length("stm", model, choose_runtime("cpu", "fp32"), lengths=(1, 10, 2000))
    assert curve.frames == [1, 10] and "2000 frames would take" in curve.stopped


def test_a_curve_ends_where_patience_does():
    model = build_model("gc", SMALL_TRUNK).eval()
    curve = measure_length("gc", model, choose_runtime("cpu", "fp32"), lengths=(1, 10, 10**7), seconds=30)
    assert curve.frames == [1, 10] and "10000000 frames would take longer than 30 s" in curve.stopped


def test_what_does_not_fit_is_a_row_not_the_end(monkeypatch):
    def burst(*_):
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr("vcut.bench.network._measure", burst)
    result = measure_network(NetworkCase("gc", "4k", 1, 1), build_model("gc"), False, choose_runtime("cpu"))
    assert result.error == "no more" and result.fps == 0


@pytest.mark.parametrize("option", [("--sizes", "8k"), ("--objects", "0"), ("--files", "mp3"), ("--frames", "0")])
def test_what_cannot_be_measured_is_refused(option):
    result = vcut("bench", *option)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1

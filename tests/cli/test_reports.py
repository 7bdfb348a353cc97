"""What a run tells: the report, lines of JSON, silence; and names of objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tools import vcut


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_report_says_what_went_in_and_came_out(scene, tmp_path):
    report = tmp_path / "run.json"
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "c", "-f", "labels,rle", "--report", report)
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text())
    assert found["status"] == "done" and found["frames"] == 10
    assert (found["input"]["width"], found["input"]["height"], found["input"]["rate"]) == (320, 240, "30000/1001")
    assert [(Path(out["path"]).name, out["format"]) for out in found["outputs"]] == [
        ("c_labels", "labels"),
        ("c_rle.jsonl", "rle"),
    ]
    assert found["outputs"][1]["bytes"] == (tmp_path / "c_rle.jsonl").stat().st_size
    assert [entry["id"] for entry in found["objects"]] == [1, 3]
    assert found["model"]["architecture"] == "gam-s" and found["model"]["context_bytes"] > 0
    seconds = found["seconds"]
    stages = {"decode", "network", "matte", "write", "wait"}
    assert stages < set(seconds) and all(0 <= seconds[stage] <= seconds["total"] for stage in stages)
    assert seconds["matte"] + seconds["wait"] <= seconds["total"]  # one after the other, beside the network or not
    assert found["peak_memory_bytes"]["resident"] > 100e6


def test_the_report_of_a_failure_says_why(scene, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    report = tmp_path / "run.json"
    result = vcut("segment", tmp_path / "clip.mp4", "-m", scene.mask, "--report", report)
    found = json.loads(report.read_text())
    assert found["status"] == "failed" and found["error"]["exit_code"] == result.exit_code == 3
    assert "clip.mp4" in found["error"]["message"]


def test_progress_as_lines_of_json(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", "--json")
    assert result.exit_code == 0 and result.stderr == ""
    events = lines(result.stdout)
    assert [event["event"] for event in events] == ["start", *["frame"] * 10, "done"]
    assert events[0]["frames_estimate"] == 10 and events[-2]["frames"] == events[-1]["frames"] == 10


def test_an_error_is_a_line_of_json_too(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", tmp_path / "none.png", "-o", tmp_path / "cut", "--json")
    assert result.exit_code == 4
    assert lines(result.stdout)[-1]["event"] == "error" and "none.png" in lines(result.stdout)[-1]["message"]
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("option", "expected"), [("--quiet", 0), ("--verbose", 4)])
def test_quiet_and_verbose(scene, tmp_path, option, expected):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", option)
    assert result.exit_code == 0 and result.stdout == ""
    assert sum(line.startswith("note:") for line in result.stderr.splitlines()) == expected


def test_names_beside_the_mask_name_the_files(scene, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(scene.mask.read_bytes())
    (tmp_path / "mask.json").write_text('{"1": "rabbit", "3": "man", "9": "nobody"}')
    out = tmp_path / "out"
    out.mkdir()
    result = vcut("segment", scene.clip, "-m", mask, "-o", out / "cut", "--split-objects", "-f", "matte")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["cut_man", "cut_rabbit"]


@pytest.mark.parametrize("text", ["{", "[]", '{"dog": 1}', '{"1": 2}', '{"300": "dog"}'])
def test_names_that_are_none_are_refused_in_one_line(scene, tmp_path, text):
    names = tmp_path / "names.json"
    names.write_text(text)
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", "--names", names)
    assert result.exit_code == 4 and len(result.stderr.splitlines()) == 1 and "names.json" in result.stderr
    assert not (tmp_path / "cut").exists()

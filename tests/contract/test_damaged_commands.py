"""Whole commands on damaged sources and masks: a result that opens, or one line of error; never a trace, never both.

All commands run once, in two processes that import torch once each; then each is looked at.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from contract.damage import CUTS, FRAMES, VIDEOS, Case, cases, make_sources
from contract.pool import run_all

from vcut.errors import InputError, MaskError, PartialError
from vcut.video.formats import FORMATS, resolve_outputs

SECONDS = 120
"""No command takes more than a few seconds on a quiet machine."""

CASES = {case.name: case for case in cases()}
DONE, PARTIAL, INPUT, MASK = 0, PartialError.exit_code, InputError.exit_code, MaskError.exit_code


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each command, by its name."""
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "sound").mkdir()
    make_sources(folder / "sound")
    jobs = [prepare(case, folder / "sound", folder / str(number)) for number, case in enumerate(CASES.values())]
    return dict(zip(CASES, run_all(jobs, folder, SECONDS), strict=True))


def prepare(case: Case, sound: Path, folder: Path) -> tuple[list[str], str]:
    """Write the damaged files of a case; its arguments, and the folder of its results."""
    results = folder / "results"
    results.mkdir(parents=True)
    source, mask = folder / case.source, folder / "mask.png"
    shutil.copy(sound / "indexed.png", mask)
    if case.source in VIDEOS:
        source.write_bytes(case.spoil((sound / case.source).read_bytes()))
    else:
        shutil.copytree(sound / case.source, source)
    kind, _, number = case.what.partition(" ")
    if kind == "picture":
        picture = source / f"{number}.{case.source}"
        picture.write_bytes(case.spoil(picture.read_bytes()))
    elif case.what.endswith("mask"):
        mask.write_bytes(case.spoil((sound / f"{kind}.png").read_bytes()))
    out = str(results / out_of(case))
    arguments = ["segment", str(source), "--mask", str(mask), "-o", out, "-f", case.formats, "--size", "64"]
    return [*arguments, "--weights", "gam-s", "--device", "cpu", "--dtype", "fp32"], str(results)


def out_of(case: Case) -> Path:
    """The name of the output that a case gives."""
    return Path("out" if "," in case.formats else f"out{FORMATS[case.formats].suffix}")


def counts_its_frames(case: Case) -> bool:
    """Whether a source says how many frames it has: streams do not, and a damaged header may say anything."""
    return Path(case.source).suffix not in (".mkv", ".webm", ".ts") and "in front" not in case.damage


def frames_done(answer: dict[str, Any]) -> int:
    """How many frames a command says it has done."""
    return int(re.search(r"^done: .*: (\d+) frames?, ", answer["stderr"], re.MULTILINE)[1])


@pytest.mark.parametrize("name", CASES)
def test_damage_ends_in_a_result_or_in_one_line(answers: dict[str, dict[str, Any]], name: str) -> None:
    """Whole results and no error; whole results and a line that tells what was lost; or a line, and no result."""
    case, answer = CASES[name], answers[name]
    assert "ended" not in answer, answer["ended"]
    assert answer["stdout"] == ""
    assert answer["threads"] == []
    lines = [line for line in answer["stderr"].splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    others = [line for line in lines if not line.startswith(("error: ", "note: ", "done: ", f"{case.source} "))]
    assert others == [], answer
    assert len(errors) == (answer["code"] != DONE), answer
    if answer["code"] in (DONE, PARTIAL):
        done = frames_done(answer)
        assert 0 < done <= FRAMES
        formats = {path.name: fmt for fmt, path in resolve_outputs(case.formats, out_of(case), Path("x"))}
        assert answer["found"].keys() == formats.keys()
        for result, fmt in formats.items():
            assert answer["found"][result] in (range(1, done + 1) if fmt.kind == "animation" else [done]), answer
    else:
        # A damaged display matrix can turn a clip on its side, and then its mask does not fit.
        assert answer["code"] in ((MASK,) if case.what.endswith("mask") else (INPUT, MASK)), answer
        assert answer["found"] == {}


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if case.damage in CUTS])
def test_what_is_cut_short_is_not_called_whole(answers: dict[str, dict[str, Any]], name: str) -> None:
    """Of a file that lacks 30 % and more, something must be said."""
    assert answers[name]["code"] != DONE


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if counts_its_frames(case)])
def test_lost_frames_are_told(answers: dict[str, dict[str, Any]], name: str) -> None:
    """What is called done has all frames."""
    if answers[name]["code"] == DONE:
        assert frames_done(answers[name]) == FRAMES


def test_damage_of_every_weight(answers: dict[str, dict[str, Any]]) -> None:
    """Some is not noticed, some costs frames, some costs all: else the cases would be too mild, or too harsh."""
    assert len(CASES) >= 300
    counts = Counter(answer.get("code") for answer in answers.values())
    assert all(counts[code] >= 10 for code in (DONE, PARTIAL, INPUT, MASK)), counts

"""Pictures of training runs: what is in them, and what is said of a damaged log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from vcut.errors import InputError, OptionError
from vcut.training.plot import plot_log, plot_logs, read_stage

OLD = "step,loss,overlap,rate,clips_per_second,hours"
NEW = "step,loss,overlap,rate,clips_per_second,waiting,hours,dev"


def write_run(folder: Path, rows: int = 12, header: str = NEW, batch: int = 4) -> Path:
    """A run whose loss falls; J&F on dev is in every fourth row, 0.7 to 0.8, if ``header`` has it."""
    folder.mkdir()
    (folder / "options.json").write_text(json.dumps({"architecture": "gam-s", "batch": batch}))
    lines = [header]
    for row in range(1, rows + 1):
        done = row / rows
        values = {"step": str(20 * row), "loss": f"{2 - 1.5 * done:.4f}", "overlap": f"{0.5 + 0.4 * done:.4f}"}
        values["dev"] = "" if row % 4 else f"{0.7 + 0.1 * done:.4f}"
        lines.append(",".join(values.get(column, "0.5") for column in header.split(",")))
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return folder / "log.csv"


def texts(picture: Path) -> str:
    """All text of an SVG, a line each."""
    root = ElementTree.fromstring(picture.read_bytes())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return "\n".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))


def colours(picture: Path) -> int:
    """Of the three curves, how many are drawn."""
    content = picture.read_text()
    return sum(colour in content for colour in ("#c8501e", "#2864b4", "#1e8246"))


def test_a_run_is_drawn_with_its_labels_and_every_time_the_same(tmp_path: Path) -> None:
    log = write_run(tmp_path / "run")
    plot_log(log, tmp_path / "a.svg")
    plot_log(log, tmp_path / "b.svg")
    for label in ("training loss", "training IoU", "dev J&F, best 0.800", "clips seen"):
        assert label in texts(tmp_path / "a.svg")
    assert "stage" not in texts(tmp_path / "a.svg") and colours(tmp_path / "a.svg") == 3
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg", "run"]


def test_a_log_of_an_older_version_has_the_training_curves_only(tmp_path: Path) -> None:
    plot_log(write_run(tmp_path / "run", header=OLD), tmp_path / "a.svg")
    assert "training IoU" in texts(tmp_path / "a.svg") and "dev" not in texts(tmp_path / "a.svg")
    assert colours(tmp_path / "a.svg") == 2


def test_long_stages_follow_one_another_in_a_small_file(tmp_path: Path) -> None:
    first = write_run(tmp_path / "stage-one", 3000)
    logs = [first, write_run(tmp_path / "stage-two", 3000, OLD), write_run(tmp_path / "stage-three", 3000, batch=16)]
    plot_logs(logs, tmp_path / "all.svg")
    assert all(log.parent.name in texts(tmp_path / "all.svg") for log in logs)
    # 20 x 3000 steps: 240,000 clips, as many again, and four times as many
    assert "1,400,000" in texts(tmp_path / "all.svg") and "1,600,000" not in texts(tmp_path / "all.svg")
    assert (tmp_path / "all.svg").stat().st_size < 60_000


def test_clips_are_counted_and_rows_done_again_replace_the_first(tmp_path: Path) -> None:
    log = write_run(tmp_path / "run", 4)
    with log.open("a") as file:
        file.write("60,0.25,0.9,0,0,0,0,0.75\n")
    stage = read_stage(log)
    assert (stage.name, stage.clips.tolist()) == ("run", [80, 160, 240])
    assert (stage.loss[-1], stage.overlap[-1], stage.dev[-1]) == (0.25, 0.9, 0.75)
    assert np.isnan(stage.dev[:-1]).all()


@pytest.mark.parametrize("loss", ["nan", "inf"])
def test_a_run_that_diverged_and_one_of_a_single_row_can_be_drawn(tmp_path: Path, loss: str) -> None:
    log = write_run(tmp_path / "run", 1)
    plot_log(log, tmp_path / "one.svg")
    with log.open("a") as file:
        file.write(f"40,{loss},0.2,0,0,0,0,\n")
    plot_log(log, tmp_path / "two.svg")
    for name in ("one.svg", "two.svg"):
        assert "training loss" in texts(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"{NEW}\n20,1.0,0.5,0,0,0,0,\n40,oops,0.5,0,0,0,0,\n", "line 3 of "),
        (f"{NEW}\n20,1.0\n", "line 2 of "),
        ("a,b\n1,2\n", "line 2 of "),
        (f"{NEW}\n", "has no steps yet"),
        ("", "has no steps yet"),
        ("step,\xff\n", "is not a training log"),
    ],
)
def test_a_damaged_log_is_told_in_one_line(tmp_path: Path, content: str, says: str) -> None:
    log = write_run(tmp_path / "run")
    log.write_bytes(content.encode("latin-1"))
    told(log, says, log)


@pytest.mark.parametrize(
    ("content", "says"), [(b"{}", "how many clips"), (b"{", "how many clips"), (None, "cannot read")]
)
def test_a_run_without_its_options_is_told_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    log = write_run(tmp_path / "run")
    options = log.with_name("options.json")
    options.unlink() if content is None else options.write_bytes(content)
    told(log, says, options)


def test_no_log_is_told_in_one_line(tmp_path: Path) -> None:
    log = write_run(tmp_path / "run")
    log.unlink()
    told(log, "cannot read", log)
    with pytest.raises(OptionError, match="no training run to draw"):
        plot_logs([], tmp_path / "a.svg")


def told(log: Path, says: str, about: Path) -> None:
    with pytest.raises(InputError) as caught:
        plot_log(log, log.parents[1] / "a.svg")
    text = str(caught.value)
    assert says in text and str(about) in text and "\n" not in text and caught.value.fix
    assert not (log.parents[1] / "a.svg").exists()


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OptionError, match=r"pip install 'vcut-video\[plots\]'"):
        plot_log(log, tmp_path / "a.svg")

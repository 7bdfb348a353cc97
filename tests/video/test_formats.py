"""Choosing a format by option and by output name, and the default output name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcut.errors import OptionError, OutputError
from vcut.video.formats import DEFAULT_FORMAT, FORMATS, default_output, resolve_format


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("a.mov", "prores"),
        ("A.MOV", "prores"),
        ("a.webm", "webm"),
        ("x/a.mp4", "overlay"),
        ("x/result", "labels"),
        ("x/my_matte", "matte"),
    ],
)
def test_told_by_the_output(out: str, name: str) -> None:
    assert resolve_format(None, Path(out)).name == name


@pytest.mark.parametrize("name", FORMATS)
def test_by_name_alone_and_with_its_own_default_output(name: str, tmp_path: Path) -> None:
    fmt = resolve_format(name, None)
    assert fmt.name == name
    assert resolve_format(name, default_output(tmp_path / "clip.mp4", fmt)) is fmt
    assert resolve_format(None, default_output(tmp_path / "clip.mp4", fmt)) is fmt


def test_neither_name_nor_output() -> None:
    assert resolve_format(None, None) is FORMATS[DEFAULT_FORMAT]


def test_unknown_name_lists_the_formats() -> None:
    with pytest.raises(OptionError) as caught:
        resolve_format("gif", None)
    assert all(name in str(caught.value) for name in FORMATS)


@pytest.mark.parametrize("name", ["prores", "webm"])
def test_alpha_in_mp4_names_what_would_do(name: str) -> None:
    with pytest.raises(OutputError, match="cannot hold transparency") as caught:
        resolve_format(name, Path("a.mp4"))
    assert ".mov (prores)" in str(caught.value)
    assert ".webm (webm)" in str(caught.value)
    assert "overlay" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("prores", "a.webm"),
        ("webm", "a.mov"),
        ("overlay", "a.mov"),
        ("prores", "folder"),
        ("labels", "a.mov"),
        ("matte", "a.png"),
        (None, "a.avi"),
        (None, "a.png"),
    ],
)
def test_name_and_output_that_do_not_go_together(name: str | None, out: str) -> None:
    with pytest.raises(OutputError) as caught:
        resolve_format(name, Path(out))
    assert out in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_may_have_a_dot_in_its_name() -> None:
    assert resolve_format("labels", Path("take.2")).name == "labels"


def test_default_output(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert default_output(clip, FORMATS["prores"]) == tmp_path / "clip_cutout.mov"
    assert default_output(clip, FORMATS["webm"]) == tmp_path / "clip_cutout.webm"
    assert default_output(clip, FORMATS["overlay"]) == tmp_path / "clip_overlay.mp4"
    assert default_output(clip, FORMATS["labels"]) == tmp_path / "clip_labels"
    assert default_output(Path("clip.mp4"), FORMATS["matte"]) == Path("clip_matte")


def test_default_output_of_a_folder_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "take.2"
    folder.mkdir()
    assert default_output(folder, FORMATS["prores"]) == tmp_path / "take.2_cutout.mov"
    monkeypatch.chdir(folder)
    assert default_output(Path("."), FORMATS["labels"]) == tmp_path / "take.2_labels"

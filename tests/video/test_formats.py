"""Choosing a format by option and by output name, and the default output name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcut.errors import OptionError, OutputError
from vcut.video.formats import (
    DEFAULT_FORMAT,
    FORMATS,
    default_output,
    object_outputs,
    resolve_format,
    resolve_outputs,
)


@pytest.mark.parametrize(
    ("out", "name"),
    [
        ("a.mov", "prores"),
        ("A.MOV", "prores"),
        ("a.webm", "webm"),
        ("x/a.mp4", "overlay"),
        ("x/result", "labels"),
        ("x/my_matte", "matte"),
        ("x/matte", "matte"),
        ("a.mkv", "ffv1"),
        ("a.jsonl", "rle"),
        ("a.gif", "gif"),
        ("clip_qtrle.mov", "qtrle"),
        ("clip-ffv1-16.mkv", "ffv1-16"),
        ("clip_rgba-16", "rgba-16"),
        ("Shot Split.mp4", "split"),
        ("evergreen.mp4", "overlay"),
        ("clip_qtrle.webm", "webm"),
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


def test_no_two_formats_have_one_default_output(tmp_path: Path) -> None:
    assert len({default_output(tmp_path / "clip.mp4", fmt) for fmt in FORMATS.values()}) == len(FORMATS)


def test_neither_name_nor_output() -> None:
    assert resolve_format(None, None) is FORMATS[DEFAULT_FORMAT]


def test_unknown_name_lists_the_formats() -> None:
    with pytest.raises(OptionError) as caught:
        resolve_format("avi", None)
    assert all(name in str(caught.value) for name in FORMATS)


@pytest.mark.parametrize("name", ["prores", "webm"])
def test_alpha_in_mp4_names_what_would_do(name: str) -> None:
    with pytest.raises(OutputError, match="cannot hold transparency") as caught:
        resolve_format(name, Path("a.mp4"))
    assert ".mov (prores)" in str(caught.value)
    assert ".webm (webm)" in str(caught.value)
    assert ".mkv (ffv1)" in str(caught.value)
    assert "rgba" in str(caught.value)
    assert "gif" not in str(caught.value)
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
        ("rle", "a.json"),
        ("gif", "a.webp"),
        ("rgba", "a.gif"),
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


def test_one_format_is_as_ever(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    assert resolve_outputs(None, None, clip) == [(FORMATS["prores"], tmp_path / "clip_cutout.mov")]
    assert resolve_outputs("webm", Path("a.webm"), clip) == [(FORMATS["webm"], Path("a.webm"))]
    assert resolve_outputs(None, Path("a_split.mp4"), clip) == [(FORMATS["split"], Path("a_split.mp4"))]


def test_several_formats_beside_the_source(tmp_path: Path) -> None:
    outputs = resolve_outputs("prores, labels,qtrle", None, tmp_path / "clip.mp4")
    assert [out for _, out in outputs] == [tmp_path / f"clip_{end}" for end in ("cutout.mov", "labels", "qtrle.mov")]


def test_several_formats_under_one_beginning(tmp_path: Path) -> None:
    stem = resolve_outputs("prores,labels", tmp_path / "cut" / "take.2", Path("clip.mp4"))
    assert [out for _, out in stem] == [tmp_path / "cut" / "take.2_prores.mov", tmp_path / "cut" / "take.2_labels"]
    folder = resolve_outputs("prores,labels", tmp_path, Path("clip.mp4"))
    assert [out for _, out in folder] == [tmp_path / "clip_prores.mov", tmp_path / "clip_labels"]


def test_several_formats_and_the_name_of_one_file() -> None:
    with pytest.raises(OutputError, match=r"a_prores\.mov, a_labels"):
        resolve_outputs("prores,labels", Path("a.mov"), Path("clip.mp4"))


@pytest.mark.parametrize("names", ["prores,prores", "prores,", ",", "prores,divx"])
def test_lists_that_make_no_sense(names: str) -> None:
    with pytest.raises(OptionError):
        resolve_outputs(names, None, Path("clip.mp4"))


def test_a_background_chooses_and_needs_a_format_that_shows_it() -> None:
    clip = Path("clip.mp4")
    assert resolve_outputs(None, None, clip, background=True)[0][0].name == "composite"
    assert resolve_outputs(None, Path("a.mp4"), clip, background=True)[0][0].name == "composite"
    assert len(resolve_outputs("prores,composite-h265", None, clip, background=True)) == 2
    assert resolve_outputs("split", None, clip, background=True)[0][0].name == "split"
    for names in ("prores", "green", "labels,overlay"):
        with pytest.raises(OptionError, match="not to be seen"):
            resolve_outputs(names, None, clip, background=True)
    with pytest.raises(OptionError, match="--background"):
        resolve_outputs("composite", None, clip)
    assert resolve_outputs("green", None, clip)[0][1] == Path("clip_green.mp4")


def test_outputs_of_single_objects() -> None:
    out = Path("x/clip_cutout.mov")
    assert object_outputs(out, [1, 3]) == {1: Path("x/clip_cutout_1.mov"), 3: Path("x/clip_cutout_3.mov")}
    named = object_outputs(out, [1, 2, 3, 4, 5, 6], {1: "Big dog", 2: "cat", 3: "Cat", 4: "../..", 5: "é.mov", 6: "1"})
    assert [path.name for path in named.values()] == [
        f"clip_cutout_{end}.mov" for end in ("Big_dog", "cat_2", "Cat_3", "4", "é_mov", "6")
    ]
    assert {path.parent for path in named.values()} == {Path("x")}
    assert object_outputs(Path("take.2_labels"), [7]) == {7: Path("take.2_labels_7")}

"""Skipping to a key frame: when it is done, and when all is decoded instead."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from vcut.video.seek import jump
from vcut.video.span import Span

MakeClip = Callable[..., Path]
EVERY_50 = {"g": "50", "sc_threshold": "0", "threads": "1"}


@pytest.mark.parametrize(("start", "index"), [(300, 300), (317, 300), (349, 300), (350, 350)])
def test_it_begins_at_the_key_frame_before(make_clip: MakeClip, tmp_path: Path, start: int, index: int) -> None:
    path = make_clip(tmp_path / "clip.mp4", width=32, height=32, frames=360, options=EVERY_50)
    found = jump(path, Span(start), Fraction(1, 12800))
    assert found is not None
    assert found.index == index
    assert len(list(found.frames)) == 360 - index
    found.decoder.close()


def test_nothing_is_skipped_for_little(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", width=32, height=32, frames=360, options=EVERY_50)
    assert jump(path, Span(240), Fraction(1, 12800)) is None


def test_containers_without_honest_key_flags_are_decoded(make_clip: MakeClip, tmp_path: Path) -> None:
    for name in ("clip.ts", "clip.avi"):
        path = make_clip(tmp_path / name, width=32, height=32, frames=300, options=EVERY_50)
        assert jump(path, Span(290), Fraction(1, 25)) is None


def test_intra_refresh_has_no_frame_to_begin_at(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "clip.mkv",
        width=64,
        height=64,
        frames=330,
        options={"threads": "1", "x264-params": "intra-refresh=1:keyint=30"},
    )
    assert jump(path, Span(310), Fraction(1, 1000)) is None


def test_a_start_after_the_end_is_decoded(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", width=32, height=32, frames=300, options={**EVERY_50, "g": "10"})
    assert jump(path, Span(300), Fraction(1, 12800)) is None

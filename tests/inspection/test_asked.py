"""Which frames are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import make_clip

from vcut.errors import InputError, OptionError
from vcut.inspection.asked import Asked, check_there, parse_frames, spread
from vcut.video.reader import open_source
from vcut.video.span import Span


def test_lists_of_frames() -> None:
    assert parse_frames("40,0, 20,20") == (0, 20, 40)
    for wrong in ("", "a", "1,", "-3", "2.5", "1;2"):
        with pytest.raises(OptionError, match=r"are not frame numbers; give numbers from 0, e\.g\. 0,20,40"):
            parse_frames(wrong)
    with pytest.raises(OptionError, match="--frames names 41 frames; a sheet has 40 at most"):
        parse_frames(",".join(map(str, range(41))))


def shown(asked: Asked, indices: range | list[int]) -> list[int]:
    return [index for index in indices if asked.due(index)]


def test_frames_that_are_there() -> None:
    assert shown(Asked((0, 3, 4), exact=True), range(6)) == [0, 3, 4]
    assert shown(Asked((0, 3, 4, 5), exact=False), [0, 1, 6, 7]) == [0, 6], "the next one there stands for a gap"


def test_frames_that_are_not_there() -> None:
    asked = Asked((0, 3, 9), exact=True)
    assert shown(asked, range(6)) == [0, 3]
    with pytest.raises(InputError, match="the clip has no frame 9: it ends with 5; give other numbers to --frames"):
        asked.end(5)
    with pytest.raises(InputError, match="the clip has no frame 3: the next one is 4"):
        shown(Asked((3,), exact=True), [0, 4])
    Asked((0, 3), exact=False).end(1)


def test_even_spacing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=9)
    with open_source(clip) as source:
        assert spread(source, Span(), 0) == (0, 2, 4, 6, 8)
    with open_source(clip, span=Span(6)) as source:
        assert spread(source, Span(6), 6) == (6, 7, 8)


def test_a_clip_that_does_not_tell_its_length(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.h264", frames=6)
    with open_source(clip) as source:
        with pytest.raises(OptionError, match=r"how long .*clip\.h264 is cannot be told; say which frames to show"):
            spread(source, Span(), 0)
        check_there(source, Span(), (0, 5))
        with pytest.raises(InputError, match="has 6 frames, no frame 6"):
            check_there(source, Span(), (0, 6))


def test_a_number_beyond_the_end_is_told_before_any_work(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=6)
    with open_source(clip) as source:
        check_there(source, Span(), (0, 5))
        with pytest.raises(InputError, match="has 6 frames, no frame 6; they are numbered from 0 to 5"):
            check_there(source, Span(), (0, 6))

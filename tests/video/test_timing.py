"""Time stamps that a file lacks or repeats."""

from __future__ import annotations

from fractions import Fraction

from vcut.video.timing import Clock


def run(pts: list[int | None], rate: Fraction = Fraction(25), time_base: Fraction = Fraction(1, 1000)) -> list[int]:
    clock = Clock(time_base, rate)
    return [clock.stamp(value) for value in pts]


def test_growing_stamps_pass_through() -> None:
    assert run([-5, 3, 4, 1000]) == [-5, 3, 4, 1000]


def test_missing_stamps_do_not_drift() -> None:
    stamps = run([None] * 3001, rate=Fraction(30000, 1001))
    assert stamps[3000] == round(3000 * 1001 / 30)


def test_missing_stamps_follow_the_last_known() -> None:
    assert run([100, None, None, 300]) == [100, 140, 180, 300]


def test_a_repeated_or_earlier_stamp_moves_one_tick_on() -> None:
    assert run([0, 40, 40, 30, 120]) == [0, 40, 41, 42, 120]

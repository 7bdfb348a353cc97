"""Which channels of a map are shown."""

from __future__ import annotations

import torch

from vcut.inspection.channels import choose
from vcut.inspection.panels import panels
from vcut.models.maps import Map

HALVES = torch.zeros(2, 32, 64)
HALVES[0, :16, :32], HALVES[1, 16:, 32:] = 1, 1
"""Masks of two objects, at 16 times the maps' size: the upper left quarter and the lower right one."""


def plane(upper_left: float, lower_right: float, rest: float) -> torch.Tensor:
    """2 x 4: one value in each part of the frame."""
    values = torch.full((2, 4), float(rest))
    values[0, :2], values[1, 2:] = upper_left, lower_right
    return values


def test_most_inside_come_first_then_most_outside() -> None:
    planes = [
        plane(0.5, 0.5, 0.5),
        plane(0.1, 0.1, 0.9),
        plane(0.9, 0.9, 0.1),
        plane(0.0, 0.0, 0.3),
        plane(0.4, 0.4, 0.1),
        plane(0.2, 0.2, 0.1),
    ]
    found = Map("key", torch.stack(planes)[None])
    assert choose(found, HALVES).tolist() == [[2, 4, 1, 3]]
    names = [panel.caption for panel in panels([found], {"key": choose(found, HALVES)}, [1, 2])]
    assert names == ["key 2 (inside)", "key 4 (inside)", "key 1 (outside)", "key 3 (outside)"]


def test_each_object_has_its_own() -> None:
    first = [plane(1, 0, 0), plane(0.9, 0, 0), plane(0, 1, 0), plane(0, 0.9, 0), plane(0, 0, 0.1), plane(0, 0, 0)]
    found = Map("key", torch.stack([torch.stack(first)] * 2), each=True)
    chosen = choose(found, HALVES)
    assert chosen[:, :2].tolist() == [[0, 1], [2, 3]] and chosen[:, 2:].tolist() == [[2, 3], [0, 1]]
    made = panels([found], {"key": chosen}, [4, 7])
    assert [panel.caption for panel in made[:2]] == ["object 4: key 0 (inside)", "object 4: key 1 (inside)"]
    assert [panel.identifier for panel in made] == [4] * 4 + [7] * 4


def test_equals_go_by_their_number_and_few_are_shown_whole() -> None:
    found = Map("key", torch.ones(1, 600, 2, 4))
    assert choose(found, HALVES).tolist() == [[0, 1, 0, 1]]
    few = Map("key", torch.rand(2, 4, 2, 4), each=True)
    assert choose(few, HALVES).tolist() == [[0, 1, 2, 3]] * 2
    assert [panel.caption for panel in panels([few], {"key": choose(few, HALVES)}, [1, 2])][3:5] == [
        "object 1: key 3",
        "object 2: key 0",
    ]


def test_an_object_too_small_for_a_location_counts() -> None:
    tiny = torch.zeros(1, 32, 64)
    tiny[0, 3, 35] = 1
    values = torch.zeros(1, 5, 2, 4)
    values[0, 3, 0, 2] = 1
    assert choose(Map("key", values), tiny)[0, 0] == 3


def test_ranges() -> None:
    """Maps of one scale share a range, objects do not; ends that are given stay."""
    before, after = torch.tensor([[1.0, 2.0], [10.0, 20.0]]), torch.tensor([[0.0, 3.0], [10.0, 50.0]])
    maps = [
        Map("before", before[:, None, None], each=True, scale="both"),
        Map("after", after[:, None, None], each=True, scale="both"),
        Map("chance", torch.full((1, 1, 1, 2), 0.25), low=0, high=1),
        Map("own", before[:1, None, None], low=0),
    ]
    made = panels(maps, {part.name: choose(part, HALVES) for part in maps}, [1, 2])
    assert [(panel.caption, panel.low, panel.high) for panel in made] == [
        ("object 1: before", 0, 3),
        ("object 2: before", 10, 50),
        ("object 1: after", 0, 3),
        ("object 2: after", 10, 50),
        ("chance", 0, 1),
        ("own", 0, 2),
    ]

"""``vcut inspect`` from file to file, with the shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tools import make_clip, vcut

from vcut.errors import InputError, MaskError, OptionError, OutputError, WeightsError
from vcut.inspection.sheet import OUTLINE, TILE_HEIGHT
from vcut.masks.palette import save_indexed
from vcut.models.registry import build_model
from vcut.tiles import CAPTION_HEIGHT, GAP
from vcut.weights.file import save_weights

FRAMES, SIDE = 7, 24
TILE = (TILE_HEIGHT * 3 // 2, TILE_HEIGHT + 2 * CAPTION_HEIGHT)
"""Width and height of a tile of a clip of 96 x 64."""

KEYS = ["inside", "inside", "outside", "outside"]


def corner(index: int) -> tuple[int, int]:
    """Top and left of the square in a frame."""
    return 20, 8 + 8 * index


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square of 24 pixels moves to the right over dark noise, 96 x 64; ``mask.png`` has it in the first frame,
    ``two.png`` halves of it as objects 2 and 5."""
    folder = tmp_path_factory.mktemp("square")
    noise = np.random.default_rng(0).integers(20, 70, (64, 96, 3)).astype(np.uint8)
    pictures = []
    for index in range(FRAMES):
        picture, (top, left) = noise.copy(), corner(index)
        picture[top : top + SIDE, left : left + SIDE] = (250, 230, 80)
        pictures.append(picture)
    make_clip(folder / "clip.mp4", pictures=pictures, options={"crf": "10"})
    labels, (top, left) = np.zeros((64, 96), np.uint8), corner(0)
    labels[top : top + SIDE, left : left + SIDE] = 1
    save_indexed(folder / "mask.png", labels)
    labels[top : top + SIDE // 2][labels[top : top + SIDE // 2] > 0] = 2
    labels[labels == 1] = 5
    save_indexed(folder / "two.png", labels)
    return folder / "clip.mp4"


def inspect(clip: Path, out: Path, *options: object) -> list[str]:
    """Runs the command at a small size, and gives the names of its columns."""
    result = vcut("inspect", clip, "--mask", clip.with_name("mask.png"), "-o", out, "--size", 128, *options)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("done: ")]
    return line.split("; ", 1)[1].split("; ")[0].replace("first mask, matched", "matched").split(", ")


def tiles(path: Path) -> list[list[np.ndarray]]:
    """The pictures of a sheet, row by row, 180 x 270 x 3, without captions."""
    with Image.open(path) as sheet:
        assert sheet.format == "PNG" and sheet.mode == "RGB"
        pixels = np.array(sheet).astype(int)
    width, height = TILE[0] + GAP, TILE[1] + GAP
    assert (pixels.shape[0] - GAP) % height == 0 and (pixels.shape[1] - GAP) % width == 0
    return [
        [pixels[top : top + TILE_HEIGHT, left : left + TILE[0]] for left in range(GAP, pixels.shape[1], width)]
        for top in range(GAP, pixels.shape[0], height)
    ]


def inside(index: int) -> np.ndarray:
    """180 x 270 bool: where the square is in a tile."""
    top, left = (TILE_HEIGHT * place // 64 for place in corner(index))
    side = TILE_HEIGHT * SIDE // 64
    where = np.zeros((TILE_HEIGHT, TILE[0]), bool)
    where[top : top + side, left : left + side] = True
    return where


def far(index: int) -> np.ndarray:
    """180 x 270 bool: where the square is further away than its own side."""
    where, side = inside(index), TILE_HEIGHT * SIDE // 64
    rows, columns = np.nonzero(where)
    away = np.ones_like(where)
    away[max(0, rows[0] - side) : rows[-1] + side, max(0, columns[0] - side) : columns[-1] + side] = False
    return away


def light(tile: np.ndarray, where: np.ndarray) -> float:
    """Mean brightness in a part of a tile, without outlines."""
    return float(tile[where & ~(tile == OUTLINE).all(-1)].mean())


def test_what_the_default_network_holds(clip: Path, tmp_path: Path) -> None:
    columns = inspect(clip, tmp_path / "sheet.png", "--frames", "6,0,3,3")
    assert [column.split("(")[-1].rstrip(")") for column in columns] == [*KEYS, "mask embedding", "matched"]
    assert len({column for column in columns if column.startswith("key ")}) == 4
    rows = tiles(tmp_path / "sheet.png")
    assert [len(row) for row in rows] == [7] * 3
    for index, (frame, key, *_, embedding, matched) in zip((0, 3, 6), rows, strict=True):
        assert light(frame, inside(index)) > 150 > 80 > light(frame, far(index))
        outline = (frame == OUTLINE).all(-1)
        assert outline[inside(index)].any() and not outline[far(index)].any()
        assert light(matched, inside(index)) > 3 * light(matched, far(index)) + 30
        assert light(embedding, inside(max(0, index - 1))) > light(embedding, far(index)) + 30
        if not index:
            assert light(key, inside(index)) > light(key, far(index)) + 10, "chosen so"
    assert list(tmp_path.iterdir()) == [tmp_path / "sheet.png"], "nothing else is left"


def test_a_few_frames_unless_some_are_asked_for(clip: Path, tmp_path: Path) -> None:
    mask = tmp_path / "late.png"
    labels, (top, left) = np.zeros((64, 96), np.uint8), corner(2)
    labels[top : top + SIDE, left : left + SIDE] = 1
    save_indexed(mask, labels)
    inspect(clip, tmp_path / "whole.png")
    inspect(clip, tmp_path / "part.png", "--start", 2, "--mask", mask)
    for name, indices in (("whole", [0, 2, 3, 4, 6]), ("part", [2, 3, 4, 5, 6])):
        frames = [row[0] for row in tiles(tmp_path / f"{name}.png")]
        bright = [[light(frame, inside(index)) for index in range(FRAMES)] for frame in frames]
        assert [int(np.argmax(values)) for values in bright] == indices


def test_gam_shows_its_attention_and_gc_its_keys(clip: Path, tmp_path: Path) -> None:
    columns = inspect(clip, tmp_path / "gam.png", "--frames", "2", "--weights", "gam")
    assert columns[4:] == ["before attention", "after attention", "change by attention", "mask embedding", "matched"]
    ((_, *maps),) = tiles(tmp_path / "gam.png")
    assert np.abs(maps[4] - maps[5]).max() > 10, "attention changes something"
    columns = inspect(clip, tmp_path / "gc.png", "--frames", "0,2", "--weights", "gc")
    assert [column.split("(")[-1].rstrip(")") for column in columns] == [*KEYS, "mask embedding"]
    rows = tiles(tmp_path / "gc.png")
    assert [len(row) for row in rows] == [6, 6]
    for inner in rows[0][1:3]:
        assert light(inner, inside(0)) > light(inner, far(0)) + 10
    for outer in rows[0][3:5]:
        assert light(outer, inside(0)) < light(outer, ~inside(0))


def test_objects_have_maps_of_their_own(clip: Path, tmp_path: Path) -> None:
    two = clip.with_name("two.png")
    columns = inspect(clip, tmp_path / "two.png", "--frames", "1", "--mask", two)
    assert columns[4:] == [f"object {i}: {name}" for name in ("mask embedding", "matched") for i in (2, 5)]
    ((frame, *maps),) = tiles(tmp_path / "two.png")
    half = inside(1) & (np.arange(TILE_HEIGHT) < TILE_HEIGHT * (20 + SIDE // 2) / 64)[:, None]
    for upper, lower in (maps[4:6], maps[6:8]):
        assert light(upper, half) > light(upper, inside(1) & ~half)
        assert light(lower, half) < light(lower, inside(1) & ~half)
    outlines = [(tile == OUTLINE).all(-1).sum() for tile in (frame, upper, lower)]
    assert outlines[0] > max(outlines[1:]) and min(outlines[1:]) > 0
    alone = inspect(clip, tmp_path / "one.png", "--frames", "1", "--mask", two, "--objects", "5")
    assert alone[4:] == ["mask embedding", "matched"]


def test_networks_that_are_not_trained_yet(clip: Path, tmp_path: Path) -> None:
    sizes = {"trunk": "resnet18", "key_channels": 16, "value_channels": 16, "widths": [16, 16, 16]}
    shown = {
        "giel": ({**sizes, "label_channels": 8}, ["global", "instance"]),
        "giel-fast": ({**sizes, "label_channels": 8}, ["global", "coarse instance"]),
        "rgmp": (
            {"trunk": "resnet18", "channels": 16, "widths": [16, 16]},
            ["reference (first frame)", "target", "matched"],
        ),
    }
    for name, (config, columns) in shown.items():
        weights = tmp_path / f"{name}.safetensors"
        save_weights(weights, build_model(name, config), extra={"trained": "yes"})
        assert inspect(clip, tmp_path / f"{name}.png", "--frames", "2", "--weights", weights) == columns
        ((_, *maps),) = tiles(tmp_path / f"{name}.png")
        assert len(maps) == len(columns) and all(part.std() > 0 for part in maps[1:])


def refused(out: Path, *arguments: object) -> tuple[str, int]:
    """The one line of a run that makes no sheet, and its exit code."""
    result = vcut("inspect", *arguments, "--size", 96)
    (line,) = [line for line in result.stderr.strip().splitlines() if not line.startswith(("inspect", "note"))]
    assert line.startswith("error: ") and result.stdout == "" and not out.exists()
    return line.removeprefix("error: "), result.exit_code


@pytest.mark.parametrize(
    ("frames", "words", "kind"),
    [
        ("0,two", "--frames '0,two' are not frame numbers; give numbers from 0, e.g. 0,20,40", OptionError),
        ("-1", "--frames '-1' are not frame numbers", OptionError),
        ("0,7", "has 7 frames, no frame 7; they are numbered from 0 to 6", InputError),
        (",".join(map(str, range(50))), "--frames names 50 frames; a sheet has 40 at most", OptionError),
    ],
)
def test_frames_that_are_not_there(clip: Path, tmp_path: Path, frames: str, words: str, kind: type) -> None:
    out = tmp_path / "new" / "sheet.png"
    line, code = refused(out, clip, "-m", clip.with_name("mask.png"), "-o", out, f"--frames={frames}")
    assert words in line and code == kind.exit_code
    assert not out.parent.exists()


def test_a_frame_before_the_mask(clip: Path, tmp_path: Path) -> None:
    out, mask = tmp_path / "sheet.png", clip.with_name("mask.png")
    line, code = refused(out, clip, "-m", mask, "-o", out, "--start", "0.08s", "--frames", "1,4")
    assert code == OptionError.exit_code
    assert line.startswith("--frames names 1, which is before the frame that the mask is of, 2; give numbers from")


def test_a_gap_in_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "shot").mkdir()
    for number in (10, 11, 13, 14):
        Image.new("RGB", (96, 64), (number, 99, 10)).save(tmp_path / "shot" / f"{number}.png")
    labels = np.zeros((64, 96), np.uint8)
    labels[20:50, 20:50] = 1
    save_indexed(tmp_path / "mask.png", labels)
    out = tmp_path / "sheet.png"
    line, code = refused(out, tmp_path / "shot" / "%d.png", "-m", tmp_path / "mask.png", "-o", out, "--frames", "0,2")
    assert line.startswith("the clip has no frame 2: the next one is 3") and code == InputError.exit_code


def test_networks_that_are_refused(clip: Path, tmp_path: Path) -> None:
    out, mask = tmp_path / "sheet.png", clip.with_name("mask.png")
    sizes = {"trunk": "resnet18", "key_channels": 16, "value_channels": 16, "widths": [16, 16, 16]}
    save_weights(tmp_path / "stm.safetensors", build_model("stm", sizes), extra={"trained": "yes"})
    line, code = refused(out, clip, "-m", mask, "-o", out, "--weights", tmp_path / "stm.safetensors")
    assert line.startswith("the network stm holds no maps to be shown") and code == OptionError.exit_code
    save_weights(tmp_path / "random.safetensors", build_model("giel", sizes), extra={"trained": "no"})
    line, code = refused(out, clip, "-m", mask, "-o", out, "--weights", tmp_path / "random.safetensors")
    assert line.endswith("is untrained; train it with 'vcut train', or name trained weights")
    assert code == WeightsError.exit_code


def test_too_many_objects_for_a_sheet(clip: Path, tmp_path: Path) -> None:
    labels = np.zeros((64, 96), np.uint8)
    for i in range(15):
        labels[4 * i : 4 * i + 4, 20:60] = i + 1
    save_indexed(tmp_path / "many.png", labels)
    out = tmp_path / "sheet.png"
    line, code = refused(out, clip, "-m", tmp_path / "many.png", "-o", out)
    assert code == OptionError.exit_code
    assert line == "34 maps of 15 objects are too many for a sheet; choose some with --objects"


def test_where_the_sheet_goes(clip: Path, tmp_path: Path) -> None:
    copy, mask = tmp_path / "shot.v2.mp4", tmp_path / "mask.png"
    copy.write_bytes(clip.read_bytes())
    mask.write_bytes(clip.with_name("mask.png").read_bytes())
    assert vcut("inspect", copy, "-m", mask, "--frames", "0", "--size", 64).exit_code == 0
    made = tmp_path / "shot.v2_inspect.png"
    before = made.read_bytes()
    assert [len(row) for row in tiles(made)] == [7]
    for options, words in (
        ([], f"{made} exists already; give --overwrite to replace a file"),
        (["-o", tmp_path / "sheet.jpg"], "is not a .png; a sheet is a PNG file: name it .png"),
        (["-o", mask / "new" / "sheet.png"], f"{mask} is no folder to write to; choose another output"),
        (["-o", mask, "--overwrite"], "is the clip or the mask itself; choose another output"),
    ):
        result = vcut("inspect", copy, "-m", mask, "--frames", "0", *options)
        assert result.exit_code == OutputError.exit_code and words in result.stderr
    assert made.read_bytes() == before
    assert vcut("inspect", copy, "-m", mask, "--frames", "0,1", "--size", 64, "--overwrite").exit_code == 0
    assert [len(row) for row in tiles(made)] == [7, 7]
    wrong = vcut("inspect", copy, "-m", copy, "--overwrite")
    assert wrong.exit_code == MaskError.exit_code and [len(row) for row in tiles(made)] == [7, 7]

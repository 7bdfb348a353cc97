"""``vcut evaluate``: its options, on a clip with known truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tools import Scene, iou, vcut

from vcut.errors import OptionError, OutputError
from vcut.models.registry import build_model
from vcut.weights.file import save_weights


@pytest.fixture(scope="module")
def root(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene in DAVIS layout: ``walk``, 10 frames of 240 x 320, objects 1 and 3."""
    folder = tmp_path_factory.mktemp("davis")
    for name in ("JPEGImages", "Annotations"):
        (folder / name / "walk").mkdir(parents=True)
    for i, (frame, truth) in enumerate(zip(scene.frames, scene.truth, strict=True)):
        Image.fromarray(frame).save(folder / "JPEGImages" / "walk" / f"{i:05d}.jpg", quality=95)
        Image.fromarray(truth).save(folder / "Annotations" / "walk" / f"{i:05d}.png")
    return folder


def line_of(output: str, name: str) -> list[str]:
    """The words after the name of a row."""
    (line,) = [line for line in output.splitlines() if line.split()[:1] == [name]]
    return line.split()[1:]


def test_network_in_a_loop_enlarged_with_pictures(root: Path, tmp_path: Path) -> None:
    result = vcut(
        "evaluate", root, "--size", 96, "--frames", 150, "--enlarge", 264, "--per-object",
        "--pictures", tmp_path / "sheets", "--json", tmp_path / "scores.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "scores.json").read_text())
    assert (found["frames"], found["enlarge"], found["size"]) == (150, 264, 96)
    (walk,) = found["sequences"]
    assert (walk["frames"], walk["scored"]) == (150, 148)
    assert found["mean"]["J"] > 0.6, "small as the network sees it, it still follows"
    for entry in walk["per_object"]:
        words = line_of(result.stdout, f"walk:{entry['id']}")
        assert words[-2:] == [f"{entry['drift'][key]:.3f}" for key in ("J@100", "J@end")]
    assert line_of(result.stdout, "walk")[-3:-1] == [f"{walk['drift'][key]:.3f}" for key in ("J@100", "J@end")]
    with Image.open(tmp_path / "sheets" / "walk.png") as sheet:
        assert sheet.format == "PNG" and sheet.width > 3 * 320 and sheet.height > 2 * 240


def test_copied_mask_in_a_loop(root: Path, scene: Scene, tmp_path: Path) -> None:
    """The scene comes round every 18 frames: frames 88 to 112 do again 36 frames later."""
    options = ["--baseline", "copy", "--frames", 150, "--enlarge", 480, "--json", tmp_path / "scores.json"]
    assert vcut("evaluate", root, *options).exit_code == 0
    drift = json.loads((tmp_path / "scores.json").read_text())["mean"]["drift"]
    visits = [step % 18 if step % 18 < 10 else 18 - step % 18 for step in range(88, 113)]
    expected = np.mean([iou(scene.truth[v] == i, scene.truth[0] == i) for v in visits for i in (1, 3)])
    assert drift == {"J@100": pytest.approx(expected), "J@end": pytest.approx(expected)}


def test_without_options_nothing_of_them_shows(root: Path, tmp_path: Path) -> None:
    result = vcut("evaluate", root, "--baseline", "copy", "--json", tmp_path / "scores.json")
    assert result.exit_code == 0 and "J@" not in result.stdout and "walk:" not in result.stdout
    found = json.loads((tmp_path / "scores.json").read_text())
    assert not {"frames", "enlarge"} & set(found) and "drift" not in found["mean"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--frames", 149], "--frames 149 is too few to see a drift; give 150 or more"),
        (["--finetune-first", -1], "--finetune-first -1 is out of range; give 0 to 10000 steps"),
        (["--enlarge", 239], "--enlarge 239 is out of range for the frames of walk, 320 x 240; give 240 to 4320"),
    ],
)
def test_options_that_make_no_sense(root: Path, options: list[object], words: str) -> None:
    for baseline in ([], ["--baseline", "copy"]):
        result = vcut("evaluate", root, *options, *baseline)
        assert result.exit_code == OptionError.exit_code and result.stdout == ""
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith(f"error: {words}")


def test_each_sequence_has_a_network_tuned_on_its_own_first_frame(root: Path, tmp_path: Path) -> None:
    def scores(*options: object) -> dict:
        result = vcut("evaluate", root, "--size", 96, "--json", tmp_path / "scores.json", *options)
        assert result.exit_code == 0, result.output
        return json.loads((tmp_path / "scores.json").read_text())

    plain, tuned = scores(), scores("--finetune-first", 4)
    assert "finetune_first" not in plain and tuned["finetune_first"] == 4
    assert plain["roi"] is True
    assert tuned["mean"]["J"] != plain["mean"]["J"] and tuned["mean"]["J"] > 0.6


def test_labels_of_the_network_alone_score_otherwise(root: Path, tmp_path: Path) -> None:
    found = []
    for options in ([], ["--no-refine"]):
        result = vcut("evaluate", root, "--size", 96, "--json", tmp_path / "scores.json", *options)
        assert result.exit_code == 0, result.output
        found.append(json.loads((tmp_path / "scores.json").read_text()))
    refined, plain = found
    assert (refined["refine"], plain["refine"]) == (True, False)
    assert refined["mean"]["J"] > plain["mean"]["J"] > 0.6


def test_rgmp_at_several_scales_by_its_own_rule(root: Path, tmp_path: Path) -> None:
    sizes = {"trunk": "resnet18", "channels": 16, "widths": (16, 16)}
    save_weights(tmp_path / "rgmp.safetensors", build_model("rgmp", sizes), extra={"trained": "yes"})
    common = ["evaluate", root, "--weights", tmp_path / "rgmp.safetensors", "--size", 96]
    options = ["--aggregation", "union", "--scales", "0.5,1", "--json", tmp_path / "scores.json"]
    result = vcut(*common, *options)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "scores.json").read_text())
    assert (found["aggregation"], found["scales"]) == ("union", [0.5, 1.0])
    for wrong, words in ((["--scales", "big"], "are not scales"), (["--aggregation", "big"], "known ones: product")):
        result = vcut(*common, *wrong)
        assert result.exit_code == OptionError.exit_code and words in result.stderr


def test_pictures_where_a_file_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    result = vcut("evaluate", root, "--baseline", "copy", "--pictures", tmp_path / "taken")
    assert result.exit_code == OutputError.exit_code and "cannot make the folder" in result.stderr
    assert result.stdout == "" and (tmp_path / "taken").read_text() == "x"

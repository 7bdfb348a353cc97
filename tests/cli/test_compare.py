"""``vcut evaluate`` with several networks, and with transfer errors: trained weights on small clips of known truth."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tools import ROOT, Scene, vcut

from vcut.bench.system import name_of
from vcut.errors import ComparisonError, InputError, OptionError, WeightsError
from vcut.memory import peak_bytes
from vcut.weights import load_manifest, load_model

SMALL = ("--size", "64", "--device", "cpu")
SCORES = ("J&F", "J", "J-recall", "J-decay", "F", "F-recall", "F-decay")


@pytest.fixture(scope="module")
def root(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene's 10 frames, 72 x 96, in DAVIS layout: ``both`` objects, and the rabbit alone in ``one``."""
    folder = tmp_path_factory.mktemp("davis")
    for name, ids in {"both": (1, 3), "one": (1,)}.items():
        for part in ("JPEGImages", "Annotations"):
            (folder / part / name).mkdir(parents=True)
        for i, (frame, truth) in enumerate(zip(scene.frames, scene.truth, strict=True)):
            labels = Image.fromarray(np.where(np.isin(truth, ids), truth, 0).astype(np.uint8))
            small = Image.fromarray(frame).resize((96, 72), Image.Resampling.BOX)
            small.save(folder / "JPEGImages" / name / f"{i:05d}.jpg", quality=95)
            labels.resize((96, 72), Image.Resampling.NEAREST).save(folder / "Annotations" / name / f"{i:05d}.png")
    return folder


@dataclass(frozen=True)
class Compared:
    """What one comparison printed and wrote."""

    table: dict[str, dict[str, str]]
    report: dict[str, Any]
    networks: dict[str, dict[str, Any]]
    markdown: str
    plot: str


def table_of(text: str, columns: list[str]) -> dict[str, dict[str, str]]:
    """The rows of a printed table by their first cells; cells have no spaces but before the M of millions."""
    lines = [line.replace(" M ", "M ").split() for line in f"{text} ".replace("\n", " \n").splitlines() if line.strip()]
    start = lines.index(" ".join(columns).split())
    rows = [line for line in lines[start + 1 :] if len(line) == len(columns)]
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


@pytest.fixture(scope="module")
def compared(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """All networks of the manifest, once for all tests."""
    out = tmp_path_factory.mktemp("out")
    files = {"--json": out / "c.json", "--markdown": out / "c.md", "--plot": out / "c.svg"}
    result = vcut("evaluate", root, "--model", "all", *SMALL, *(part for pair in files.items() for part in pair))
    assert result.exit_code == 0, result.output
    report = json.loads((out / "c.json").read_text())
    columns = ["network", *SCORES, "fps", "peak-MB", "parameters"]
    table = table_of(result.stdout.replace("peak MB", "peak-MB"), columns)
    networks = {network["name"]: network for network in report["networks"]}
    return Compared(table, report, networks, (out / "c.md").read_text(), (out / "c.svg").read_text())


def test_a_row_for_each_network_of_the_manifest_and_one_for_the_copied_mask(compared: Compared) -> None:
    names = [*load_manifest(), "copy"]
    assert list(compared.table) == list(compared.networks) == names
    assert not any(network["error"] for network in compared.networks.values())
    copied = compared.networks["copy"]["mean"]["J&F"]
    assert all(compared.networks[name]["mean"]["J&F"] > copied for name in ("gam", "gam-s"))


def test_table_json_and_markdown_agree(compared: Compared) -> None:
    lines = [line.strip("| ").split(" | ") for line in compared.markdown.splitlines() if line.startswith("| ")]
    assert lines[0] == ["network", *SCORES, "fps", "peak MB", "parameters"]
    for line, (name, network) in zip(lines[1:], compared.networks.items(), strict=True):
        cells = [f"{network['mean'][score]:.3f}" for score in SCORES]
        cells += [f"{network['fps']:.2f}", f"{network['peak_bytes'] / 1e6:.0f}"]
        assert line == [name, *cells, f"{network['parameters'] / 1e6:.2f} M"]
        assert [cell.replace(" M", "M") for cell in line] == list(compared.table[name].values())


def test_the_hardware_is_named_as_bench_names_it(compared: Compared) -> None:
    system = compared.report["system"]
    assert {"processor", "cores", "threads", "memory_bytes", "gpu", "runtime", "torch", "vcut"} <= set(system)
    assert system["runtime"].startswith("cpu") and name_of(system) in compared.markdown
    assert compared.report["settings"] == {
        "data": compared.report["settings"]["data"], "sequences": 2, "size": 64, "aggregation": "product",
    }  # fmt: skip


def test_the_plot_has_each_point_where_its_figures_say(compared: Compared) -> None:
    """In pixels x goes with the logarithm of frames a second, y with J&F, as two points fix it for all others."""
    points = {}
    for name in load_manifest():
        group = compared.plot.partition(f'id="point-{name}"')[2].partition("</g>\n   </g>")[0]
        points[name] = tuple(float(value) for value in re.findall(r'<use [^>]*?x="([\d.]+)" y="([\d.]+)"', group)[0])
        assert re.search(rf">{re.escape(name)}</text>", compared.plot)
    assert re.search(r">copy</text>", compared.plot) and 'id="point-copy"' in compared.plot
    figures = {
        name: (math.log(compared.networks[name]["fps"]), compared.networks[name]["mean"]["J&F"]) for name in points
    }
    for axis in (0, 1):
        low, *others, high = sorted(points, key=lambda name, axis=axis: figures[name][axis])
        scale = (points[high][axis] - points[low][axis]) / (figures[high][axis] - figures[low][axis])
        assert scale > 0 if axis == 0 else scale < 0
        for name in others:
            expected = points[low][axis] + scale * (figures[name][axis] - figures[low][axis])
            assert points[name][axis] == pytest.approx(expected, abs=0.5)


def test_scores_are_those_of_a_run_of_its_own(compared: Compared, root: Path, tmp_path: Path) -> None:
    for name, options in {"gam-s": ["--weights", "gam-s"], "copy": ["--baseline", "copy"]}.items():
        result = vcut("evaluate", root, *options, *SMALL, "--json", tmp_path / "own.json")
        assert result.exit_code == 0, result.output
        own = json.loads((tmp_path / "own.json").read_text())
        assert compared.networks[name]["mean"] == pytest.approx(own["mean"], abs=0.01)
        assert [s["name"] for s in compared.networks[name]["sequences"]] == [s["name"] for s in own["sequences"]]


def test_memory_is_of_each_network_alone_and_parameters_are_its_own(compared: Compared) -> None:
    """Copying takes no network, and no torch, though this process has it."""
    peaks = {name: network["peak_bytes"] for name, network in compared.networks.items()}
    copied = peaks.pop("copy")
    assert 5e6 < copied < 0.7 * min(peaks.values()) and copied < peak_bytes("cpu")
    assert compared.networks["copy"]["parameters"] == 0
    expected = sum(parameter.numel() for parameter in load_model("gam-s").parameters())
    assert compared.networks["gam-s"]["parameters"] == expected


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vcut as it is, with the weights of ``gam-s`` and, in its manifest only, those of ``gam``."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "vcut", folder / "vcut", ignore=shutil.ignore_patterns("__pycache__", "_weights"))
    (folder / "weights").mkdir()
    manifest = json.loads((ROOT / "weights" / "manifest.json").read_text())
    manifest["weights"] = [row for row in manifest["weights"] if row["name"] in ("gam", "gam-s")]
    (folder / "weights" / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(ROOT / "weights" / "gam-s.safetensors", folder / "weights")
    return folder


def test_a_network_that_fails_is_named_and_the_others_go_on(root: Path, broken: Path, tmp_path: Path) -> None:
    """Here with transfer errors, whose columns are the distances."""
    options = ["--model", "gam,gam-s", "--transfer", "--distances", "2,6", "--key-every", "2", *SMALL]
    files = ["--json", tmp_path / "c.json", "--markdown", tmp_path / "c.md"]
    done = subprocess.run(
        [sys.executable, "-m", "vcut", "evaluate", root, *options, *files],
        cwd=broken, env={**os.environ, "PYTHONPATH": str(broken)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == ComparisonError.exit_code == 1, done.stderr
    reason = f"cannot read weights {broken}/weights/gam.safetensors (No such file or directory); install"
    assert f"error: gam: {reason}" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: 1 of 3 could not be scored (gam)")
    report = json.loads((tmp_path / "c.json").read_text())
    gam, gam_s, copied = report["networks"]
    assert gam.keys() == {"name", "error"} and gam["error"].startswith(reason)
    assert (gam_s["error"], copied["error"]) == (None, None)
    assert gam_s["mean"]["d=6"] < copied["mean"]["d=6"]
    table = table_of(
        done.stdout.replace("peak MB", "peak-MB"), ["network", "d=2", "d=6", "fps", "peak-MB", "parameters"]
    )
    assert set(table["gam"].values()) == {"gam", "-"}
    for network in (gam_s, copied):
        assert table[network["name"]]["d=6"] == f"{network['mean']['d=6']:.2f}"
    assert "gam could not be scored: cannot read weights" in (tmp_path / "c.md").read_text()


def test_transfer_errors_of_a_network_and_of_the_copied_mask(root: Path, scene: Scene, tmp_path: Path) -> None:
    """The copied mask's error is worked out from the annotations."""
    means = {}
    for name, options in {"network": [], "copy": ["--baseline", "copy"]}.items():
        result = vcut(
            "evaluate", root, "--transfer", "--distances", "2,6", "--key-every", "2", *SMALL, *options,
            "--json", tmp_path / "t.json",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        found = json.loads((tmp_path / "t.json").read_text())
        means[name] = found["mean"]
        cells = [f"{found['mean'][key]:.2f}" for key in ("d=2", "d=6")]
        assert [line.split()[5:7] for line in result.stdout.splitlines() if "mean over" in line] == [cells]
    truth = {
        name: [np.array(Image.open(path)) for path in sorted((root / "Annotations" / name).iterdir())]
        for name in ("both", "one")
    }
    for distance in (2, 6):
        errors = [
            np.mean([(t[k] != t[k + distance]).sum() / (t[k + distance] > 0).sum() for k in (0, 2)])
            for t in truth.values()
        ]
        assert means["copy"][f"d={distance}"] == pytest.approx(100 * np.mean(errors))
        assert means["network"][f"d={distance}"] < means["copy"][f"d={distance}"]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (["--model", "gc,nosuch"], WeightsError, "unknown weights 'nosuch'; known names: gam, gam-s, gc"),
        (["--model", "gam", "--weights", "gc"], OptionError, "--model and --weights do not go together"),
        (["--model", ","], OptionError, "--model ',' names no network"),
        (["--model", "gam", "--plot", "c.pdf"], OptionError, "c.pdf is neither an SVG nor a PNG"),
        (["--model", "gam", "--aggregation", "big"], OptionError, "unknown --aggregation 'big'"),
        (["--model", "gam", "--per-object"], OptionError, "--model and --per-object do not go together"),
        (["--model", "gam", "--transfer", "--plot", "c.svg"], OptionError, "--transfer and --plot do not go together"),
        (["--model", "gam", "--transfer"], InputError, "sequence both has 10 frames, too few to carry a mask 32"),
        (["--plot", "c.svg"], OptionError, "--plot is for --model"),
        (["--markdown", "c.md"], OptionError, "--markdown is for --model"),
        (["--distances", "8"], OptionError, "--distances is for --transfer"),
        (["--transfer", "--frames", 200], OptionError, "--transfer and --frames do not go together"),
        (["--transfer", "--distances", "8,a"], OptionError, "--distances '8,a' are not numbers of frames"),
        (["--transfer"], InputError, "sequence both has 10 frames, too few to carry a mask 32 frames forward"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_run(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[object], kind: type, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = vcut("evaluate", root, *options, "--json", tmp_path / "c.json")
    assert result.exit_code == kind.exit_code and result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"error: {words}") and list(tmp_path.iterdir()) == []


def test_options_apply_to_all_and_a_plot_may_be_a_png(root: Path, tmp_path: Path) -> None:
    options = ["--frames", 150, "--enlarge", 80, "--pictures", tmp_path / "sheets", "--plot", tmp_path / "c.png"]
    result = vcut("evaluate", root, "--model", "gam-s", *SMALL, *options, "--json", tmp_path / "c.json")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "c.json").read_text())
    assert report["settings"]["frames"] == 150 and report["settings"]["enlarge"] == 80
    for network in report["networks"]:
        assert set(network["mean"]["drift"]) == {"J@100", "J@end"}
        assert {sequence["frames"] for sequence in network["sequences"]} == {150}
        names = {path.name for path in (tmp_path / "sheets" / network["name"]).iterdir()}
        assert names == {"both.png", "one.png"}
    with Image.open(tmp_path / "c.png") as plot:
        assert plot.format == "PNG" and plot.width > 800 and len(plot.convert("RGB").getcolors(10**6)) > 10


@pytest.mark.parametrize("option", ["--weights", "--model"])
def test_segment_takes_weights_by_either_name(scene: Scene, tmp_path: Path, option: str) -> None:
    result = vcut(
        "segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "out", "-f", "labels", "--end", 3, *SMALL,
        option, "gc", "--report", tmp_path / "r.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["model"]["architecture"] == "gc" and found["options"]["weights"] == "gc"


def test_batch_takes_model_for_all_clips(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    shutil.copy(scene.clip, tmp_path / "shots" / "a.mp4")
    shutil.copy(scene.mask, tmp_path / "shots" / "a.png")
    assert vcut("batch", tmp_path / "shots", "--model", "gc", "--dry-run").exit_code == 0
    result = vcut("batch", tmp_path / "shots", "--model", "nosuch", "--dry-run")
    assert result.exit_code == WeightsError.exit_code and "unknown weights 'nosuch'" in result.stderr

"""``vcut weights`` over a bundled folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from vcut.cli.weights import app
from vcut.errors import OptionError, OutputError, WeightsError
from vcut.models.registry import build_model
from vcut.weights.digest import check_file
from vcut.weights.file import load_file, read_header, save_weights
from vcut.weights.manifest import load_manifest


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is broken by a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "300")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def row(result: Result, name: str) -> str:
    return next(line for line in result.stdout.splitlines() if name in line)


@pytest.mark.parametrize("command", ["list", "show", "verify", "pull", "convert", "average", "publish"])
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0 and "Usage:" in result.stdout


def test_list_shows_what_there_is_and_the_state_of_each_file(bundled: Path) -> None:
    path = bundled / "other.safetensors"
    megabytes = f"{path.stat().st_size / 1e6:.1f}"
    result = run("list")
    assert result.exit_code == 0
    for part in ("(default)", "gam-s", megabytes, "fp16", "0.625", "present"):
        assert part in row(result, "gam-s (default)")
    assert "present" in row(result, "other")
    path.write_bytes(b"short")
    assert "wrong size" in row(run("list"), "other")
    path.unlink()
    assert "missing" in row(run("list"), "other")


def test_show_prints_row_header_and_card(bundled: Path) -> None:
    result = run("show", "gam-s")
    assert result.exit_code == 0
    assert "not trained [at all]" in row(result, "recipe")
    assert "J&F 0.625" in row(result, "scores (dev)")
    assert "value_channels 16" in row(result, "config")
    assert "yes" in row(result, "│ trained ")
    assert "Card of gam-s" in result.stdout
    assert "Card" not in run("show", "other").stdout


def test_show_of_an_unknown_name_lists_the_known_ones(bundled: Path) -> None:
    error = run("show", "nothing").exception
    assert isinstance(error, WeightsError)
    assert "known names: gam-s, other" in str(error)


def test_verify_says_each_good_file(bundled: Path) -> None:
    result = run("verify")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "gam-s: ok\nother: ok\n", "")
    assert run("verify", "other").stdout == "other: ok\n"


def test_verify_exits_with_5_and_a_line_for_each_bad_file(bundled: Path) -> None:
    data = bytearray((bundled / "gam-s.safetensors").read_bytes())
    data[-100] ^= 1
    (bundled / "gam-s.safetensors").write_bytes(data)
    result = run("verify")
    assert result.exit_code == 5
    assert result.stdout == "other: ok\n"
    assert len(result.stderr.splitlines()) == 1 and "gam-s" in result.stderr and "damaged" in result.stderr
    (bundled / "other.safetensors").unlink()
    result = run("verify", "gam-s", "other")
    assert result.exit_code == 5
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["gam-s", "other"]


def test_pull_of_a_name_prints_its_path_or_copies_it(bundled: Path, tmp_path: Path) -> None:
    assert run("pull", "gam-s").stdout.strip() == str(bundled / "gam-s.safetensors")
    copy = tmp_path / "out" / "gam-s.safetensors"
    assert run("pull", "gam-s", "--output", str(copy.parent)).stdout.strip() == str(copy)
    assert copy.read_bytes() == (bundled / "gam-s.safetensors").read_bytes()
    assert list(copy.parent.iterdir()) == [copy]


def test_convert_writes_a_named_model_as_int8_and_back(bundled: Path, tmp_path: Path) -> None:
    small, back = tmp_path / "small.safetensors", tmp_path / "back.safetensors"
    result = run("convert", "gam-s", str(small), "--store", "int8")
    assert result.exit_code == 0 and f"{small}: int8, " in result.stdout
    assert small.stat().st_size < 0.6 * (bundled / "gam-s.safetensors").stat().st_size
    assert run("convert", str(small), str(back), "--store", "fp16").exit_code == 0
    assert [read_header(path)["store"] for path in (small, back)] == ["int8", "fp16"]


def test_convert_refuses_what_makes_no_sense(bundled: Path, weights_file: Path, tmp_path: Path) -> None:
    target, before = tmp_path / "new.safetensors", weights_file.read_bytes()
    refused = [
        (("other", str(target), "--store", "fp16"), OptionError, "stored as fp16 already"),
        (("other", str(target), "--store", "int4"), OptionError, "known ones: fp16, int8"),
        (("other", str(weights_file), "--store", "int8"), OutputError, "exists already"),
        ((str(weights_file), str(weights_file), "--store", "int8"), OutputError, "exists already"),
        (("nothing", str(target), "--store", "int8"), WeightsError, "unknown weights 'nothing'"),
    ]
    for arguments, kind, says in refused:
        error = run("convert", *arguments).exception
        assert isinstance(error, kind) and says in str(error)
    assert not target.exists() and weights_file.read_bytes() == before


def test_the_mean_of_two_files_lies_between_them(bundled: Path, tmp_path: Path) -> None:
    first = load_file(bundled / "gam-s.safetensors")
    second = load_file(bundled / "gam-s.safetensors")
    with torch.no_grad():
        for weight in second.parameters():
            weight += 1
    save_weights(tmp_path / "second.safetensors", second, extra={"trained": "yes"})
    for more, moved in (((), 0.5), (("--shares", "1,3"), 0.75)):
        out = tmp_path / f"mean-{moved}.safetensors"
        result = run("average", "gam-s", str(tmp_path / "second.safetensors"), "-o", str(out), *more)
        assert result.exit_code == 0 and read_header(out)["trained"] == "yes", result.output
        for weight, mean in zip(first.parameters(), load_file(out).parameters(), strict=True):
            assert torch.allclose(mean, weight + moved, atol=3e-3)


def test_average_refuses_what_makes_no_sense(bundled: Path, weights_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.safetensors"
    save_weights(tmp_path / "raw.safetensors", load_file(weights_file), extra={"trained": "no"})
    save_weights(tmp_path / "wide.safetensors", build_model("gam-s", {"fine": 16}), extra={"trained": "yes"})
    refused = [
        (("gam-s",), OptionError, "one file has no mean"),
        (("gam-s", "gam-s", "--shares", "1"), OptionError, "as many shares"),
        (("gam-s", "gam-s", "--shares", "1,0"), OptionError, "as many shares"),
        (("gam-s", "gam-s", "--shares", "1,half"), OptionError, "are not numbers"),
        (("gam-s", "nothing"), WeightsError, "unknown weights 'nothing'"),
        (("gam-s", str(tmp_path / "wide.safetensors")), OptionError, "another network"),
        ((str(weights_file), str(tmp_path / "raw.safetensors")), OptionError, "not trained"),
    ]
    for arguments, kind, says in refused:
        error = run("average", *arguments, "-o", str(target)).exception
        assert isinstance(error, kind) and says in str(error), (arguments, error)
    assert not target.exists()
    assert isinstance(run("average", "gam-s", "gam-s", "-o", str(weights_file)).exception, OutputError)


def test_a_model_published_as_int8_is_listed_shown_verified_and_pulled(bundled: Path, weights_file: Path) -> None:
    small = bundled.parent / "small.safetensors"
    assert run("convert", str(weights_file), str(small), "--store", "int8").exit_code == 0
    result = run("publish", str(small), "tiny", "--recipe", "r", "--licence", "l", "--folder", str(bundled))
    path = bundled / "tiny.safetensors"
    assert result.exit_code == 0 and str(path) in result.stdout
    check_file(path, load_manifest()["tiny"], "")
    assert "int8" in row(run("list"), "tiny") and "fp16" in row(run("list"), "other")
    assert "int8" in row(run("show", "tiny"), "│ store ")
    assert run("verify", "tiny").stdout == "tiny: ok\n"
    assert run("pull", "tiny").stdout.strip() == str(path)

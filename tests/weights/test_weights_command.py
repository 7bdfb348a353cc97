"""``vcut weights`` over a bundled folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vcut.cli.weights import app
from vcut.errors import WeightsError


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is broken by a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "300")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def row(result: Result, name: str) -> str:
    return next(line for line in result.stdout.splitlines() if name in line)


@pytest.mark.parametrize("command", ["list", "show", "verify", "pull"])
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0 and "Usage:" in result.stdout


def test_list_shows_what_there_is_and_the_state_of_each_file(bundled: Path) -> None:
    path = bundled / "other.safetensors"
    megabytes = f"{path.stat().st_size / 1e6:.1f}"
    result = run("list")
    assert result.exit_code == 0
    for part in ("(default)", "gam-s", megabytes, "0.625", "present"):
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

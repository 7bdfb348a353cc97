"""Reading, checking and writing the manifest; where the bundled folder is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vcut.errors import OutputError, WeightsError
from vcut.weights import WeightsEntry, load_manifest, manifest
from vcut.weights.manifest import bundled_dir, read_manifest, write_entry

MakeEntry = Callable[..., WeightsEntry]


def test_entries_come_back_as_written_sorted_by_name(tmp_path: Path, weights_file: Path, make_entry: MakeEntry) -> None:
    first, second = make_entry(weights_file, name="b"), make_entry(weights_file, name="a")
    folder = tmp_path / "new"
    write_entry(folder, first)
    write_entry(folder, second)
    assert load_manifest(folder) == {"a": second, "b": first}
    assert list(load_manifest(folder)) == ["a", "b"]
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_an_entry_replaces_the_one_of_its_name(tmp_path: Path, weights_file: Path, make_entry: MakeEntry) -> None:
    write_entry(tmp_path, make_entry(weights_file, recipe="old"))
    write_entry(tmp_path, make_entry(weights_file, recipe="new"))
    assert [entry.recipe for entry in load_manifest(tmp_path).values()] == ["new"]


def test_fields_of_a_later_version_are_skipped(bundled: Path) -> None:
    content = json.loads((bundled / "manifest.json").read_text())
    content["weights"][0]["colour"] = "blue"
    (bundled / "manifest.json").write_text(json.dumps(content))
    assert list(load_manifest()) == ["gam-s", "other"]


BAD_FIELDS = [
    ("name", "a name", "letters"),
    ("file", "../gam-s.safetensors", "plain file name"),
    ("file", "sub/gam-s.safetensors", "plain file name"),
    ("sha256", "ABC", "64 lower-case hex"),
    ("size", 0, "not positive"),
    ("size", "12", '"size" of type int'),
    ("size", True, '"size" of type int'),
    ("architecture", None, '"architecture" of type str'),
    ("licence", 5, '"licence" of type str'),
    ("scores", [], '"scores" of type dict'),
    ("scores", {"dev": 3}, '"scores" are not numbers'),
    ("scores", {"dev": {"J": "good"}}, '"scores" are not numbers'),
    ("preprocessing", {"std": [1, 1, 1], "stride": 16}, '"mean" of three numbers'),
    ("preprocessing", {"mean": [0, 0, 0], "std": [1, 1], "stride": 16}, '"std" of three numbers'),
    ("preprocessing", {"mean": [0, 0, 0], "std": [1, 1, 1]}, '"stride"'),
]


@pytest.mark.parametrize(("field", "value", "says"), BAD_FIELDS)
def test_a_bad_field_is_told_in_one_line(bundled: Path, field: str, value: Any, says: str) -> None:
    path = bundled / "manifest.json"
    content = json.loads(path.read_text())
    content["weights"][1][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError) as caught:
        load_manifest()
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text and "row 1" in text and says in text


@pytest.mark.parametrize("field", ["name", "file", "sha256", "size", "recipe", "preprocessing"])
def test_a_missing_field_is_named(bundled: Path, field: str) -> None:
    path = bundled / "manifest.json"
    content = json.loads(path.read_text())
    del content["weights"][0][field]
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=f'row 0 .* has no "{field}"'):
        load_manifest()


def test_a_name_listed_twice_is_refused(bundled: Path) -> None:
    path = bundled / "manifest.json"
    content = json.loads(path.read_text())
    content["weights"].append(content["weights"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="'gam-s' is listed twice"):
        load_manifest()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": "vcut-manifest-1"}', '{"format": "vcut-manifest-1", "weights": [3]}', "\xff"],
)
def test_a_file_that_is_no_manifest_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WeightsError) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot read the manifest .*nowhere"):
        load_manifest(tmp_path / "nowhere")


def test_a_bad_entry_is_not_written(bundled: Path, weights_file: Path, make_entry: MakeEntry) -> None:
    before = (bundled / "manifest.json").read_bytes()
    with pytest.raises(WeightsError, match="cannot add 'mine'"):
        write_entry(bundled, make_entry(weights_file, size=-1))
    assert (bundled / "manifest.json").read_bytes() == before


def test_a_manifest_that_cannot_be_written_is_an_output_error(weights_file: Path, make_entry: MakeEntry) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_entry(weights_file, make_entry(weights_file))


def test_the_package_s_own_folder_goes_before_the_repository_s(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundled_dir() == bundled
    inside = bundled.parent / "vcut" / "_weights"
    inside.mkdir(parents=True)
    assert bundled_dir() == inside


def test_the_bundled_folder_of_this_vcut_lies_in_or_beside_the_package() -> None:
    package = Path(manifest.__file__).parents[1]
    assert bundled_dir() in (package / "_weights", package.parent / "weights")

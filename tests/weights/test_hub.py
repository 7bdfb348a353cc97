"""``hf://`` through the real huggingface_hub, against a Hub on loopback."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vcut.weights import WeightsEntry

if TYPE_CHECKING:
    from conftest import Child, LoopbackHub

OFFLINE = {"HF_HUB_OFFLINE": "1"}
MakeEntry = Callable[..., WeightsEntry]


@pytest.fixture
def listing(weights_file: Path, make_entry: MakeEntry) -> Callable[..., bytes]:
    """Makes a manifest of rows for ``weights_file`` under other names; keywords change every row."""

    def make(*names: str, **changes: object) -> bytes:
        rows = [make_entry(weights_file, name=name, file=f"{name}.safetensors", **changes) for name in names]
        content = {"format": "vcut-manifest-1", "weights": [dataclasses.asdict(row) for row in rows]}
        return json.dumps(content).encode()

    return make


def test_a_file_is_fetched_once_and_then_found_offline(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/cuts", {"deep/net.safetensors": weights_bytes})
    path = child.resolve("hf://ann/cuts/deep/net.safetensors")
    assert path.read_bytes() == weights_bytes
    asked = len(hub.requests)
    assert child.resolve("hf://ann/cuts/deep/net.safetensors", **OFFLINE) == path
    assert len(hub.requests) == asked


def test_without_a_file_the_manifest_names_it(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, listing: Callable[..., bytes]
) -> None:
    hub.push("ann/one", {"manifest.json": listing("only"), "only.safetensors": weights_bytes})
    path = child.resolve("hf://ann/one")
    assert (path.name, path.read_bytes()) == ("only.safetensors", weights_bytes)
    assert child.resolve("hf://ann/one", **OFFLINE) == path


def test_of_several_the_default_is_taken_or_one_has_to_be_named(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, listing: Callable[..., bytes]
) -> None:
    hub.push("ann/two", {"manifest.json": listing("aa", "gam-s"), "gam-s.safetensors": weights_bytes})
    assert child.resolve("hf://ann/two").name == "gam-s.safetensors"
    hub.push("ann/many", {"manifest.json": listing("aa", "bb"), "bb.safetensors": weights_bytes})
    assert "name one of: aa.safetensors, bb.safetensors" in child.error("hf://ann/many")
    assert child.resolve("hf://ann/many/bb.safetensors").name == "bb.safetensors"


def test_without_a_manifest_the_plain_file_is_taken(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/plain", {"model.safetensors": weights_bytes})
    path = child.resolve("hf://ann/plain")
    assert path.name == "model.safetensors"
    assert child.resolve("hf://ann/plain", **OFFLINE) == path


def test_a_revision_is_a_branch_a_tag_or_a_commit(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    other = weights_bytes[:-1] + b"\0"
    first = hub.push("ann/cuts", {"net.safetensors": weights_bytes}, "v1")
    hub.push("ann/cuts", {"net.safetensors": other})
    assert child.resolve("hf://ann/cuts/net.safetensors@v1").read_bytes() == weights_bytes
    assert child.resolve(f"hf://ann/cuts/net.safetensors@{first}").read_bytes() == weights_bytes
    assert child.resolve("hf://ann/cuts/net.safetensors").read_bytes() == other
    assert "no revision 'v9' in hf://ann/cuts" in child.error("hf://ann/cuts/net.safetensors@v9")


def test_the_file_comes_from_the_commit_of_the_manifest(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, listing: Callable[..., bytes]
) -> None:
    commit = hub.push("ann/one", {"manifest.json": listing("only"), "only.safetensors": weights_bytes})
    child.resolve("hf://ann/one")
    files = [request for request in hub.requests if request.endswith("only.safetensors")]
    assert files and all(f"/resolve/{commit}/" in request for request in files)


def test_missing_things_are_named(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/cuts", {"net.safetensors": weights_bytes})
    assert "no repository 'ann/nothing' on the Hub" in child.error("hf://ann/nothing")
    assert "no file 'no.safetensors' in hf://ann/cuts" in child.error("hf://ann/cuts/no.safetensors")
    assert "no file 'model.safetensors' in hf://ann/cuts" in child.error("hf://ann/cuts")


def test_a_gated_repository_says_where_to_ask(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/gated", {"model.safetensors": weights_bytes})
    hub.gated.add("ann/gated")
    assert f"accept its terms at {hub.endpoint}/ann/gated" in child.error("hf://ann/gated")


def test_a_name_the_hub_does_not_allow_is_told(child: Child) -> None:
    assert "bad weights 'hf://ann/double--dash'" in child.error("hf://ann/double--dash")


def test_offline_and_not_cached_is_told(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/cuts", {"net.safetensors": weights_bytes})
    text = child.error("hf://ann/cuts/net.safetensors", **OFFLINE)
    assert "hf://ann/cuts/net.safetensors is not in the cache" in text and "HF_HUB_OFFLINE is set" in text
    assert hub.requests == []


def test_a_cached_file_gone_bad_is_refused_and_fetched_anew_once_deleted(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, listing: Callable[..., bytes]
) -> None:
    hub.push("ann/one", {"manifest.json": listing("only"), "only.safetensors": weights_bytes})
    cached = child.resolve("hf://ann/one")
    blob = cached.resolve()
    damaged = bytearray(weights_bytes)
    damaged[-50] ^= 4
    blob.write_bytes(damaged)
    text = child.error("hf://ann/one")
    assert f"{blob} is damaged" in text and "delete that file and fetch hf://ann/one again" in text
    blob.unlink()
    assert child.resolve("hf://ann/one").read_bytes() == weights_bytes


def test_a_pushed_file_with_another_hash_is_refused(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, listing: Callable[..., bytes]
) -> None:
    hub.push("ann/bad", {"manifest.json": listing("only", sha256="0" * 64), "only.safetensors": weights_bytes})
    assert "its sha256 is not that of 'only'" in child.error("hf://ann/bad")
    assert "its sha256 is not that of 'only'" in child.error("hf://ann/bad/only.safetensors")


def test_a_bad_manifest_on_the_hub_is_told(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/bad", {"manifest.json": b"{}", "model.safetensors": weights_bytes})
    assert "bad manifest" in child.error("hf://ann/bad")


def test_a_dropped_connection_is_taken_up_again(hub: LoopbackHub, child: Child, weights_bytes: bytes) -> None:
    hub.push("ann/cuts", {"net.safetensors": weights_bytes})
    hub.cuts = [100_000]
    assert child.resolve("hf://ann/cuts/net.safetensors").read_bytes() == weights_bytes
    assert sum(request.startswith("GET") for request in hub.requests) == 2


def test_a_connection_that_stays_dropped_leaves_no_file_and_can_be_tried_again(
    hub: LoopbackHub, child: Child, weights_bytes: bytes
) -> None:
    hub.push("ann/cuts", {"net.safetensors": weights_bytes})
    hub.cuts = [100_000, 0, 0, 0, 0, 0]
    text = child.error("hf://ann/cuts/net.safetensors")
    assert "cannot download 'net.safetensors' of hf://ann/cuts/net.safetensors" in text
    assert hub.cuts == []
    assert "not in the cache" in child.error("hf://ann/cuts/net.safetensors", **OFFLINE)
    assert child.resolve("hf://ann/cuts/net.safetensors").read_bytes() == weights_bytes


def test_pull_copies_into_a_folder_and_never_over_another_file(
    hub: LoopbackHub, child: Child, weights_bytes: bytes, tmp_path: Path
) -> None:
    hub.push("ann/cuts", {"net.safetensors": weights_bytes})
    code = "from vcut.cli.weights import app\napp(sys.argv[1:], standalone_mode=False)"
    pull = ("pull", "hf://ann/cuts/net.safetensors", "-o", str(tmp_path / "here"))
    target = tmp_path / "here" / "net.safetensors"
    for _ in range(2):
        result = child.run(code, *pull)
        assert (result.returncode, result.stdout.strip()) == (0, str(target)), result.stderr
        assert target.read_bytes() == weights_bytes and not target.is_symlink()
    target.write_bytes(b"mine")
    result = child.run(code, *pull)
    assert result.returncode == 6 and "exists already and differs" in result.stderr
    assert target.read_bytes() == b"mine"

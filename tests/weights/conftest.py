"""Real weight files, a bundled folder as vcut ships it, and a Hub on loopback."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from torch import nn

import vcut
from vcut.models.registry import build_model
from vcut.weights import WeightsEntry, manifest
from vcut.weights.digest import sha256_of
from vcut.weights.file import save_weights
from vcut.weights.manifest import write_entry

SMALL = {"key_channels": 8, "value_channels": 16, "widths": [16, 16, 16], "fine": 8}
"""A gam-s of a few megabytes."""


@pytest.fixture(scope="session")
def model() -> nn.Module:
    """A small model of the real default architecture, not trained."""
    return build_model("gam-s", SMALL)


@pytest.fixture(scope="session")
def weights_bytes(model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weight file of ``model``, which says that it is trained."""
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    save_weights(path, model, extra={"trained": "yes"})
    return path.read_bytes()


@pytest.fixture
def weights_file(weights_bytes: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(weights_bytes)
    return path


@pytest.fixture
def make_entry() -> Callable[..., WeightsEntry]:
    """Makes the manifest row of a file; keywords replace fields."""

    def make(path: Path, **changes: object) -> WeightsEntry:
        values: dict[str, object] = {
            "name": path.stem,
            "file": path.name,
            "sha256": sha256_of(path),
            "size": path.stat().st_size,
            "architecture": "gam-s",
            "licence": "Made by a test; not for use.",
            "recipe": "not trained [at all]",
            "scores": {"dev": {"J&F": 0.625, "J": 0.6, "F": 0.65}},
            "preprocessing": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "stride": 16},
        }
        return WeightsEntry(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def bundled(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights_bytes: bytes,
    make_entry: Callable[..., WeightsEntry],
) -> Path:
    """A bundled folder with ``gam-s`` (and its card) and ``other``, in place of the one of this checkout."""
    root = tmp_path / "checkout"
    folder = root / "weights"
    folder.mkdir(parents=True)
    monkeypatch.setattr(manifest, "__file__", str(root / "vcut" / "weights" / "manifest.py"))
    for name in ("gam-s", "other"):
        path = folder / f"{name}.safetensors"
        path.write_bytes(weights_bytes)
        write_entry(folder, make_entry(path))
    (folder / "gam-s.md").write_text("# Card of gam-s\n\nSmall.\n")
    return folder


class Child:
    """Runs code in a fresh interpreter against a Hub: huggingface_hub reads its settings when it is imported."""

    def __init__(self, endpoint: str, home: Path) -> None:
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("HF_", "HUGGING")) and not key.lower().endswith("_proxy")
        }
        self.environment = {
            **clean,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(Path(vcut.__file__).parents[1]),
        }

    def run(self, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs ``code`` under a boundary like the command line's: one line on stderr, the error's exit code."""
        lines = [
            "import sys",
            "from vcut.errors import VcutError",
            "try:",
            *(f"    {line}" for line in code.splitlines()),
            "except VcutError as error:",
            "    print('ERROR', error, file=sys.stderr)",
            "    sys.exit(error.exit_code)",
        ]
        return subprocess.run(
            [sys.executable, "-c", "\n".join(lines), *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def resolve(self, spec: str, **environment: str) -> Path:
        """What ``resolve(spec)`` gives; fails the test on any error."""
        result = self._resolve(spec, environment)
        assert result.returncode == 0, result.stderr
        return Path(result.stdout.strip())

    def error(self, spec: str, **environment: str) -> str:
        """The text of the WeightsError that ``resolve(spec)`` raises, which must be the only one and of one line."""
        result = self._resolve(spec, environment)
        assert result.returncode == 5, result.stderr
        assert "Traceback" not in result.stderr
        last = result.stderr.splitlines()[-1]
        assert last.startswith("ERROR ")
        return last

    def _resolve(self, spec: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        code = "from vcut.weights import resolve\nprint(resolve(sys.argv[1]))"
        return self.run(code, spec, **environment)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as server:
        yield server


@pytest.fixture
def child(hub: LoopbackHub, tmp_path: Path) -> Child:
    """Talks to ``hub``, with an empty cache."""
    return Child(hub.endpoint, tmp_path / "hf-home")


class LoopbackHub:
    """The part of the Hub's HTTP that a download needs, over files in memory.

    ``push`` adds commits; ``cuts`` holds, for the next downloads of weights, after how many bytes the connection is
    dropped; ``gated`` names repositories that ask for a licence; ``requests`` lists what was asked.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.gated: set[str] = set()
        self.cuts: list[int] = []
        self.requests: list[str] = []

    def push(self, repo: str, files: dict[str, bytes], *refs: str) -> str:
        """A new commit on ``main`` (and ``refs``); returns its hash."""
        history = self.commits.setdefault(repo, {})
        commit = hashlib.sha1(f"{repo} {len(history)}".encode()).hexdigest()
        history[commit] = files
        for ref in ("main", *refs):
            self.refs.setdefault(repo, {})[ref] = commit
        return commit

    def __enter__(self) -> LoopbackHub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(hub: LoopbackHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path.partition("?")[0])
            repo, revision, file = (unquote(part) for part in match.groups()) if match else ("", "", "")
            if repo in hub.gated:
                return self._refuse(403, "GatedRepo")
            if repo not in hub.commits:
                return self._refuse(404, "RepoNotFound")
            commit = hub.refs[repo].get(revision, revision)
            if commit not in hub.commits[repo]:
                return self._refuse(404, "RevisionNotFound")
            if file not in hub.commits[repo][commit]:
                return self._refuse(404, "EntryNotFound", ("X-Repo-Commit", commit))
            return self._send(hub.commits[repo][commit][file], commit, with_body)

        def _refuse(self, status: int, code: str, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for key, value in (("X-Error-Code", code), ("Content-Length", "0"), *headers):
                self.send_header(key, value)
            self.end_headers()

        def _send(self, data: bytes, commit: str, with_body: bool) -> None:
            start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            body = data[int(start[1]) :] if start else data
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            self.send_response(206 if start else 200)
            headers = {
                "ETag": etag,
                "X-Linked-ETag": etag,
                "X-Linked-Size": str(len(data)),
                "X-Repo-Commit": commit,
                "Accept-Ranges": "bytes",
                "Content-Length": str(len(body)),
            }
            if start:
                headers["Content-Range"] = f"bytes {start[1]}-{len(data) - 1}/{len(data)}"
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                cut = self.path.endswith(".safetensors") and hub.cuts
                self.wfile.write(body[: hub.cuts.pop(0)] if cut else body)
                self.close_connection = True

    return Handler

"""Weights in a Hugging Face repository: ``hf://owner/repo[/file][@revision]``.

A repository laid out like our ``weights/`` folder has a manifest: it names the file when the user does not,
and knows its hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vcut import __version__
from vcut.errors import WeightsError
from vcut.weights import manifest
from vcut.weights.digest import check_file
from vcut.weights.manifest import WeightsEntry, read_manifest

PREFIX = "hf://"

_PLAIN_FILE = "model.safetensors"
"""The file of a repository without a manifest."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SPEC = re.compile(rf"hf://(?P<repo>{_PART}/{_PART})(?:/(?P<file>{_PART}(?:/{_PART})*))?(?:@(?P<revision>[^@\s]+))?")


@dataclass(frozen=True)
class HubSpec:
    """A file of a repository.

    Attributes:
        repo: ``owner/repo``.
        file: path inside it; ``None``: the one its manifest names.
        revision: branch, tag or commit; ``None``: the main branch.
    """

    repo: str
    file: str | None
    revision: str | None

    def __str__(self) -> str:
        file = f"/{self.file}" if self.file else ""
        return f"{PREFIX}{self.repo}{file}" + (f"@{self.revision}" if self.revision else "")


class _NotFound(WeightsError):
    """The repository has no such file."""


class _NotReached(WeightsError):
    """The Hub cannot be asked, and its cache does not hold the file."""


def parse(spec: str) -> HubSpec:
    """The parts of ``hf://owner/repo[/file][@revision]``.

    Raises:
        WeightsError: not of that form.
    """
    match = _SPEC.fullmatch(spec)
    if not match:
        raise WeightsError(f"bad weights '{spec}'", "write hf://owner/repo[/file][@revision]")
    return HubSpec(**match.groupdict())


def fetch(spec: HubSpec) -> Path:
    """The file in the Hub's cache: downloaded if need be, and checked if the repository's manifest lists it.

    Raises:
        WeightsError: the Hub cannot be reached and the file is not cached; no such repository, revision or
            file; a download that broke off; a hash that does not match.
    """
    reached, revision = True, spec.revision
    rows: dict[str, WeightsEntry] = {}
    try:
        listing = _download(spec, manifest.FILE_NAME, revision)
        rows = read_manifest(listing)
        # the file comes from the commit the manifest came from, whatever is pushed between the two downloads
        revision = listing.parent.name
    except _NotFound:
        pass
    except _NotReached:
        reached = False
    entry = _entry(spec, rows)
    file = entry.file if entry else spec.file or _PLAIN_FILE
    path = _download(spec, file, revision, cached_only=not reached)
    if entry:
        check_file(path, entry, f"delete that file and fetch {spec} again")
    return path


def _entry(spec: HubSpec, rows: dict[str, WeightsEntry]) -> WeightsEntry | None:
    """The manifest row of the file asked for; without a file the only row, or the default's."""
    if spec.file:
        return next((entry for entry in rows.values() if entry.file == spec.file), None)
    if len(rows) > 1 and manifest.DEFAULT not in rows:
        files = ", ".join(entry.file for entry in rows.values())
        raise WeightsError(f"{spec} holds several weight files", f"name one of: {files}")
    return rows.get(manifest.DEFAULT) or next(iter(rows.values()), None)


def _download(spec: HubSpec, file: str, revision: str | None, *, cached_only: bool = False) -> Path:
    """One file through huggingface_hub, its errors told in our words."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(
            hf_hub_download(
                spec.repo,
                file,
                revision=revision,
                local_files_only=cached_only,
                library_name="vcut",
                library_version=__version__,
            )
        )
    except LocalEntryNotFoundError as error:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the Hub cannot be reached"
        fix = "go online and fetch it once with 'vcut weights pull', or give a weight file"
        raise _NotReached(f"{spec} is not in the cache ('{file}') and {why}", fix) from error
    except EntryNotFoundError as error:
        raise _NotFound(f"no file '{file}' in {spec}", "check the file name") from error
    except GatedRepoError as error:
        fix = f"accept its terms at {constants.ENDPOINT}/{spec.repo} and log in with 'hf auth login'"
        raise WeightsError(f"{spec} is gated", fix) from error
    except RepositoryNotFoundError as error:
        fix = "check the name; for a private one log in with 'hf auth login'"
        raise WeightsError(f"no repository '{spec.repo}' on the Hub", fix) from error
    except RevisionNotFoundError as error:
        raise WeightsError(f"no revision '{revision}' in {PREFIX}{spec.repo}", "check the name") from error
    except HFValidationError as error:
        raise WeightsError(f"bad weights '{spec}' ({_line(error)})", "check the name") from error
    # the base of HfHubHTTPError is that of the HTTP library huggingface_hub happens to use
    except (OSError, *HfHubHTTPError.__bases__) as error:
        what = f"cannot download '{file}' of {spec} ({_line(error)})"
        raise WeightsError(what, "check network and disk, and try again") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

"""What a batch is to do: each clip with its options, or the reason why it cannot be cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vcut.batch.find import Found
from vcut.batch.storage import is_address
from vcut.errors import OptionError, VcutError
from vcut.options import SegmentOptions, read_options
from vcut.video.formats import default_output, resolve_outputs


@dataclass(frozen=True)
class Job:
    """One clip of a batch.

    Attributes:
        name: what it is called in tables and records; no two have the same.
        options: how to cut it; ``None`` when it cannot be.
        outputs: where the results go, before objects are split.
        problem: why it cannot be cut.
        again: whether a worker was at it before, and may have left something.
        chunk: frames after which it is handed on to the next worker; ``None`` to cut it in one go.
    """

    name: str
    options: SegmentOptions | None
    outputs: tuple[Path, ...] = ()
    problem: str | None = None
    again: bool = False
    chunk: int | None = None

    def going_on(self) -> Job:
        """The same clip for another worker, from where one has left off."""
        assert self.options is not None
        return replace(self, options=replace(self.options, resume=True), again=True)


def plan(found: Sequence[Found], out: Path, common: Mapping[str, Any]) -> list[Job]:
    """The jobs of a batch, in the order of the clips.

    Args:
        found: the clips.
        out: folder that the results go to, at the places that the clips have below theirs.
        common: fields of SegmentOptions for all clips; a clip's own options go first.
    """
    stems = Counter(_stem(clip) for clip in found)
    names = Counter(clip.name for clip in found)
    seen: Counter[str] = Counter()
    jobs = []
    for clip in found:
        seen[clip.name] += 1
        name = clip.name if names[clip.name] == 1 else f"{clip.name} ({seen[clip.name]})"
        jobs.append(_job(name, clip, out, common, alone=stems[_stem(clip)] == 1))
    return _without_clashes(jobs)


def _job(name: str, clip: Found, out: Path, common: Mapping[str, Any], alone: bool) -> Job:
    if clip.mask is None:
        stem = clip.clip.stem
        return Job(name, None, problem=f"no mask: put {stem}.png, {stem}_mask.png or masks/{stem}.png beside it")
    try:
        fields = {**common, **(_own(clip.options, common) if clip.options else {})}
        target = clip.output or _target(clip, out, fields, alone)
        options = SegmentOptions(input=clip.clip, mask=clip.mask, output=target, **fields)
        outputs = resolve_outputs(options.format, target, clip.clip, options.background is not None)
    except VcutError as error:
        return Job(name, None, problem=str(error))
    return Job(name, options, tuple(path for _, path in outputs))


def _own(values: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """A clip's own fields: only those that it names."""
    fields = read_options(values)
    if not {"edge", "grow", "shrink", "feather"} & values.keys():
        fields.pop("edges")
    if not {"start", "end"} & values.keys():
        fields.pop("span")
    return fields


def _target(clip: Found, out: Path, fields: Mapping[str, Any], alone: bool) -> Path:
    """Where a clip's result goes below ``out``; with several formats the beginning of their names."""
    place = out / (_stem(clip) if alone else clip.name)
    if Path(clip.name).is_absolute() or is_address(clip.name):
        place = out / clip.clip.name  # a list with absolute paths or addresses
    background = fields.get("background") is not None
    formats = resolve_outputs(fields.get("format"), None, place, background)
    if len(formats) > 1:
        return place
    # the name of the source decides, without its suffix where that is not needed to tell it apart
    named = place.with_name(place.name + ".clip")
    return default_output(named, formats[0][0])


def _stem(clip: Found) -> str:
    """A clip's name without its suffix, for results; folders have none."""
    path = Path(clip.name)
    return clip.name if clip.clip.is_dir() else path.with_suffix("").as_posix()


def _without_clashes(jobs: list[Job]) -> list[Job]:
    """The jobs, of which none writes where an earlier one does."""
    taken: dict[Path, str] = {}
    kept = []
    for job in jobs:
        clash = next((path for path in job.outputs if path.absolute() in taken), None)
        if clash is None:
            kept.append(job)
            taken |= {path.absolute(): job.name for path in job.outputs}
        else:
            first = taken[clash.absolute()]
            kept.append(Job(job.name, None, problem=f"its result {clash} is that of {first}, too"))
    return kept


def check_common(common: Mapping[str, Any]) -> None:
    """Raises OptionError for options that no batch can have."""
    if common.get("names"):
        raise OptionError("--names is of one clip", "put MASK.json beside each mask, or names into a list of clips")

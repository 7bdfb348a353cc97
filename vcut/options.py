"""What a run is asked to do: one place that checks, for the command line and the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vcut.engine.rules import DEFAULT_RULE, Rule, check_rule
from vcut.errors import OptionError
from vcut.matte.options import DEFAULT_EDGES, MatteOptions
from vcut.video.span import WHOLE, Span

MIN_SIZE = 64
MAX_SIZE = 4320
DEFAULT_SIZE = 480
MAX_FINETUNE = 10_000
MAX_SCALE = 2.0


@dataclass(frozen=True)
class SegmentOptions:
    """Options of ``vcut segment``.

    Attributes:
        input: a video file, a folder of pictures, or one picture.
        mask: mask of the first frame (see ``start``).
        output: file or folder to write, or the beginning of the names of several; told from ``input`` and ``format``
            when ``None``.
        format: a name in :mod:`vcut.video.formats`, or several with commas; told from ``output`` when ``None``.
        background: a colour, picture or video to put behind the objects, for the formats that show one.
        size: shorter side of the picture the model sees, pixels.
        device, dtype: see :func:`vcut.engine.runtime.choose_runtime`.
        weights: manifest name, file or ``hf://``; the default weights when ``None``.
        rate: frames per second of a folder of pictures.
        span: the frames that are cut; the mask is of the first of them.
        objects: ids of the objects to cut; ``None`` for all that the mask has. The others are background.
        split: an output for each object, instead of one for all.
        audio: keep the sound, where the format can hold it.
        deinterlace: make whole frames of an interlaced clip's (``True``), or take it as it is (``False``); ``None``
            refuses such a clip.
        tone_map: make ordinary video of an HDR clip; else it stays HDR.
        overwrite: replace an output that is there.
        edges: what the objects' edges are to look like.
        names: a JSON file of what objects are called, ``{"1": "dog"}``; the one beside the mask when ``None``.
        finetune: steps of fine-tuning the network on the first frame before it begins.
        aggregation: how objects share the pixels (:func:`vcut.engine.aggregate.combine`).
        roi: look at frames only where the objects are (:class:`vcut.engine.propagator.Propagator`).
        scales: of the frame, whose masks are averaged; for RGMP alone, its config's when ``None``.
        resume: go on with a run of this that was stopped, if there is one.
        report: a JSON file to write about the run.

    Raises:
        OptionError: a value that makes no sense.
    """

    input: Path
    mask: Path
    output: Path | None = None
    format: str | None = None
    size: int = DEFAULT_SIZE
    device: str = "auto"
    dtype: str = "auto"
    weights: str | None = None
    background: str | None = None
    rate: Fraction = Fraction(25)
    span: Span = WHOLE
    objects: tuple[int, ...] | None = None
    split: bool = False
    audio: bool = True
    deinterlace: bool | None = None
    tone_map: bool = False
    overwrite: bool = False
    edges: MatteOptions = DEFAULT_EDGES
    names: Path | None = None
    finetune: int = 0
    aggregation: Rule = DEFAULT_RULE
    scales: tuple[float, ...] | None = None
    roi: bool | None = None
    resume: bool = False
    report: Path | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        if str(self.input) == "-" and self.output is None:
            raise OptionError("a clip from a pipe has no name to go by", "say where the result goes with --output")
        if str(self.input) == "-" and self.resume:
            raise OptionError("a clip from a pipe cannot be gone on with", "leave --resume out")
        check_finetune(self.finetune)
        check_rule(self.aggregation)
        if str(self.input) == "-" and self.finetune:
            raise OptionError(
                "a clip from a pipe has no first frame to look at beforehand", "leave --finetune-first out"
            )
        if self.rate <= 0:
            raise OptionError(
                f"--rate {self.rate} is not a frame rate", "give frames per second, e.g. 25 or 30000/1001"
            )


_FLAGS = ("split_objects", "audio", "deinterlace", "tone_map", "overwrite", "roi")
_NUMBERS: dict[str, type] = {"size": int, "grow": float, "shrink": float, "feather": float, "finetune_first": int}
_TEXTS = (
    "aggregation",
    "background",
    "device",
    "dtype",
    "edge",
    "end",
    "format",
    "names",
    "objects",
    "rate",
    "scales",
    "start",
    "weights",
)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`SegmentOptions` from options as they are typed.

    Args:
        values: by the names of the command line, without dashes in front and with underlines between words
            (``split_objects``, ``audio``). Text is read as a list of clips has it, numbers and flags included;
            ``None`` is left out.

    Raises:
        OptionError: a name that is none, or a value that makes no sense.
    """
    given = {name: _typed(name, value) for name, value in values.items() if value is not None}
    grow, shrink = given.pop("grow", 0.0), given.pop("shrink", 0.0)
    if grow and shrink:
        raise OptionError("--grow and --shrink contradict each other", "give one of them")
    if min(grow, shrink) < 0:
        raise OptionError("--grow and --shrink are not negative", "the one is the other's opposite")
    fields: dict[str, Any] = {
        "edges": MatteOptions(given.pop("edge", "soft"), grow - shrink, given.pop("feather", 0.0)),
        "span": Span.parse(given.pop("start", None), given.pop("end", None)),
    }
    if "split_objects" in given:
        fields["split"] = given.pop("split_objects")
    if objects := given.pop("objects", None):
        fields["objects"] = parse_ids(objects)
    if "rate" in given:
        fields["rate"] = parse_rate(given.pop("rate"))
    if "finetune_first" in given:
        fields["finetune"] = given.pop("finetune_first")
    if "scales" in given:
        fields["scales"] = parse_scales(given.pop("scales"))
    if "names" in given:
        fields["names"] = Path(given.pop("names"))
    return fields | given


def _typed(name: str, value: Any) -> Any:
    if name in _FLAGS:
        flag = value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
        if flag is None:
            raise OptionError(f"{name} '{value}' is neither true nor false", "write true or false")
        return flag
    if name in _NUMBERS:
        try:
            return _NUMBERS[name](value)
        except ValueError:
            raise OptionError(f"{name} '{value}' is not a number", "write one, as 8") from None
    if name in _TEXTS:
        return str(value).strip()
    raise OptionError(f"there is no option '{name}'", f"known ones: {', '.join(sorted((*_FLAGS, *_NUMBERS, *_TEXTS)))}")


def check_size(size: int) -> None:
    """Raises OptionError when ``size`` cannot be the shorter side of what a model sees."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise OptionError(f"--size {size} is out of range", f"give {MIN_SIZE} to {MAX_SIZE} pixels")


def check_finetune(steps: int) -> None:
    """Raises OptionError when ``steps`` are none that a network is fine-tuned for."""
    if not 0 <= steps <= MAX_FINETUNE:
        raise OptionError(f"--finetune-first {steps} is out of range", f"give 0 to {MAX_FINETUNE} steps")


def parse_rate(text: str) -> Fraction:
    """``25``, ``29.97`` or ``30000/1001`` as an exact number."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"--rate '{text}' is not a number", "give frames per second, e.g. 25 or 30000/1001") from None


def parse_ids(text: str) -> tuple[int, ...]:
    """``1,3`` as object ids, each 1 to 255."""
    try:
        ids = tuple(int(part) for part in text.split(","))
    except ValueError:
        ids = ()
    if not ids or not all(0 < i < 256 for i in ids):
        raise OptionError(f"--objects '{text}' are not object numbers", "give numbers from 1 to 255, e.g. 1,3")
    return ids


def parse_scales(text: str) -> tuple[float, ...]:
    """``0.5,0.75,1`` as scales of the frame, each above 0 and at most :data:`MAX_SCALE`."""
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = (0.0,)
    if not all(0 < scale <= MAX_SCALE for scale in scales):
        raise OptionError(
            f"--scales '{text}' are not scales", f"give numbers above 0 and at most {MAX_SCALE:g}, e.g. 0.5,0.75,1"
        )
    return scales


def plain_options(options: SegmentOptions) -> dict[str, Any]:
    """Options as plain values."""

    def plain(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, tuple):
            return [plain(part) for part in value]
        return {k: plain(v) for k, v in vars(value).items()} if hasattr(value, "__dataclass_fields__") else str(value)

    return {name: plain(value) for name, value in vars(options).items()}

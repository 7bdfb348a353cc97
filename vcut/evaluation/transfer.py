"""Transfer error: how wrong a mask is that was carried a few frames forward, measured as on the JumpCut set.

What RGMP says (Oh et al., CVPR 2018, Table 4 and section 4.1), after JumpCut (Fan et al., ACM TOG 2015): key frames
0, 16, ..., 96 of a video are each propagated by the transfer distance d, which is 8, 16 and 32 frames; errors are
measured at the end of each propagation "as the ratio between wrongly classified area and the actual object area";
frames are rescaled to a shorter side of 480 pixels first (here ``--size``, which is 480 unless told otherwise).

What is inferred, as the paper does not say it:

* The ratio is in percent: Table 4 has figures such as 4.89, without a unit.
* The mask goes through all frames between, as RGMP carries it from each frame to the next. One run to the largest
  distance therefore gives the errors at the smaller ones, too.
* Wrongly classified are pixels of the object that are missing and pixels that are not of it, alike, so an error can be
  above 100.
* The mean is taken over the key frames of a sequence, then over sequences.
* Key frames go on past 96 where a sequence does. All distances are measured from the same ones: those after which the
  largest distance still lies in the sequence. A mean thus does not change with d for having other key frames.
* With several objects a pixel is wrong where its label is, and the area is that of all of them. Objects that the key
  frame does not show are background.
* A transfer is left out where no object of the key frame is in the truth (the ratio has no value), and a key frame
  where it has no object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from vcut.errors import InputError, OptionError
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.evaluate import Predictor, Stopwatch, at_size_of, predicted
from vcut.evaluation.transfer_report import Transfer, TransferReport, TransferScore
from vcut.masks.labels import object_ids


@dataclass(frozen=True)
class TransferOptions:
    """Where transfers begin and how far they go.

    Attributes:
        distances: in frames, ascending.
        every: frames from one key frame to the next.

    Raises:
        OptionError: a distance or ``every`` is less than 1, or there is no distance.
    """

    distances: tuple[int, ...] = (8, 16, 32)
    every: int = 16

    def __post_init__(self) -> None:
        if not self.distances or min(self.distances) < 1:
            given = ",".join(map(str, self.distances))
            raise OptionError(f"--distances '{given}' are not numbers of frames", "give for example 8,16,32")
        if self.every < 1:
            raise OptionError(f"--key-every {self.every} is no number of frames", "give 1 or more")


def parse_distances(text: str) -> tuple[int, ...]:
    """``8,16,32`` as numbers, ascending, each once. Raises OptionError."""
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise OptionError(f"--distances '{text}' are not numbers of frames", "give for example 8,16,32") from None


def transfer_error(labels: np.ndarray, truth: np.ndarray, ids: Collection[int]) -> float | None:
    """Wrongly labelled pixels, in percent of the pixels that the objects have in the truth.

    Args:
        labels: H x W uint8, the mask that was carried forward.
        truth: H x W uint8, the annotation.
        ids: the objects that were given; others in the truth are background.

    Returns:
        0 or more, 100 for an empty mask; ``None`` when the truth has none of the objects.
    """
    truth = np.where(np.isin(truth, list(ids)), truth, 0)
    area = np.count_nonzero(truth)
    return 100 * np.count_nonzero(labels != truth) / area if area else None


def check(sequences: Collection[Sequence], options: TransferOptions) -> None:
    """Finds out whether all can be measured; reads the annotations that it takes.

    Raises:
        InputError: there is no sequence, one is not annotated in every frame, is too short for the largest distance,
            or has no object for one of the distances; or an annotation cannot be read.
    """
    if not sequences:
        raise InputError("there is no sequence to evaluate")
    furthest = max(options.distances)
    for sequence in sequences:
        length = len(sequence.frames) - sequence.start
        if not sequence.dense:
            raise InputError(
                f"sequence {sequence.name} has annotations for {len(sequence.annotations)} of {length} frames",
                "transfers need every frame annotated; leave --transfer out, or take another split",
            )
        if length <= furthest:
            raise InputError(
                f"sequence {sequence.name} has {length} frames, too few to carry a mask {furthest} frames forward",
                "give smaller --distances",
            )
        parts = _parts(sequence, options).values()
        for distance in options.distances:
            if not any(np.isin(part.truth(distance), part.ids).any() for part in parts):
                raise InputError(
                    f"sequence {sequence.name} has no key frame with an object that is there {distance} frames later",
                    "leave the sequence out, or give other --distances",
                )


def measure_transfer(
    sequences: Iterable[Sequence],
    predict: Predictor,
    options: TransferOptions | None = None,
    on_sequence: Callable[[TransferScore], None] | None = None,
) -> TransferReport:
    """The transfer errors of a predictor; see the top of this module for what they are.

    Args:
        sequences: densely annotated ones, as :func:`~vcut.evaluation.dataset.find_sequences` found them or changed by
            :func:`~vcut.evaluation.enlarge.enlarged`.
        predict: the tracker. It is started anew at each key frame, with a sequence that begins there.
        options: JumpCut's distances and key frames when left out.
        on_sequence: called with the score of each sequence as soon as it is known.

    Raises:
        InputError: as :func:`check`, before anything is run.
        ValueError: the predictor yields too few maps, or maps of a wrong size.
    """
    sequences, options = list(sequences), options or TransferOptions()
    check(sequences, options)
    scores = []
    for sequence in sequences:
        scores.append(_measure_sequence(sequence, predict, options))
        if on_sequence is not None:
            on_sequence(scores[-1])
    return TransferReport(tuple(scores), options.distances, options.every)


def _measure_sequence(sequence: Sequence, predict: Predictor, options: TransferOptions) -> TransferScore:
    transfers, frames, clock = [], 0, Stopwatch()
    for key, part in _parts(sequence, options).items():
        for distance, labels in predicted(part, part.first(), predict, clock):
            frames += 1
            if distance in options.distances:
                truth = part.truth(distance)
                error = transfer_error(at_size_of(truth, labels), truth, part.ids)
                if error is not None:
                    transfers.append(Transfer(key, distance, error))
    return TransferScore(sequence.name, tuple(transfers), options.distances, frames, clock.seconds)


def _parts(sequence: Sequence, options: TransferOptions) -> dict[int, Sequence]:
    """By the index of each key frame with an object: the sequence from there to the largest distance."""
    furthest = max(options.distances)
    parts = {}
    for key in range(sequence.start, len(sequence.frames) - furthest, options.every):
        ids = object_ids(sequence.truth(key))
        if ids:
            annotations = {place: sequence.annotations[key + place] for place in range(furthest + 1)}
            frames = sequence.frames[key : key + furthest + 1]
            parts[key] = replace(sequence, frames=frames, annotations=annotations, ids=ids)
    return parts

"""What is to be measured on which sequences: J and F as DAVIS does, or transfer errors as on JumpCut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vcut.evaluation import evaluate, transfer
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.report import Report, SequenceScore
from vcut.evaluation.sheet import Sheets
from vcut.evaluation.transfer_report import TransferReport, TransferScore


@dataclass(frozen=True)
class Task:
    """The same for all that are compared.

    Attributes:
        sequences: to score on.
        transfer: measure transfer errors, these; ``None`` for J and F.
        pictures: a folder for contact sheets, J and F only.
    """

    sequences: list[Sequence]
    transfer: transfer.TransferOptions | None = None
    pictures: Path | None = None

    def check(self) -> None:
        """Raises InputError when the sequences are not fit for it, before anything is run."""
        if self.transfer:
            transfer.check(self.sequences, self.transfer)
        else:
            evaluate.check(self.sequences)

    def score(
        self, predict: evaluate.Predictor, on_sequence: Callable[[SequenceScore | TransferScore], None]
    ) -> Report | TransferReport:
        """Scores a predictor.

        Args:
            predict: the tracker.
            on_sequence: called with the score of each sequence as soon as it is known.

        Raises:
            InputError: as :meth:`check`, or a frame or annotation cannot be read.
            OutputError: a contact sheet cannot be written.
        """
        if self.transfer:
            return transfer.measure_transfer(self.sequences, predict, self.transfer, on_sequence)
        sheets = Sheets(self.pictures) if self.pictures is not None else None

        def scored(row: SequenceScore) -> None:
            on_sequence(row)
            if sheets is not None:
                sheets.write(row)

        return evaluate.evaluate(self.sequences, predict, scored, on_frame=sheets.add if sheets is not None else None)

"""Scores several networks on the same sequences, one after the other, each in a process of its own.

So the peak of memory is that network's alone (with Python and torch in it), and none finds caches or threads that
another one has left. Frames a second are as :mod:`vcut.evaluation.evaluate` counts them for one network: with the first
frames, in which libraries set themselves up, which weighs on very short sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from vcut.errors import VcutError
from vcut.evaluation.comparison import Row
from vcut.evaluation.report import SequenceScore
from vcut.evaluation.subject import Subject
from vcut.evaluation.task import Task
from vcut.evaluation.transfer_report import TransferScore
from vcut.fresh import call_fresh
from vcut.memory import peak_bytes

Tell = Callable[[SequenceScore | TransferScore], None]


def compare(
    subjects: Iterable[Subject],
    task: Task,
    threads: int,
    on_sequence: Callable[[Subject, SequenceScore | TransferScore], None] = lambda subject, score: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Scores each subject; one that fails is a row with its reason, and the others go on.

    Args:
        subjects: of one device, which is named (not ``auto``).
        task: what all of them are scored on. Contact sheets go to a folder each, by the subject's name.
        threads: that torch computes with.
        on_sequence: called with the score of each sequence as soon as it is known.
        on_row: called with each row as soon as it is known.
    """
    rows = []
    for subject in subjects:
        own = replace(task, pictures=task.pictures and task.pictures / subject.name)
        try:
            row = call_fresh(_score, subject, own, threads, hear=lambda score, who=subject: on_sequence(who, score))
        except VcutError as error:
            row = Row(subject.name, error=str(error))
        rows.append(row)
        on_row(row)
    return rows


def _score(subject: Subject, task: Task, threads: int, tell: Tell) -> Row:
    ready = subject.load()
    if not subject.baseline:
        import torch

        torch.set_num_threads(threads)
    report = task.score(ready.predict, tell)
    return Row(subject.name, report, ready.parameters, peak_bytes(subject.device), tuple(ready.notices()))

"""Errors a user can cause. Each says what went wrong, where, and what to do, in one line.

The command line turns every :class:`VcutError` into that one line on stderr and the exit code of its class; library
callers catch :class:`VcutError` or one of its children. Anything else that escapes is a bug of ours.
"""

from __future__ import annotations


class VcutError(Exception):
    """Root of every error a user can cause.

    Args:
        what: what went wrong, and where (name the file, the option, the frame).
        fix: what the user can do about it; left out when there is nothing to add.
    """

    exit_code = 1

    def __init__(self, what: str, fix: str | None = None) -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what}; {fix}" if fix else what)

    def __reduce__(self) -> tuple[type[VcutError], tuple[str, str | None]]:
        """Whole in another process, too."""
        return type(self), (self.what, self.fix)


class InputError(VcutError):
    """A source video, image folder or data set cannot be read."""

    exit_code = 3


class ResumeError(InputError):
    """What a stopped run left does not fit what is to be gone on with."""


class MaskError(VcutError):
    """A mask cannot be read, or does not fit its clip."""

    exit_code = 4


class WeightsError(VcutError):
    """Weights are missing, damaged, or of another architecture."""

    exit_code = 5


class OutputError(VcutError):
    """An output cannot be written, exists already, or cannot hold what is asked of it."""

    exit_code = 6


class DeviceError(VcutError):
    """A device or a number format is not there, or ran out of memory."""

    exit_code = 7


class OptionError(VcutError):
    """An option has a value that makes no sense."""

    exit_code = 2


class BatchError(VcutError):
    """Some clips of a batch could not be cut; the others were."""

    exit_code = 1


class ComparisonError(VcutError):
    """Some networks of a comparison could not be scored; the others were."""

    exit_code = 1


class PartialError(VcutError):
    """Work was done and kept, but part of the source could not be read."""

    exit_code = 8

"""A call in a process of its own, where nothing that ran before has left its memory, threads or caches."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from vcut.errors import VcutError

GRACE = 10.0
"""Seconds that a process gets to tidy up when it is stopped."""


def call_fresh(
    function: Callable[..., Any], *arguments: object, hear: Callable[[Any], None] = lambda said: None
) -> Any:
    """Calls a function in a new process and gives back what it returns; Ctrl-C stops it with its caller.

    Args:
        function: of a module, called with ``arguments`` and, as the last one, a function ``tell`` of one value, which
            sends that value to ``hear``. All of them, and what is returned, must be picklable.
        hear: called here with what is told, in order.

    Raises:
        VcutError: the function's own; or that it failed in another way, or that its process died.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        while True:
            try:
                kind, value = mine.recv()
            except (EOFError, OSError):
                process.join()
                raise VcutError(f"its process died ({cause_of_end(process.exitcode)})") from None
            if kind == "told":
                hear(value)
                continue
            process.join(GRACE)
            if kind == "raised":
                raise value
            return value
    finally:
        mine.close()
        _end(process)


def cause_of_end(code: int | None) -> str:
    """Why a process ended, in words."""
    if code is None or code >= 0:
        return f"exit code {code}"
    return "killed, perhaps for want of memory" if code == -9 else f"signal {-code}"


def inside(error: Exception) -> str:
    """An error that is no user's, in one line: a bug of ours, or of a library."""
    return f"an error inside vcut ({' '.join(f'{type(error).__name__}: {error}'.split())})"


def _end(process: SpawnProcess) -> None:
    if process.is_alive():
        process.terminate()
        process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


def _serve(pipe: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's affair, who then terminates this process
    signal.signal(signal.SIGTERM, stop)
    try:
        pipe.send(_answer(function, arguments, lambda said: pipe.send(("told", said))))
    except (KeyboardInterrupt, BrokenPipeError):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _answer(
    function: Callable[..., Any], arguments: tuple[object, ...], tell: Callable[[Any], None]
) -> tuple[str, Any]:
    try:
        return "returned", function(*arguments, tell)
    except VcutError as error:
        return "raised", error
    except BrokenPipeError:
        raise
    except Exception as error:
        return "raised", VcutError(inside(error))

"""A process that runs ``vcut`` commands one after the other, for tests in which one may hang or kill it.

It says ``ready`` when all is imported. Each line of standard input then is a JSON list: the arguments, and the folder
that the results go into. The answer is a line of JSON: exit code, what was written to both streams, what lies in the
folder and how many frames that has, and threads that are still there.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import av
from PIL import Image

import vcut.pipeline  # noqa: F401  # torch takes its time, which is none of the first command's
from vcut.cli import app


def command(arguments: list[str]) -> int:
    """The exit code of a command; a traceback where it ends in something else."""
    try:
        app(arguments)
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return -1
    return 0


def frames(out: Path) -> int:
    """How many frames a result has; all of it is decoded."""
    if out.is_dir():
        for file in out.iterdir():
            with Image.open(file) as picture:
                picture.load()
        return len(list(out.iterdir()))
    if out.suffix == ".jsonl":
        return len({json.loads(line)["frame"] for line in out.read_text().splitlines()})
    if out.suffix == ".webp":
        with Image.open(out) as picture:
            for index in range(picture.n_frames):
                picture.seek(index)
                picture.load()
            return picture.n_frames
    with av.open(str(out)) as container:
        return sum(1 for _ in container.decode(video=0))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        arguments, folder = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            before = os.dup(1), os.dup(2)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = command(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            for number, former in enumerate(before, 1):
                os.dup2(former, number)
                os.close(former)
            streams = []
            for stream in (out, err):
                stream.seek(0)
                streams.append(stream.read().decode(errors="replace"))
        found = {}
        for path in sorted(Path(folder).iterdir()):
            try:
                found[path.name] = frames(path)
            except Exception as error:
                found[path.name] = f"{type(error).__name__}: {error}"
        threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("vcut")]
        answer = {"code": code, "stdout": streams[0], "stderr": streams[1], "found": found, "threads": threads}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

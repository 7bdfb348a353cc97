"""The command line: ``vcut COMMAND``. One file a command; this one holds the app and its only error boundary.

Commands import what they need when they run, so that ``vcut --help`` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from vcut import __version__
from vcut.cli import console
from vcut.cli.ablate import ablate, plot
from vcut.cli.batch import batch
from vcut.cli.bench import bench
from vcut.cli.evaluate import evaluate
from vcut.cli.frame import frame
from vcut.cli.inspect import inspect
from vcut.cli.matte import matte_score
from vcut.cli.segment import segment
from vcut.cli.train import train
from vcut.cli.weights import app as weights
from vcut.errors import VcutError

STOPPED = 130
"""Exit code after Ctrl-C, as shells use."""


class Boundary(TyperGroup):
    """Turns every error that a user can cause into one line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:
        try:
            return super().invoke(ctx)
        except VcutError as error:
            console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            console.error("stopped")
            raise typer.Exit(STOPPED) from None


app = typer.Typer(
    name="vcut",
    cls=Boundary,
    help="Cut objects out of video: one mask of the first frame in, alpha video out, in flat memory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"vcut {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before any command."""


app.command()(segment)
app.command()(batch)
app.command()(bench)
app.command()(frame)
app.command()(evaluate)
app.command()(inspect)
app.command()(train)
app.command("matte-score")(matte_score)
app.command()(ablate)
app.command()(plot)
app.add_typer(weights, name="weights", help="List, show, check, fetch, convert and publish trained weights.")


def main() -> None:
    """Entry point of the ``vcut`` command."""
    app()

"""The command line: ``vcut COMMAND``. One file a command; this one holds the app and its only error boundary.

Commands import what they need when they run, so that ``vcut --help`` answers at once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

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
from vcut.cpu import let_idle_threads_sleep
from vcut.errors import OptionError, VcutError

STOPPED = 130
"""Exit code after Ctrl-C, as shells use."""


class Boundary(TyperGroup):
    """Turns every error that a user can cause into one line on stderr and an exit code."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple:
        name, command, rest = super().resolve_command(ctx, args)
        _need_values(command, rest)
        return name, command, rest

    def invoke(self, ctx: typer.Context) -> object:
        try:
            return super().invoke(ctx)
        except VcutError as error:
            console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            console.error("stopped")
            raise typer.Exit(STOPPED) from None


def _need_values(command: TyperCommand | TyperGroup, args: list[str]) -> None:
    """Refuses an option without its value: the parser would take the name of the next option for it."""
    if isinstance(command, TyperGroup):
        if args and args[0] in command.commands:
            _need_values(command.commands[args[0]], args[1:])
        return
    options = {name: x for x in command.params for name in (*x.opts, *x.secondary_opts) if isinstance(x, TyperOption)}
    for name, value in pairwise(args):
        if name == "--":
            return
        if name in options and not options[name].is_flag and value in options:
            raise OptionError(f"{name} lacks its value: {value} is an option", f"give it as '{name} VALUE'")


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
    let_idle_threads_sleep()
    app()

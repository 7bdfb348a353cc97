"""``vcut weights``: list, show, verify, pull, convert, average and publish weight files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from vcut.atomic import replacing
from vcut.errors import OptionError, OutputError, WeightsError
from vcut.weights import WeightsEntry, load_manifest, resolve
from vcut.weights.digest import check_file, sha256_of
from vcut.weights.file import read_header
from vcut.weights.manifest import DEFAULT, bundled_dir, find_entry

Store = Annotated[str, typer.Option("--store", help="fp16, or int8: half the size, a little less exact.")]

app = typer.Typer(help="List, show, verify, pull, convert, average and publish weight files.", no_args_is_help=True)


@app.command("list")
def list_weights() -> None:
    """List the weights that come with vcut."""
    table = Table("name", "architecture", "size (MB)", "stored", "dev J&F", "file")
    for entry in load_manifest().values():
        score = entry.scores.get("dev", {}).get("J&F")
        table.add_row(
            entry.name + (" (default)" if entry.name == DEFAULT else ""),
            entry.architecture,
            f"{entry.size / 1e6:.1f}",
            _stored(entry),
            "-" if score is None else f"{score:g}",
            _state(entry),
        )
    Console().print(table)


def _state(entry: WeightsEntry) -> str:
    """State of a bundled file by its size alone; ``verify`` hashes."""
    path = bundled_dir() / entry.file
    if not path.is_file():
        return "missing"
    return "present" if path.stat().st_size == entry.size else "wrong size"


def _stored(entry: WeightsEntry) -> str:
    """How a bundled file stores its tensors; ``-`` for one that cannot be read."""
    try:
        return read_header(bundled_dir() / entry.file)["store"]
    except WeightsError:
        return "-"


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name that 'vcut weights list' shows.")]) -> None:
    """Show all that is known of one weight file: manifest row, header, model card."""
    entry = find_entry(name)
    folder = bundled_dir()
    header = read_header(folder / entry.file)
    tensors = header.pop("tensors")
    facts = Table(show_header=False)
    rows = {
        "name": entry.name,
        "file": folder / entry.file,
        "size": f"{entry.size / 1e6:.1f} MB",
        "sha256": entry.sha256,
        "licence": entry.licence,
        "recipe": entry.recipe,
        "preprocessing": _listed(entry.preprocessing),
        **{f"scores ({data})": _listed(measures) for data, measures in entry.scores.items()},
        **header,
        "config": _listed(header["config"]),
        "tensors": len(tensors),
    }
    for key, value in rows.items():
        facts.add_row(key, Text(str(value)))  # as Text: no markup is read into a recipe's brackets
    console = Console()
    console.print(facts)
    card = folder / f"{entry.name}.md"
    if card.is_file():
        console.print(Markdown(card.read_text(encoding="utf-8")))


def _listed(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Names; left out: all.")] = None,
) -> None:
    """Hash weight files and compare with the manifest; exits with 5 when one is damaged or missing."""
    entries = [find_entry(name) for name in names] if names else list(load_manifest().values())
    bad = False
    for entry in entries:
        try:
            check_file(bundled_dir() / entry.file, entry, "install vcut-video again")
            typer.echo(f"{entry.name}: ok")
        except WeightsError as error:
            bad = True
            typer.echo(f"{entry.name}: {error}", err=True)
    if bad:
        raise typer.Exit(WeightsError.exit_code)


@app.command()
def pull(
    spec: Annotated[
        str, typer.Argument(help="hf://owner/repo or hf://owner/repo/file, with @revision if need be; or a name.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to copy the file to.", file_okay=False)
    ] = None,
) -> None:
    """Fetch a weight file into the Hub's cache, or a folder, and print its path."""
    path = resolve(spec)
    if output:
        target = output / path.name
        if not target.exists():
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
        elif sha256_of(target) != sha256_of(path):
            raise OutputError(f"{target} exists already and differs", "remove it, or choose another folder")
        path = target
    typer.echo(path)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Weights: a file, a name or hf://owner/repo.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The file to write.")],
    store: Store,
) -> None:
    """Write weights anew in the other way to store them, to score what that costs before they are published."""
    from vcut.weights.file import convert

    path = resolve(source)
    if target.exists():
        raise OutputError(f"{target} exists already", "remove it, or choose another name")
    convert(path, target, store)
    before, after = (file.stat().st_size / 1e6 for file in (path, target))
    typer.echo(f"{target}: {store}, {after:.1f} MB instead of {before:.1f}")


@app.command()
def average(
    sources: Annotated[list[str], typer.Argument(metavar="SRC...", help="Weights of one network: names or files.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DST", help="The file to write, as fp16.")],
    shares: Annotated[
        str | None, typer.Option("--shares", metavar="S,S,…", help="How much each counts; all the same if left out.")
    ] = None,
) -> None:
    """Write the mean of trained weights, such as a run's and those it began with."""
    from vcut.weights.average import average

    if output.exists():
        raise OutputError(f"{output} exists already", "remove it, or choose another name")
    average([resolve(source) for source in sources], output, _numbers(shares) if shares else None)
    typer.echo(f"{output}: the mean of {len(sources)} files")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"--shares '{text}' are not numbers", "for example --shares 0.3,0.7") from None


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="Trained weights, as 'vcut train' writes them.")],
    name: Annotated[str, typer.Argument(help="The name that --weights will take.")],
    recipe: Annotated[str, typer.Option(help="How they were trained, in a sentence.")],
    licence: Annotated[str, typer.Option(help="What they may be used for, in a sentence.")],
    folder: Annotated[Path, typer.Option(help="Folder of manifest.json.")] = Path("weights"),
    score: Annotated[
        list[str] | None, typer.Option(metavar="DATA=FILE", help="Scores that 'vcut evaluate --json' wrote.")
    ] = None,
) -> None:
    """Put trained weights into a weights folder, with their row in its manifest."""
    from vcut.weights import publish as room

    scores = {}
    for pair in score or []:
        data, equals, path = pair.partition("=")
        if not equals:
            raise OptionError(f"--score {pair} is not DATA=FILE", "for example --score dev=dev.json")
        scores[data] = Path(path)
    entry = room.publish(file, name, folder, scores, recipe, licence)
    typer.echo(f"{folder / entry.file}: {entry.size / 1e6:.1f} MB, sha256 {entry.sha256[:12]}")

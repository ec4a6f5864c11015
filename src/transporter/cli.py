"""`transporter ...`: the library for a person at a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
ConfigFiles = Annotated[
    list[str] | None,
    typer.Option("--configfile", help="Settings that the run was given; may be repeated."),
]


@app.callback()
def _app() -> None:
    """From the logits of a video vision-language model to videos."""


@app.command()
def config(
    path: Annotated[Path, typer.Argument(help="A file of settings.")] = Path("config/config.yaml"),
) -> None:
    """Check a file of settings and print it with all defaults filled in."""
    from transporter.pipeline.config import load_config

    typer.echo(yaml.safe_dump(load_config(path), sort_keys=False), nl=False)


@app.command()
def settings() -> None:
    """Print every key that a file of settings may hold, with its default and meaning, as a table in
    Markdown.
    """
    from transporter.pipeline.config import settings_table

    typer.echo(settings_table())


@app.command()
def snapshot(
    push: Annotated[bool, typer.Option(help="Also send the bytes to the DVC remote.")] = True,
    configfile: ConfigFiles = None,
) -> None:
    """Freeze the results of a finished run, for `restore` in another clone."""
    from transporter.pipeline import snapshot as freezing

    files = freezing.snapshot(Path.cwd(), push, configfile or ())
    typer.echo(f"snapshot ready; now `git add {' '.join(files)}` and commit")


@app.command()
def restore(
    pull: Annotated[
        bool, typer.Option(help="Fetch from the DVC remote; without it, only from the local cache.")
    ] = True,
) -> None:
    """Bring back the results that a snapshot froze."""
    from transporter.pipeline import snapshot as freezing

    freezing.restore(Path.cwd(), pull)
    typer.echo("restored; `snakemake -n` tells what is left to do")


def _pair(text: str, option: str, expected: str, separator: str) -> tuple[str, str]:
    first, found, second = text.partition(separator)
    if not found:
        raise UserError(f"{option}: expected {expected}, got {text!r}")
    return first, second


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{option}: expected a number, got {text!r}") from None


def _share(text: str, option: str) -> tuple[float, float]:
    first, last = (
        _number(part, option) for part in _pair(text, option, "FIRST:LAST such as 0.5:1", ":")
    )
    if not 0 <= first < last <= 1:
        raise UserError(f"{option}: expected 0 <= FIRST < LAST <= 1, got {text!r}")
    return first, last


@app.command()
def generate(
    caption: Annotated[str, typer.Argument(help="What the video shows.")],
    concept: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PHI: a concept of the bank and its strength; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The mp4 to write.")] = Path("video.mp4"),
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    steps: Annotated[
        str,
        typer.Option(help="FIRST:LAST, the share of the sampling steps in which the concepts act."),
    ] = "0:1",
    frames: Annotated[
        str, typer.Option(help="FIRST:LAST, the share of the latent frames in which they act.")
    ] = "0:1",
    generator: Annotated[
        str | None, typer.Option(help="Name in the settings; by default the first that runs.")
    ] = None,
    vlm: Annotated[
        str | None, typer.Option(help="Whose bank of concepts; by default the first that runs.")
    ] = None,
    configfile: Annotated[Path, typer.Option(help="The settings.")] = Path("config/config.yaml"),
) -> None:
    """Generate one video at chosen concept strengths, with the bank that a run has fitted."""
    strengths = {}
    for text in concept or []:
        name, value = _pair(text, "--concept", "NAME=PHI such as slowly_quickly=0.5", "=")
        strengths[name] = _number(value, "--concept")
    ranges = {"steps": _share(steps, "--steps"), "frames": _share(frames, "--frames")}

    from transporter.clips.video import write_video
    from transporter.concepts.bank import ConceptBank
    from transporter.generation.sweeps import generate
    from transporter.generators.base import Sampling
    from transporter.pipeline.config import load_config
    from transporter.pipeline.loading import load_generator

    settings = load_config(configfile)
    generator, vlm = (
        generator or settings["run"]["generators"][0],
        vlm or settings["run"]["vlms"][0],
    )
    chosen = _chosen(settings, "generators", generator, "--generator")
    bank = ConceptBank({})
    if strengths:
        bank = ConceptBank.load(Path("results/concepts", generator, vlm, "bank.safetensors"))
    model = load_generator(chosen)
    sampling = Sampling(chosen["steps"], chosen["guidance"])
    write_video(out, generate(model, bank, caption, strengths, seed, sampling, **ranges), model.fps)
    typer.echo(f"wrote {out}")


@app.command()
def discover(
    clip: Annotated[Path, typer.Argument(help="A video.")],
    question: Annotated[str, typer.Option(help="What the VLM is asked.")],
    caption: Annotated[
        str | None, typer.Option(help="What the video shows; by default the VLM's own description.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Name in the settings; by default the first that runs.")
    ] = None,
    vlm: Annotated[
        str | None, typer.Option(help="Name in the settings; by default the first that runs.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights of the VLM, a planted one's for instance.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many words to show.")] = 12,
    configfile: Annotated[Path, typer.Option(help="The settings.")] = Path("config/config.yaml"),
) -> None:
    """Rank words by how far their smallest visual change moves the VLM's answer about a video;
    nothing is fitted.
    """
    from transporter.clips.contrast import read_concepts
    from transporter.clips.video import read_video
    from transporter.concepts.discovery import Look
    from transporter.concepts.discovery import discover as ranked
    from transporter.pipeline.config import load_config
    from transporter.pipeline.loading import load_generator, load_vlm

    settings = load_config(configfile)
    chosen = _chosen(settings, "generators", generator, "--generator")
    subject = _chosen(settings, "vlms", vlm, "--vlm")
    if weights is not None and not weights.is_dir():
        raise UserError(f"--weights: expected a model's folder, got {weights}, which is not there")
    video = read_video(clip, chosen["frames"], chosen["height"], chosen["width"])
    model = load_generator(chosen)
    explained = load_vlm(
        subject if weights is None else subject | {"path": str(weights)}, model.video_shape
    )
    concepts = read_concepts(settings["concepts"])
    answer, table = ranked(
        video, question, explained, model, concepts, caption, Look(guidance=chosen["guidance"])
    )
    typer.echo(f"{question} {answer}")
    _print(table.head(top))


def _chosen(settings: dict[str, Any], kind: str, name: str | None, option: str) -> dict[str, Any]:
    """The settings of one model: the named one, or the first that runs."""
    name = name or settings["run"][kind][0]
    if name not in settings[kind]:
        raise UserError(f"{option}: expected one of {', '.join(settings[kind])}, got {name!r}")
    return settings[kind][name]


def _print(table: pd.DataFrame) -> None:
    """A table for a terminal: text to the left, numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None)
    for name in table:
        shown.add_column(str(name), justify="right" if table[name].dtype.kind == "f" else "left")
    for row in table.itertuples(index=False):
        shown.add_row(
            *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row)
        )
    Console().print(shown)


def main() -> None:
    """Run the command line; what a user can mend is said in one line, with exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"transporter: {error}", file=sys.stderr)
        sys.exit(2)

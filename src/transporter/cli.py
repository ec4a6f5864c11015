"""`transporter ...`: the library for a person at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from transporter import __version__
from transporter.commands import (
    checking,
    first_look,
    own_clip,
    places,
    planning,
    results,
    serving,
    settings,
    videos,
)
from transporter.support.errors import UserError
from transporter.support.memory import keep_freed_memory

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
VERBS = (
    settings.config,
    settings.settings,
    settings.concepts,
    planning.plan,
    checking.check_model,
    first_look.demo,
    videos.generate,
    videos.sweep,
    videos.discover,
    own_clip.explain,
    places.locate,
    serving.serve,
    results.snapshot,
    results.restore,
)
for verb in VERBS:
    app.command()(verb)

# typer brings a copy of click, whose errors it offers only by their heirs
ClickException = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"transporter {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _app(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """From the logits of a video vision-language model to videos."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what a user can mend is said in one line, with exit code 2."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # of libraries; ours is the one bar
    keep_freed_memory()
    try:
        code = app(args=arguments, prog_name="transporter", standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except ClickException as error:
        _fail(error.format_message())
    except typer.Abort:
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    sys.exit(code or 0)


def _fail(message: str) -> None:
    print(f"transporter: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)

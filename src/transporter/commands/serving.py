"""The verb that serves the live explorer: `serve`."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from transporter.commands.terminal import (
    ConfigFile,
    GeneratorName,
    Quiet,
    VLMName,
    progress,
    warn,
)
from transporter.support.errors import UserError

LOOPBACK = "127.0.0.1"
PICKED = 24
"""Clips to pick."""


def serve(
    clips: Annotated[
        Path | None,
        typer.Option(help="A folder of clips to pick; by default the held-out ones of a run."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Whom to serve; by default this machine alone.")
    ] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Where.", min=1, max=65535)] = 7860,
    generator: GeneratorName = None,
    vlm: VLMName = None,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights of the VLM, a planted one's for instance.")
    ] = None,
    configfile: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Serve a page on which to ask about clips and edit them live; needs the extra `serve`."""
    if find_spec("gradio") is None:
        raise UserError(
            "serve: expected the package gradio, which is not installed; in a clone `make serve`"
            " brings it and starts this, elsewhere install transporter[serve]"
        )
    _refuse(clips, host, port)
    if host not in (LOOPBACK, "localhost", "::1"):
        warn(f"--host: whoever reaches {host} can use this machine's models; there is no password")
    with private_settings(), progress(2, quiet) as begin:
        begin("loading the page")
        from transporter.explainer.explainer import Explainer
        from transporter.explainer.live import LiveExplorer
        from transporter.explainer.live_blocks import launch

        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm, weights)
        made, address = launch(LiveExplorer(explainer, _samples(clips, configfile)), host, port)
        typer.echo(f"serving {address}; end it with Ctrl-C")
        with suppress(KeyboardInterrupt):
            _wait()
        made.close(verbose=False)


def _wait() -> None:
    """Until this process is asked to end, so politely that what it holds can be put away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    while True:
        signal.pause()


def _refuse(clips: Path | None, host: str, port: int) -> None:
    """Bad arguments, before anything is loaded."""
    if clips is not None and not clips.is_dir():
        raise UserError(f"--clips: expected a folder, got {clips}, which is none")
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(place)
    except OSError as error:
        raise UserError(
            f"--host, --port: expected a free port of this machine, got {host}:{port}"
            f" ({error.strerror or error})"
        ) from None


@contextmanager
def private_settings() -> Iterator[Path]:
    """Gradio as this process wants it, whatever the environment says: uploads go to a folder that
    this user alone can enter and that is gone afterwards, no file is served, nobody is counted.

    Gradio reads some of it when it is imported, so that must come after.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_")}
    with TemporaryDirectory(prefix="transporter-") as folder:
        for name in before:
            del os.environ[name]
        own = {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        os.environ.update(own)
        try:
            yield Path(folder)
        finally:
            for name in own:
                os.environ.pop(name, None)
            os.environ.update(before)


def _samples(clips: Path | None, configfile: Path | None) -> dict[str, Path]:
    """Clips to pick, by name: at most `PICKED` of a folder, or of the run's held-out ones."""
    from transporter.pipeline.project import Project

    folder = clips or Project.open(configfile).root / "data" / "held_out" / "clips"
    found = sorted(path for path in folder.glob("*.mp4")) if folder.is_dir() else []
    return {path.name: path for path in found[:PICKED]}

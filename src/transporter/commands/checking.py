"""The verb `check-model`: does a model keep to what the method needs?"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from transporter.commands.terminal import print_rows
from transporter.support.errors import UserError

PRECISIONS = ("float32", "bfloat16", "float16")


def check_model(
    path: Annotated[
        str, typer.Argument(help="A folder that `from_pretrained` loads, or a name on the hub.")
    ],
    adapter: Annotated[
        str | None, typer.Option(help="By default the one that suits the folder's configuration.")
    ] = None,
    clip: Annotated[str, typer.Option(help="FRAMESxHEIGHTxWIDTH of the clips.")] = "17x240x416",
    frames: Annotated[
        int | None, typer.Option(help="Frames of a clip that a VLM is shown; by default its own.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second of the clips.")] = 8.0,
    dtype: Annotated[str, typer.Option(help="Precision of the weights.")] = "float32",
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of a model on the hub.")
    ] = None,
) -> None:
    """Try one model: it loads whole, and tokens, answers and gradients are those of the family's
    own code.

    The exit code is 1 where a check fails.
    """
    from transporter.pipeline import model_check

    sizes = _sizes(clip)
    if dtype not in PRECISIONS:
        raise UserError(f"--dtype: expected one of {', '.join(PRECISIONS)}, got {dtype!r}")
    if not 0 < fps < 1000:
        raise UserError(f"--fps: expected frames per second, got {fps:g}")
    if frames is not None and not 1 <= frames <= sizes["frames"]:
        raise UserError(f"--frames: expected from 1 to {sizes['frames']}, got {frames}")
    if adapter is None:
        model = model_check.recognised(path, revision)
        typer.echo(f"{path}: this folder is a {model.family}: use adapter {model.adapter}")
    else:
        model = model_check.named(adapter)
    settings = {"path": path, "dtype": dtype, "revision": revision, "shown": frames, **sizes}
    found = list(model_check.check_model(model, settings, fps))
    rows = [(one.check, "ok" if one.passed else "FAILS", one.words) for one in found]
    print_rows(["check", "", "what was found"], rows)
    if not all(one.passed for one in found):
        raise typer.Exit(1)


def _sizes(clip: str) -> dict[str, int]:
    """Frames, height and width of clips.

    Raises:
        UserError: the text tells none.
    """
    sizes = re.fullmatch(r"(\d{1,4})x(\d{1,4})x(\d{1,4})", clip)
    if not sizes or "0" in sizes.groups():
        raise UserError(f"--clip: expected FRAMESxHEIGHTxWIDTH such as 17x240x416, got {clip!r}")
    return dict(zip(("frames", "height", "width"), map(int, sizes.groups()), strict=True))

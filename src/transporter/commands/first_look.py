"""The verb that shows what this is about, before any run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transporter.commands.terminal import (
    ConfigFile,
    Force,
    GeneratorName,
    Quiet,
    VLMName,
    progress,
    refuse_output,
)
from transporter.support.errors import UserError

if TYPE_CHECKING:
    from transporter.explainer.explainer import Explainer
    from transporter.explainer.explanation import Explanation

SHOWN = ("slowly_quickly", "day_night")
PHI = (0.0, 0.5, 1.0)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>transporter: a first look</title>
<style>
  body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
  figure {{ margin: 2em 0 }}
  figcaption {{ font-weight: bold }}
</style>
<h1>A first look</h1>
<p>Each row is one caption from one noise, at three strengths &phi; of a concept. Below each clip
stands what the VLM answers when it is asked for the concept, and how sure it is. The concepts were
fitted in closed form to {clips} captions; a run fits them with more clips, and compares them with
controls.</p>
{rows}
</html>
"""


def demo(
    concept: Annotated[
        list[str] | None,
        typer.Option(help=f"A concept; may be repeated. By default {' and '.join(SHOWN)}."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("demo.html"),
    generator: GeneratorName = None,
    vlm: VLMName = None,
    configfile: ConfigFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show two concepts on a page, fitted on the spot: a first look, without a run."""
    if out.suffix.lower() != ".html" or out.is_dir():
        raise UserError(f"--out: expected the name of a file that ends in .html, got {out}")
    refuse_output(out, force)

    from transporter.explainer.explainer import Explainer
    from transporter.explainer.fits import QUICK
    from transporter.support.files import written_whole

    names = list(dict.fromkeys(concept or SHOWN))
    with progress(2 + len(names), quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm)
        begin("fitting")
        explainer.fit(*names, verbose=False)
        rows = []
        for name in names:
            begin(f"sampling {name}")
            rows.append(_sweep(explainer, name))
        page = PAGE.format(clips=QUICK["clips"], rows="\n".join(row.html() for row in rows))
        with written_whole(out) as partial:
            partial.write_text(page, encoding="utf-8")
    if not quiet:
        for row in rows:
            typer.echo(row)
        typer.echo(f"wrote {out}; open it in a browser")


def _sweep(explainer: Explainer, name: str) -> Explanation:
    """Of a caption that the concept was not fitted on."""
    from transporter.explainer.clip_sources import captioned_clips

    generator = explainer.generator
    concept, shape = explainer.concepts[name], generator.video_shape
    found = captioned_clips(
        [concept], explainer.clips, 1, 1, shape, generator.fps, explainer.reading
    )
    [(caption, _)] = found[name]
    return explainer.sweep(caption, name, PHI)

"""The overview of the method: both spaces, the coupling between them, the concept bank, and
generation at phi.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from transporter.figures.canvas import Canvas
from transporter.figures.exhibit import Drawing
from transporter.figures.theme import (
    INK,
    MARGIN,
    PAGE,
    QUIET,
    SOURCE,
    SOURCE_GROUND,
    TARGET,
    TARGET_GROUND,
)

CAPTION = (
    "Overview. 1: Φ learns to land on the VLM's own tokens from a latent of the generator; ρ-OT"
    " merges its two parts. 2: for a pair of words, a vector q in the space of conditions is fitted"
    " to the change Δv of the generator's velocity, scaled by the distance of the VLM's answers. 3:"
    " the user chooses φ; everything else stays as it was."
)
TALL = 0.27
HEIGHT = 3.36
XI, OMEGA, LEARNT, PLAIN = "generator space Ξ, frozen", "VLM space Ω, frozen", "learnt", ""
FACES = {XI: SOURCE_GROUND, OMEGA: TARGET_GROUND, LEARNT: "#ffffff", PLAIN: "#ffffff"}
EDGES = {XI: SOURCE, OMEGA: TARGET, LEARNT: INK, PLAIN: "none"}


class Box(NamedTuple):
    """Centre and width in inches, the words inside (mathtext), and what the box belongs to."""

    x: float
    y: float
    width: float
    label: str
    kind: str


BOXES = {
    "clip": Box(0.3, 0.82, 0.4, "clip", PLAIN),
    "latent": Box(1.3, 0.82, 0.86, r"$z_\Xi = E_\Xi$(clip)", XI),
    "condition": Box(1.3, 0.44, 0.86, r"caption $\pi_\Xi$", XI),
    "reencoded": Box(2.35, 1.16, 0.78, r"$E_\Omega(D_\Xi(z_\Xi))$", OMEGA),
    "phi_1": Box(3.5, 0.48, 0.98, r"$\Phi_1$  MLP-Mixer", LEARNT),
    "phi_2": Box(3.5, 1.16, 0.98, r"$\Phi_2$  Transformer", LEARNT),
    "transport": Box(4.62, 0.82, 0.56, r"$\rho$-OT", LEARNT),
    "tokens": Box(5.36, 0.82, 0.42, r"$\tilde z$", OMEGA),
    "target": Box(6.32, 0.82, 0.88, r"$z_\Omega = E_\Omega$(clip)", OMEGA),
    "minus": Box(0.56, 2.06, 0.84, r"$\pi^-$  a red …", XI),
    "plus": Box(0.56, 2.5, 0.84, r"$\pi^+$  a blue …", XI),
    "velocity": Box(1.38, 2.28, 0.36, r"$G$", XI),
    "change": Box(2.42, 2.06, 1.1, r"$\Delta v = v^+ - v^-$", XI),
    "answers": Box(2.16, 2.5, 0.58, r"$\Phi$, LM", OMEGA),
    "distance": Box(2.84, 2.5, 0.4, r"$d_\omega$", OMEGA),
    "vector": Box(3.52, 2.28, 0.36, r"$q$", LEARNT),
    "shifted": Box(4.58, 2.28, 0.76, r"$\pi^- + \varphi\,q$", LEARNT),
    "noise": Box(5.32, 1.9, 0.5, "noise", PLAIN),
    "generator": Box(5.32, 2.28, 0.36, r"$G$", XI),
    "decoder": Box(5.88, 2.28, 0.4, r"$D_\Xi$", XI),
    "video": Box(6.52, 2.28, 0.5, "video", PLAIN),
}
LINKS = (
    ("clip", "latent"),
    ("condition", "phi_1"),
    ("latent", "phi_1"),
    ("latent", "reencoded"),
    ("reencoded", "phi_2"),
    ("phi_1", "transport"),
    ("phi_2", "transport"),
    ("transport", "tokens"),
    ("minus", "velocity"),
    ("plus", "velocity"),
    ("velocity", "change"),
    ("velocity", "answers"),
    ("answers", "distance"),
    ("change", "vector"),
    ("distance", "vector"),
    ("shifted", "generator"),
    ("generator", "decoder"),
    ("decoder", "video"),
)
TITLES = (
    (MARGIN, 0.16, "1  Coupling Φ"),
    (MARGIN, 1.72, "2  Concept bank"),
    (4.2, 1.72, "3  Generation"),
)


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The overview, which is made from nothing."""
    return Drawing(method_figure(), CAPTION)


def method_figure() -> Figure:
    """The schematic, at the width of a page."""
    canvas = Canvas(PAGE, HEIGHT)
    for x, y, title in TITLES:
        canvas.text(x, y, title, weight="bold")
    for box in BOXES.values():
        _draw(canvas, box)
    for start, end in LINKS:
        a, b = BOXES[start], BOXES[end]
        canvas.arrow((a.x + a.width / 2, a.y), (b.x - b.width / 2, b.y))
    noise, generator = BOXES["noise"], BOXES["generator"]
    canvas.arrow((noise.x, noise.y + 0.08), (generator.x, generator.y - TALL / 2))
    _losses(canvas)
    _slider(canvas, 4.24, 6.74, 2.72)
    _legend(canvas, HEIGHT - 0.15)
    return canvas.figure


def _draw(canvas: Canvas, box: Box) -> None:
    corner = (box.x - box.width / 2, box.y - TALL / 2)
    style = {
        "boxstyle": "round,pad=0,rounding_size=0.05",
        "facecolor": FACES[box.kind],
        "edgecolor": EDGES[box.kind],
    }
    canvas.axes.add_patch(
        FancyBboxPatch(
            corner, box.width, TALL, linewidth=1.1 if box.kind == LEARNT else 0.6, **style
        )
    )
    canvas.text(box.x, box.y, box.label, ha="center", va="center", size=6.5, parse_math=True)


def _losses(canvas: Canvas) -> None:
    """What each training compares, dashed."""
    tokens, target = BOXES["tokens"], BOXES["target"]
    style = {"arrowstyle": "<|-|>,head_width=0.12,head_length=0.25", "linestyle": (0, (3, 2))}
    canvas.arrow(
        (tokens.x + tokens.width / 2, tokens.y), (target.x - target.width / 2, target.y), **style
    )
    canvas.text(
        (tokens.x + target.x) / 2 - 0.09, tokens.y - 0.07, "loss", ha="center", size=6, color=QUIET
    )
    fitted = (
        r"$\| G(\pi^-) + \varphi\,\Delta v - G(\pi^- + \varphi\,q) \|^2$,   $\varphi = d_\omega$"
    )
    canvas.text(1.9, 2.9, fitted, ha="center", size=6.5, parse_math=True, color=QUIET)


def _slider(canvas: Canvas, left: float, right: float, y: float) -> None:
    """The strengths that a sweep shows."""
    canvas.axes.plot([left, right], [y, y], color=QUIET, linewidth=0.7)
    places = [left + (right - left) * step / 5 for step in range(6)]
    canvas.axes.scatter(places, [y] * 6, s=9, color=[SOURCE, *[QUIET] * 4, TARGET], zorder=3)
    canvas.text(left, y + 0.18, "φ = 0, red", size=6.5, color=SOURCE)
    canvas.text(right, y + 0.18, "φ = 1, blue", size=6.5, color=TARGET, ha="right")


def _legend(canvas: Canvas, y: float) -> None:
    for x, kind in ((MARGIN, XI), (1.85, OMEGA), (3.25, LEARNT)):
        style = {
            "boxstyle": "round,pad=0,rounding_size=0.02",
            "facecolor": FACES[kind],
            "edgecolor": EDGES[kind],
        }
        canvas.axes.add_patch(
            FancyBboxPatch(
                (x, y - 0.08), 0.14, 0.1, linewidth=1.1 if kind == LEARNT else 0.6, **style
            )
        )
        canvas.text(x + 0.2, y, kind, size=6, color=QUIET)

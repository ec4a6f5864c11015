"""One sweep of phi as an object: the clips, and what the VLM reads in them."""

from __future__ import annotations

import base64
import html
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.writing import write_video
from transporter.figures.filmstrip import SOURCE, TARGET, filmstrip
from transporter.support.errors import UserError
from transporter.support.files import write_table, written_whole

READINGS = "readings.tsv"
FILMSTRIP = "filmstrip.png"
WIDTH = 160
"""Width in pixels of a clip on a page."""


def refuse_others(folder: str | os.PathLike[str]) -> None:
    """Raise a `UserError` for a folder of anything but an earlier sweep, which would be deleted."""
    place = Path(folder)
    others = (
        {path.name for path in place.iterdir()} - {"clips", FILMSTRIP, READINGS}
        if place.is_dir()
        else ()
    )
    if others:
        raise UserError(
            f"{place}: expected a new folder, or one of an earlier sweep to replace, got one that"
            f" also holds {min(others)}; choose another name"
        )


@dataclass(frozen=True, repr=False)
class Explanation:
    """P clips of one caption from one noise, at P strengths phi of one concept.

    As the last line of a notebook's cell it is its filmstrip; `show` shows the clips moving.
    """

    concept: Concept
    caption: str
    """What the generator was told; the concept's source word is in it, if either word is."""
    seed: int
    phi: tuple[float, ...]
    """In rising order: 0 source, 1 target."""
    z_xi: torch.Tensor
    """The clips' latents `(P, c, t, h, w)`."""
    video: torch.Tensor
    """`(P, T, C, H, W)` in [0, 1]."""
    log_odds: torch.Tensor
    """`log p(target) - log p(source)` of the VLM's answer about each decoded clip, `(P,)`, in
    nats.
    """
    through_phi: torch.Tensor | None
    """The same read through the coupling network, `(P,)`; None without one."""
    fps: float

    @property
    def shares(self) -> torch.Tensor:
        """Probability of the target word against the source word, `(P,)` in [0, 1]."""
        return self.log_odds.sigmoid()

    @property
    def answers(self) -> dict[float, str]:
        """By phi the word that the VLM says, and how sure it is of it."""
        return {
            phi: _answer(self.concept, share)
            for phi, share in zip(self.phi, self.shares.tolist(), strict=True)
        }

    @property
    def readings(self) -> pd.DataFrame:
        """One row for each phi: `phi`, `log_odds`, `through_phi` (where there is a coupling
        network), `answer`.
        """
        columns = {"phi": self.phi, "log_odds": self.log_odds.tolist()}
        if self.through_phi is not None:
            columns["through_phi"] = self.through_phi.tolist()
        return pd.DataFrame({**columns, "answer": list(self.answers.values())})

    def filmstrip(self, path: str | os.PathLike[str], frames: int = 5) -> None:
        """Draw the clips as a PNG: phi across, time down, the VLM's answers below."""
        concept = self.concept
        filmstrip(
            dict(zip(self.phi, self.video, strict=True)),
            Path(path),
            self.caption,
            (concept.source, concept.target),
            frames,
            self.fps,
            self.answers,
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `clips/phi*.mp4`, `filmstrip.png` and `readings.tsv` into `folder`, which appears
        whole or not at all; an earlier one there is replaced.

        Raises:
            UserError: the folder is there and holds anything else.
        """
        refuse_others(folder)
        with written_whole(folder) as partial:
            (partial / "clips").mkdir(parents=True)
            names = [f"clips/phi{phi:g}.mp4" for phi in self.phi]
            for name, video in zip(names, self.video, strict=True):
                write_video(partial / name, video, self.fps)
            self.filmstrip(partial / FILMSTRIP)
            write_table(self.readings.assign(clip=names), partial / READINGS)

    def show(self) -> None:
        """In a notebook, the clips side by side, moving, with the VLM's answers; elsewhere the
        readings as text.
        """
        if not _in_notebook():
            print(self)
            return
        from IPython.display import HTML, display

        display(HTML(self.html()))

    def __repr__(self) -> str:
        title = f"{self.caption} (seed {self.seed}), {self.concept.name}"
        return f"{title}\n{self.readings.to_string(index=False, float_format='{:.2f}'.format)}"

    def html(self) -> str:
        """A part of a page: moving clips that need no other file, with what the VLM says."""
        with TemporaryDirectory() as folder:
            clips = "".join(
                self._cell(Path(folder, f"{number}.mp4"), number, phi)
                for number, phi in enumerate(self.phi)
            )
        title = html.escape(f"{self.caption}: {self.concept.source} → {self.concept.target}")
        return f"<figure><figcaption>{title}</figcaption>{clips}</figure>"

    def _cell(self, path: Path, number: int, phi: float) -> str:
        write_video(path, self.video[number], self.fps)
        source = base64.b64encode(path.read_bytes()).decode()
        colour = TARGET if self.log_odds[number] > 0 else SOURCE
        answer = html.escape(self.answers[phi])
        return (
            '<div style="display:inline-block;margin:4px;text-align:center">'
            f"φ = {phi:g}<br>"
            f'<video width="{WIDTH}" autoplay loop muted playsinline'
            f' src="data:video/mp4;base64,{source}"></video><br>'
            f'<b style="color:{colour}">{answer}</b></div>'
        )

    def _repr_png_(self) -> bytes:
        """The filmstrip, for notebooks."""
        with TemporaryDirectory() as folder:
            path = Path(folder, FILMSTRIP)
            self.filmstrip(path)
            return path.read_bytes()


def _answer(concept: Concept, share: float) -> str:
    return f"{concept.target} {share:.0%}" if share > 0.5 else f"{concept.source} {1 - share:.0%}"


def _in_notebook() -> bool:
    """Whether a notebook's kernel is running this."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and shell.has_trait("kernel")

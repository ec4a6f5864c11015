"""Keys of the settings about what the method is compared with, and by what."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, MinLen
from pydantic import WrapValidator

from transporter.baselines.settings import InversionSettings
from transporter.concepts.settings import Bank, ObjectiveName
from transporter.pipeline.setting_types import (
    Aims,
    Partial,
    Sample,
    Seeds,
    Some,
    as_given,
)
from transporter.support.settings import Distinct, Place, Revision, Share, Whole, section, sharing


@section
class BaselineMethods:
    """Methods and what they maximise: `w`, the target word's log-probability (w+); `w_dw`, that and
    its difference to the source word's (w+ + dw).
    """

    activation_maximisation: Aims = ("w",)
    """What activation maximisation maximises, `w` and `w_dw`; an empty list leaves it out."""
    gradvit: Aims = ("w",)
    """What GradViT maximises, `w` and `w_dw`; an empty list leaves it out."""
    maco: Aims = ("w", "w_dw")
    """What MACO maximises, `w` and `w_dw`; an empty list leaves it out."""
    leaps: Aims = ("w", "w_dw")
    """What LEAPS maximises, `w` and `w_dw`; an empty list leaves it out."""


@sharing(
    InversionSettings,
    steps=150,
    lr=0.1,
    warm_up=10,
    jitter=4,
    flip=0.0,
    l2=0.005,
    priming=1.0,
    coherence=0.05,
    statistics=0.05,
    patch_prior=1.0,
    patch=(3, 8, 8),
    log_every=30,
    save_every=75,
)
class BaselineSettings:
    """The methods that invert the VLM into clips, which TRANSPORTER is compared with. Weights left
    at 0 turn a term off.
    """

    methods: BaselineMethods = BaselineMethods()
    seeds: Seeds = 2
    """Clips per concept, method and target; as many of TRANSPORTER's are compared with them."""
    real_clips: Sample = 64
    """Training clips that MACO's spectrum and the judge's statistics are measured on."""


@section
class MetricSettings:
    """What scores the clips of the main table."""

    clip_judge: Place | None = "models/clip_judge"
    """Folder of the microworld's video-text encoder for CLIP^v and Delta, and for the baselines'
    channel statistics (I3D gives those without it), or null.
    """
    clip: Place | None = None
    """A CLIP that scores in its place, a folder or a name on the hub, or null."""
    clip_revision: Revision = "main"
    """Branch, tag or commit of a CLIP on the hub."""
    head: Place | None = None
    """File of LAION's linear head for that CLIP, for the aesthetic score, or null."""


@section
class TruthSettings:
    """The benchmark of explanations, `snakemake truth`."""

    concepts: Place = "config/truth.tsv"
    """Table of the contrast pairs that are explained; of a shortcut's answers the target should be
    the rarer one.
    """
    shortcuts: Some = (
        "speed_by_colour",
        "ground_by_shape",
        "speed_by_colour_partly",
        "speed_by_red_circle",
        "speed_by_brightness",
    )
    """`all`, or a list of names from the table of shortcuts: those planted in the run's first VLM
    are explained. As it is: some of each kind, in an hour of two cores.
    """
    withheld: Some = ()
    """`all`, or a list of names from `shortcuts`: these are explained once more, as a case
    `<shortcut>_withheld`, where no edit that is asked about has a word of the cue's attributes.
    """
    vlms: Some = "all"
    """`all`, or a list of names: VLMs that are explained as they are, the honest ones."""
    nulls: Annotated[tuple[Literal["coin", "one_word"], ...], Distinct] = ("coin", "one_word")
    """VLMs that do not look, made of the run's first one: a `coin`, by a hash of the clip, and one
    that always says `one_word`. Of these every explanation is false.
    """
    pairs: Some = ("slowly_quickly",)
    """`all`, or a list of names from `concepts` that the honest VLMs are explained by, and by the
    first of which the null ones are.
    """
    objectives: Annotated[tuple[ObjectiveName, ...], MinLen(1), Distinct] = (
        "velocity",
        "answers",
        "logits",
    )
    """Objectives of the bank that are compared."""
    pool: Sample = 48
    """Captions whose clips at phi = 0 every VLM is shown; those that it answers by the source word
    can flip.
    """
    captions: Annotated[Sample, Ge(2)] = 16
    """Captions per VLM and pair, the first of the pool that can flip."""
    seeds: Seeds = 4
    """Noises per caption."""
    noise: bool = True
    """Also show what no explanation is, pixel noise that flips the answer; it takes gradients to
    the pixels of 8 clips at a time.
    """
    explained: Whole = 4
    """Held-out clips, none of them generated, that every planted and every honest VLM is asked
    about and that are edited until its answer flips; 0 for none.
    """
    level: Annotated[Share, Gt(0)] = 0.01
    """An explanation counts where as many flips are less probable than this by chance."""
    bank: Annotated[Bank, WrapValidator(as_given), Partial] = field(
        default_factory=lambda: {
            "steps": 75,
            "batch": 8,
            "lr": 0.03,
            "strengths": "unit",
            "form": "map",
            "logits": {"steps": 20},
        }
    )
    """Keys of `bank` that the benchmark has otherwise."""

"""Every key that a file of settings may hold: its type and bounds, its default, and what it means.

The sections of the coupling, the bank and the inversions are those of the library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import (
    BeforeValidator,
    Field,
    Strict,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from transporter.baselines.settings import InversionSettings
from transporter.clips.settings import Fit
from transporter.concepts.settings import Bank, ObjectiveName
from transporter.coupling.settings import CouplingSettings
from transporter.support.settings import (
    LARGEST,
    RULES,
    Count,
    Distinct,
    Guidance,
    Inside,
    Name,
    Names,
    Number,
    Place,
    Rate,
    Revision,
    Seconds,
    Seed,
    Share,
    Text,
    Times,
    Whole,
    section,
    sharing,
)

CLIPS = 10_000_000
"""Of a split, at most."""
SHORTEST = 0.001
"""Part of a clip that is read, in seconds."""
Pixels = Annotated[int, Strict(), Ge(16), Le(8192)]
Frames = Annotated[int, Strict(), Ge(1), Le(10_000)]
Sample = Annotated[int, Strict(), Ge(1), Le(CLIPS)]
"""Clips or captions out of all."""
Seeds = Annotated[int, Strict(), Ge(1), Le(100_000)]
"""Videos that are made of one concept."""
Windows = Annotated[int, Strict(), Ge(1), Le(1000)]
"""Parts of a clip."""
Parts = Annotated[int, Strict(), Ge(2), Le(1000)]
Strength = Annotated[Number, Ge(-1000), Le(1000)]
Precision = Literal["float32", "bfloat16", "float16"]
Aim = Literal["w", "w_dw"]
Aims = Annotated[tuple[Aim, ...], Distinct]


def _all_or_list(value: Any) -> Any:
    if value != "all" and not isinstance(value, list | tuple):
        raise PydanticCustomError("expected", "'all' or a list")
    return value


def _number_or_share(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value > CLIPS:
        raise PydanticCustomError("expected", "at most {most} clips", {"most": CLIPS})
    whole = isinstance(value, int) and 1 <= value <= CLIPS
    if not number or not (whole or 0 < value < 1):
        raise PydanticCustomError("expected", "a number of clips, or a share between 0 and 1")
    return value


def _seconds(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "all" and not (number and 0 < value < math.inf):
        raise PydanticCustomError("expected", "'all', or seconds, more than 0")
    if value != "all" and not SHORTEST <= value <= LARGEST:
        bounds = {"least": SHORTEST, "most": LARGEST}
        raise PydanticCustomError("expected", "from {least} to {most} seconds", bounds)
    return value


def _as_given(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Keys that are laid over a section: checked as its own, without its defaults."""
    if isinstance(value, Mapping):
        check(value)
        return value
    return check(value)


def _some_keys(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    if value == {}:
        raise PydanticCustomError("expected", "at least 1 entry")
    return _as_given(value, check)


AllOr = BeforeValidator(_all_or_list)
Some = Annotated[Literal["all"] | Annotated[tuple[str, ...], Distinct], AllOr]
"""All, or some by name."""
SomeConcepts = Annotated[Literal["all"] | Names, AllOr]
Clips = Annotated[int | float, BeforeValidator(_number_or_share)]
"""Clips of a split: their number, or their share of all."""
Together = Annotated[tuple[str, ...], MinLen(2), Distinct]
"""Names of concepts that act in one clip."""
Duration = Annotated[Literal["all"] | float, BeforeValidator(_seconds)]
"""Seconds, or all there are."""
Options = dict[str, Any]
"""What an adapter of your own takes beside the keys here; the adapter checks it."""
Partial = Field(json_schema_extra={"partial": True})
"""Of keys that are laid over a section: what they leave out is as there."""


@section
class Splits:
    """Clips in each split: their number, or a share of all clips of your own folder."""

    train: Clips | None = None
    """Clips that the coupling and the concept bank are trained on, fewer where no more are left;
    null is 1200 of the world, and 0.7 of your own.
    """
    validation: Clips | None = None
    """Clips by which training is watched; null is 128 of the world, and 0.1 of your own."""
    held_out: Clips | None = None
    """Clips that only reports see, in the microworld combinations of attributes that no training
    clip has; null is 192 of the world, and 0.2 of your own.
    """


@section
class ClipSettings:
    """The clips that the coupling is trained on."""

    source: Literal["world", "folder"] = "world"
    """`world` renders the microworld into `folder`; `folder` takes your own clips from it."""
    folder: Place = "data"
    """Where the clips are. Your own folder holds `captions.tsv` (columns `clip` and `caption`) and
    the files in `clips/`.
    """
    splits: Splits = Splits()
    start: Seconds = 0
    """Where in a clip reading begins, in seconds from its first frame."""
    seconds: Duration | None = None
    """How many seconds of a clip are read, by as many frames as the generator makes; null is what
    they last at the generator's rate (`frames` / `fps`), so that motion keeps its speed; `all` is
    the rest of the clip. A clip that is shorter is left out and named.
    """
    windows: Windows = 1
    """How many parts of each of your own clips are taken, as many as fit side by side, spread
    evenly from `start` to the end; each is a clip of its own, with the same caption and in the same
    split.
    """
    fit: Fit = "crop"
    """What is done about a clip of other proportions than the generator's: `crop` cuts off both
    ends, `pad` adds black bars, `stretch` distorts it.
    """
    left_out: Share = 0.2
    """Largest share of your own clips that may be left out because they cannot be read; beyond it
    the run stops.
    """


@section
class GeneratorSettings:
    """A text-to-video model."""

    adapter: Text
    """Which adapter drives the model, an installed one or `module:Class` (docs/models.md)."""
    path: Place
    """A folder that `from_pretrained` loads, or the model's name on the Hugging Face hub."""
    dtype: Precision = "float32"
    """Precision of the weights."""
    frames: Frames = 17
    """Frames per video."""
    height: Pixels = 64
    """Height of the videos in pixels."""
    width: Pixels = 64
    """Width of the videos in pixels."""
    fps: Rate = 8
    """Frames per second."""
    max_tokens: Annotated[int, Strict(), Ge(1), Le(100_000)] = 16
    """Length of the text condition in tokens."""
    steps: Times = 12
    """Sampling steps."""
    guidance: Guidance = 4.0
    """Scale of classifier-free guidance; 1 is none."""
    options: Options | None = None
    """Further arguments of the adapter's constructor, or null."""


@section
class VLMSettings:
    """A video vision-language model."""

    adapter: Text
    """Which adapter drives the model, an installed one or `module:Class` (docs/models.md)."""
    path: Place
    """A folder that `from_pretrained` loads, or the model's name on the Hugging Face hub."""
    dtype: Precision = "float32"
    """Precision of the weights."""
    describe: Text = "Describe the video."
    """The prompt that asks for a caption."""
    revision: Revision | None = None
    """Branch, tag or commit of a model on the hub, or null for its main branch."""
    frames: Annotated[Frames, Le(1000)] | None = None
    """Frames per clip that an image model (`gemma3`, `phi4_multimodal`) is shown; null is the
    adapter's default, 8.
    """
    fps: Rate | None = None
    """Frames per second that `video_llama3` is told the clips have; null is the generator's."""
    lora: Inside | None = None
    """Folder within `path` of low-rank weights that `phi4_multimodal` adds, or null; needs the
    package `peft`.
    """
    options: Options | None = None
    """Further arguments of the adapter's constructor, or null."""


@section
class Run:
    """Which of the models and concepts above this run uses."""

    generators: Names = ("microworld",)
    """Names of generators; every one is combined with every VLM."""
    vlms: Names = ("qwen2_vl",)
    """Names of VLMs."""
    concepts: SomeConcepts = "all"
    """`all`, or a list of names from the table of concepts."""


@section
class Coupling(CouplingSettings):
    """The network Phi from the generator's latents to the VLM's tokens, and its training."""

    literal_steps: Whole = 150
    """Steps by which rho-OT as the paper has it is trained on the same parts, for its row in the
    report; 0 leaves the row out.
    """


@section
class EditSettings:
    """Captions with one word changed, which the objectives `answers` and `logits` learn from."""

    captions: Sample = 64
    """Training captions that are edited, each in every word that the table of concepts knows others
    for.
    """


@with_config(RULES)
class Variant(TypedDict, total=False):
    """What an ablation has otherwise than the rest of the settings."""

    coupling: Annotated[Coupling, WrapValidator(_some_keys), Partial]
    """Keys of `coupling` that the variant has otherwise."""
    bank: Annotated[Bank, WrapValidator(_some_keys), Partial]
    """Keys of `bank` that the variant has otherwise."""


def _variants() -> dict[str, Any]:
    """The rows of the paper's table and a few more; banks are of vectors, as in the paper, and take
    a fifth of the steps, also that of `full`, with which all are compared.
    """
    short = {"form": "vector", "steps": 60, "lr": 0.03}
    literal = {"aggregate": "plans", "values": "z1"}
    couplings = {
        "full": {},
        "inference_only": {"output": "plain"},
        "phi_1": {"output": "phi_1"},
        "phi_2": {"output": "phi_2"},
        "mean": {"output": "mean"},
        "sliced_gromov": {"transport": {"aggregate": "gromov", "values": "z1"}},
        "literal": {"transport": literal},
        "p_50": {"projections": 50},
        "p_200": {"projections": 200},
        "p_400": {"projections": 400},
        "scaling_0": {"transport": {"scaling_steps": 0}},
        "scaling_5": {"transport": {"scaling_steps": 5}},
        "entropic": {"transport": {"solver": "entropic"}},
        "exact": {"transport": {"solver": "exact"}},
    }
    banks = {"kl": {"divergence": "kl"}, "js": {"divergence": "js"}, "vocab": {"support": "vocab"}}
    made = {
        name: ({"coupling": keys} if keys else {}) | {"bank": dict(short)}
        for name, keys in couplings.items()
    }
    return made | {name: {"bank": keys | short} for name, keys in banks.items()}


@section
class GenerationSettings:
    """The phi sweeps."""

    phi: Annotated[tuple[Strength, ...], MinLen(2), MaxLen(1000)] = (0, 0.25, 0.5, 0.75, 1)
    """Concept strengths in rising order; 0 (source) and 1 (target) must be among them."""
    seeds: Seeds = 8
    """Videos (seed and caption) per concept."""
    methods: Annotated[
        tuple[Literal["transporter", "random", "prompt_interpolation"], ...], MinLen(1), Distinct
    ] = ("transporter", "random", "prompt_interpolation")
    """The method and the controls it is compared with."""


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
class Injection:
    """Step injection, where a concept acts in some of the sampling steps."""

    concepts: Names | None = None
    """Concepts of the run that act in some of the sampling steps; null takes the first of each
    kind.
    """
    parts: Parts = 3
    """Equal parts of the sampling steps; a concept acts in all of them, and in each alone."""


@section
class PartialFrames:
    """Partial frames, where a concept acts in some of the latent frames."""

    concepts: Names | None = None
    """Concepts of the run that act in some of the latent frames; null takes the first object and
    scene.
    """
    parts: Parts = 2
    """Equal parts of the latent frames; a concept acts in all of them, and in each alone."""


@section
class FigureSettings:
    """The paper's figures of several concepts at once, of step injection and of partial frames."""

    seeds: Seeds = 8
    """Videos (seed and caption) per concept and setting of these figures."""
    several: Annotated[tuple[Together, ...], MinLen(1), MaxLen(100)] | None = None
    """Lists of concepts of the run that act together, their words in one caption; null pairs its
    first objects and scenes.
    """
    injection: Injection = Injection()
    partial_frames: PartialFrames = PartialFrames()


@section
class GallerySettings:
    """The page of results."""

    seeds: Seeds = 4
    """Seeds per concept that the page shows."""


@section
class TruthSettings:
    """The benchmark of explanations, `snakemake truth`."""

    concepts: Place = "config/truth.tsv"
    """Table of the contrast pairs that are explained; of a shortcut's answers the target should be
    the rarer one.
    """
    shortcuts: Some = "all"
    """`all`, or a list of names from the table of shortcuts: those planted in the run's first VLM
    are explained.
    """
    vlms: Some = "all"
    """`all`, or a list of names: VLMs that are explained as they are, the honest ones."""
    pairs: Some = ("slowly_quickly", "small_large")
    """`all`, or a list of names from `concepts` that the honest VLMs are explained by."""
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
    bank: Annotated[Bank, WrapValidator(_as_given), Partial] = field(
        default_factory=lambda: {
            "steps": 75,
            "batch": 8,
            "lr": 0.03,
            "strengths": "unit",
            "form": "vector",
            "logits": {"steps": 20},
        }
    )
    """Keys of `bank` that the benchmark has otherwise."""


@section
class VLMTraining:
    """Steps of the VLMs, by family."""

    qwen2_vl: Count = 3680
    """Steps of the Qwen2-VL."""
    video_llama3: Count = 5120
    """Steps of the VideoLLaMA 3, whose tokens of single frames learn speed last."""
    gemma3: Count = 3680
    """Steps of the Gemma 3."""


@section
class TrainingSettings:
    """Steps by which `train_models` trains the microworld's own models."""

    vae: Count = 12000
    """Steps of the video VAE."""
    vlms: VLMTraining = VLMTraining()
    generator: Count = 28000
    """Steps of text encoder and transformer."""
    probes: Count = 2100
    """Steps of the attribute classifiers."""
    clip_judge: Count = 1300
    """Steps of the video-text dual encoder."""
    planted: Count = 300
    """Steps by which a shipped VLM is taught a shortcut."""
    chunks: Times = 44
    """Clips that the generator is trained on, in chunks of 500."""


@section
class Settings:
    """Every key has a default or must be given; others are refused."""

    _: KW_ONLY
    seed: Seed = 0
    """Seed of everything that is drawn; two runs with one seed make the same results on the same
    machine.
    """
    clips: ClipSettings = ClipSettings()
    generators: Annotated[dict[Name, GeneratorSettings], MinLen(1), MaxLen(100)]
    """Text-to-video models by name."""
    vlms: Annotated[dict[Name, VLMSettings], MinLen(1), MaxLen(100)]
    """Video vision-language models by name."""
    world: Text | None = "microworld"
    """The world of rendered clips whose attributes are known, offered by an installed package; null
    where there is none.
    """
    probes: Place | None = "models/probes"
    """Folder of the microworld's attribute classifiers, or null where no probe can judge the
    videos.
    """
    concepts: Place = "config/concepts.tsv"
    """Table of contrast pairs."""
    shortcuts: Place = "config/shortcuts.tsv"
    """Table of shortcuts, wrong cues that VLMs of the microworld can be taught to answer by."""
    run: Run = Run()
    coupling: Coupling = Coupling()
    edits: EditSettings = EditSettings()
    bank: Bank = Bank()
    ablations: Annotated[dict[Name, Annotated[Variant, MinLen(1)]], MaxLen(1000)] = field(
        default_factory=_variants
    )
    """Variants of the experiment by name; what they leave out is as in the rest of the settings."""
    generation: GenerationSettings = GenerationSettings()
    baselines: BaselineSettings = BaselineSettings()
    metrics: MetricSettings = MetricSettings()
    figures: FigureSettings = FigureSettings()
    gallery: GallerySettings = GallerySettings()
    truth: TruthSettings = TruthSettings()
    training: TrainingSettings = TrainingSettings()


SPLITS: Mapping[str, Splits] = {
    "world": Splits(1200, 128, 192),
    "folder": Splits(0.7, 0.1, 0.2),
}
"""What the splits are, by the source of the clips, where the settings do not say."""

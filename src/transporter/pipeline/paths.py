"""Where every result is: one name for each file or folder that a rule makes.

A path is a pattern with the wildcards of its rule in braces; `filled` puts names in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

PAIR = "{generator}/{vlm}"
"""A generator and a VLM: who the coupling is between, and whom a concept vector belongs to."""

# those of a user's own clips that are left out, of a split and of all
FAILED_OF_SPLIT = "results/clips/{split}_failed.tsv"
FAILED = "results/clips/failed.tsv"

# embeddings of the clips
Z_XI = "results/embeddings/{split}/generators/{generator}"
Z_OMEGA = "results/embeddings/{split}/vlms/{vlm}/{shape}"
REENCODED = f"results/embeddings/{{split}}/reencoded/{PAIR}"
EDITS = "results/embeddings/edits/generators/{generator}"
EDITS_REENCODED = f"results/embeddings/edits/reencoded/{PAIR}"

# the coupling Phi
COUPLING = f"results/coupling/{PAIR}/coupling.safetensors"
LITERAL = f"results/coupling/{PAIR}/literal.safetensors"
CURVE = f"results/coupling/{PAIR}/curve.tsv"
COUPLING_REPORT = f"results/coupling/{PAIR}/report.tsv"
ANSWERS = f"results/coupling/{PAIR}/answers.tsv"

# the concept bank, and the videos that it makes
BANK = f"results/concepts/{PAIR}/bank.safetensors"
SEPARATION = f"results/concepts/{PAIR}/separation.tsv"
GENERATED = f"results/generation/{PAIR}/{{concept}}"
MODULATED = f"results/modulations/{PAIR}"

# what the VLM and the probes see in them
CONCEPT_READINGS = f"results/evaluation/{PAIR}/readings/{{concept}}.tsv"
READINGS = f"results/evaluation/{PAIR}/readings.tsv"
THROUGH_PHI = f"results/evaluation/{PAIR}/through_phi.tsv"
ALL_READINGS = "results/evaluation/readings.tsv"
FAITHFULNESS = "results/evaluation/concepts.tsv"
STRATA = "results/evaluation/captions.tsv"

# what a person looks at
FILMSTRIP = f"results/filmstrips/{PAIR}/{{concept}}.png"
GALLERY = "results/gallery"
VERSIONS = "results/versions.tsv"
PAPER = "results/paper/{kind}/{exhibit}.{form}"

# the baselines, and the scores of all methods
WEIGHTS = "results/weights/{weights}"
INVERTED = "results/baselines/{vlm}/{method}/{target}/{concept}"
INVERTED_CAPTIONS = "results/baselines/{vlm}/captions.tsv"
SCORES = "results/scores/{vlm}/clips.tsv"
SCORED_VECTORS = "results/scores/{vlm}/vectors.safetensors"
PROTOCOL = "results/scores/{vlm}/protocol.tsv"

# the benchmark of explanations
TEMPORAL = "results/truth/temporal.tsv"
RELIANCE = "results/truth/reliance.tsv"
RELIANCE_EFFECTS = "results/truth/reliance_effects.tsv"
PLANTED_ANSWERS = "results/truth/planted_answers.tsv"
NATURAL = "results/truth/natural.tsv"
CONTROLS = "results/truth/controls/{generator}/{concept}"
TRUTH_BANK = f"results/truth/banks/{PAIR}/{{case}}/{{objective}}.safetensors"
TRUTH_SEPARATION = f"results/truth/banks/{PAIR}/{{case}}/{{objective}}.tsv"
TRUTH_READINGS = f"results/truth/readings/{PAIR}/{{case}}/{{concept}}.tsv"
TRUTH_CHANGES = f"results/truth/changes/{PAIR}/{{case}}/{{concept}}.tsv"
TRUTH_CHANGES_FIGURE = f"results/truth/changes/{PAIR}/{{case}}/{{concept}}.png"
TRUTH_EXAMPLE = f"results/truth/examples/{PAIR}/{{case}}/{{concept}}"
TRUTH_EXAMPLES = "results/truth/examples.{form}"
TRUTH = "results/truth/truth.tsv"
TRUTH_SUMMARY = "results/truth/summary.tsv"
TOLD_APART = "results/truth/told_apart.tsv"
TRUTH_DESCRIBED = "results/truth/described.tsv"
MATRIX = "results/truth/matrix.{form}"
TRUTH_FILMSTRIP = f"results/truth/filmstrips/{PAIR}/{{case}}/{{concept}}_{{objective}}.png"
TRUTH_CLIPS = f"results/truth/explained/{PAIR}/{{case}}/{{concept}}.tsv"
TRUTH_EXPLAINED = "results/truth/explained.tsv"

# where and when words are
PLACED = "results/saliency/{generator}/truth.tsv"
CLIP_MAPS = "results/saliency/{generator}/clip.{form}"
MASKED = "results/saliency/{generator}/masked.tsv"
IMAP_PROMPTS = "results/saliency/imap_prompts.json"
PROMPTED = "results/saliency/{generator}/prompts"
PROMPTS = "results/saliency/{generator}/prompts.tsv"
LOOKS = f"results/saliency/{PAIR}/looks.tsv"
MAPS = f"results/saliency/{PAIR}/maps/{{concept}}"
CHANGES = f"results/saliency/{PAIR}/changes.tsv"
CHANGES_FIGURE = f"results/saliency/{PAIR}/changes.{{form}}"
RESTRICTED = f"results/saliency/{PAIR}/restricted/{{concept}}.tsv"
RESTRICTION = f"results/saliency/{PAIR}/restricted.tsv"
MAPPED_GALLERY = "results/saliency/gallery"

# clips explained by what changes the answer about them
EXPLAINED = f"results/explanations/{PAIR}/{{concept}}"
EXPLANATIONS = "results/explanations/summary.tsv"
EXPLANATIONS_PAGE = "results/explanations/index.html"

# models that rules make
MODEL = "results/models/{model}"
PLANTED = "results/planted/{vlm}/{shortcut}"


def filled(pattern: str, **names: str) -> str:
    """A pattern with names in place of some wildcards; the others stay."""
    for wildcard, name in names.items():
        pattern = pattern.replace(f"{{{wildcard}}}", name)
    return pattern


def every(pattern: str, **names: Iterable[str]) -> list[str]:
    """A pattern with every combination of names, the last wildcard running fastest; wildcards that
    are not given stay.
    """
    combinations = product(*names.values())
    return [filled(pattern, **dict(zip(names, some, strict=True))) for some in combinations]


def part(pattern: str) -> str:
    """What says that a part of some embeddings is made."""
    return pattern.replace("results/embeddings/", "unfinished/parts/", 1) + "/{part}"


def of_variant(pattern: str) -> str:
    """Where an ablation's own result is, in place of the base's."""
    return pattern.replace("results/", "results/ablations/{variant}/", 1)


def shape(video: Mapping[str, Any]) -> str:
    """Frames, height, width and rate of videos as a folder's name, by the settings `frames`,
    `height`, `width` and `fps`: `17x64x64@8`.
    """
    return "{frames}x{height}x{width}@{fps}".format(**video)


def shape_of(name: str) -> tuple[tuple[int, int, int], float]:
    """Frames, height and width, and frames per second, of what `shape` named."""
    size, fps = name.split("@")
    frames, height, width = map(int, size.split("x"))
    return (frames, height, width), float(fps)


def log(rule: str, wildcards: str = "") -> str:
    """What a job wrote while it ran: `log("coupling", PAIR)`."""
    return f"logs/{_job(rule, wildcards)}.log"


def benchmark(rule: str, wildcards: str = "") -> str:
    """How long a job took, and how much memory."""
    return f"logs/{_job(rule, wildcards)}.tsv"


def _job(rule: str, wildcards: str) -> str:
    return f"{rule}/{wildcards}" if wildcards else rule


def captions(clips: Mapping[str, Any], split: str) -> str:
    """The table of a split's clips, by the settings `clips`; its column `clip` names files of
    `clip_folder`.
    """
    if clips["source"] == "folder":
        return f"results/clips/{split}.tsv"
    return f"{clips['folder']}/{split}/captions.tsv"


def clip_folder(clips: Mapping[str, Any], split: str) -> str:
    """The folder of a split's clips, by the settings `clips`."""
    if clips["source"] == "folder":
        from transporter.clips.layouts import clip_base

        return clip_base(clips["folder"], clips["layout"], split)
    return f"{clips['folder']}/{split}/clips"

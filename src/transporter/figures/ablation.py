"""The paper's ablation table: do captions of generated videos agree with the target captions, and
which of its orders hold?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from transporter.clips.contrast import Concept, read_concepts
from transporter.figures.comparison_tables import CONTROLS
from transporter.figures.table import Column, PaperTable
from transporter.figures.theme import METHODS
from transporter.metrics.caption_scores import ClipScores, caption_scores, has_java
from transporter.metrics.captions import SentenceCosine
from transporter.networks.published import fetched
from transporter.statistics.bootstrap import Interval, bootstrap
from transporter.statistics.proportions import mean_share
from transporter.support.errors import Unavailable, UserError
from transporter.support.files import read_table

BASE, FULL, BASELINE = "base", "full", "baseline"
"""The plain run, the variant that is the whole method with the variants' own bank settings, and
activation maximisation.
"""
LABELS = {
    BASELINE: "baseline (LEAPS)",
    "inference_only": "inference only",
    "phi_1": "Φ_1 only",
    "phi_2": "Φ_2 only",
    "mean": "mean of Φ_1, Φ_2",
    "sliced_gromov": "sliced Gromov-Wasserstein",
    "literal": "ρ-OT literal (plans, z1)",
    "p_50": "P = 50",
    "p_200": "P = 200",
    "p_400": "P = 400",
    "scaling_0": "0 scaling steps",
    "scaling_5": "5 scaling steps",
    "entropic": "Sinkhorn to its end (POT)",
    "exact": "optimal matchings (POT)",
    "kl": "KL for d_ω",
    "js": "JS for d_ω",
    "vocab": "support vocabulary",
    FULL: "TRANSPORTER",
    BASE: "TRANSPORTER, bank of the plain run",
    **{method: METHODS[method][0] for method in CONTROLS},
}
READINGS = {"phi": "caption_phi", "reencoded": "caption_reencoded"}
"""Who reads a caption: the VLM through the variant's own Phi, or from the decoded and re-encoded
video, alike for all rows.
"""
CHAINS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "full ≥ mean": ((FULL, "mean"), False),
    "mean > Φ_2 > Φ_1": (("mean", "phi_2", "phi_1"), True),
    "Hellinger ≥ JS ≥ KL": ((FULL, "js", "kl"), False),
    "ρ-OT > sliced Gromov-Wasserstein": ((FULL, "sliced_gromov"), True),
    "Φ_2 > inference only > Φ_1": (("phi_2", "inference_only", "phi_1"), True),
    "P = 400 ≥ 200 ≥ 100 ≥ 50": (("p_400", "p_200", FULL, "p_50"), False),
    "full > baseline": ((FULL, BASELINE), True),
}
"""Orders of the paper's table, better first, and whether they are strict."""
TITLES = {
    "cos": "cos",
    "bleu_1": "B@1",
    "bleu_4": "B@4",
    "rouge_l": "R",
    "cider": "C",
    "meteor": "M",
    "spice": "S",
}
"""Scores of a caption, and their headings."""
SUFFIXES = {"phi": "", "reencoded": " decoded"}
READERS = {"phi": "through Φ", "reencoded": "decoded"}
"""Who reads a caption, in headings and in sentences."""
ORDER_COLUMNS = [
    "order",
    "better",
    "worse",
    "reading",
    "score",
    "difference",
    "difference_low",
    "difference_high",
    "verdict",
]
HOLDS, EQUAL, FAILS, OPEN = "holds", "equal", "fails", "not settled"
CAPTION = (
    "Agreement of the caption of the generated video at φ = 1 with the target caption; clips per"
    " row: {clips}. cos: all-MiniLM-L6-v2; B, R, C, M: BLEU (of all clips together), ROUGE-L,"
    " CIDEr, METEOR (means over clips), in hundredths. Plain columns: the VLM reads through the"
    " variant's own Φ, so rows differ in video and reader; decoded: it reads the decoded video, the"
    " same way for every row. hits: share of clips that the probes call by the target word."
    " Brackets: 95 % of resamples of captions, of hits exact; no correction for many comparisons."
    " Not there: {missing}. The paper's orders by differences of {score} on the same clips, one"
    " training seed: {orders}."
)
HIT = "hit"
"""The probes' score: whether they see the target word rather than the source word."""
KEYS = ["concept", "caption", "seed"]
CLIP = ("concept", "generator", "vlm", "caption", "seed")
TEXT = ("caption", "caption_phi", "caption_reencoded", "caption_read")
"""Columns of a table of readings that name a clip, and those that are text whatever they hold."""
Cosines = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Captions and as many targets to a cosine of each pair `(n,)`."""


@dataclass(frozen=True)
class Variant:
    """One variant's clips at phi = 1: what names them, and their scores by who read them."""

    clips: pd.DataFrame
    scores: Mapping[str, ClipScores]

    def statistics(self) -> list[tuple[str, str]]:
        """Pairs of reading and score."""
        return [(reading, name) for reading, scores in self.scores.items() for name in scores.names]

    def shared(self, other: Variant) -> tuple[np.ndarray, np.ndarray]:
        """Rows of both that are about the same concept, caption and seed, in one order."""
        rows = [variant.clips[KEYS].reset_index(names="row") for variant in (self, other)]
        both = rows[0].merge(rows[1], on=KEYS, suffixes=("", "_other"))
        return both["row"].to_numpy(), both["row_other"].to_numpy()


def score_readings(
    readings: pd.DataFrame, concepts: Mapping[str, Concept], cosines: Cosines | None
) -> Variant:
    """Score the captions of one variant's clips at phi = 1 against the source captions with the
    word swapped.

    Captions are those columns of `READINGS` that are there; without `cosines` there is no `cos`.
    `p_source` and `p_target`, where there, give the probes' `hit`.

    Raises:
        UserError: no clips.
    """
    if readings.empty:
        raise UserError("ablation table: expected readings of clips at phi = 1, got none")
    clips = readings.reset_index(drop=True)
    targets = [
        concepts[name].swap(caption) or caption
        for name, caption in zip(clips["concept"], clips["caption"], strict=True)
    ]
    scores = {}
    for reading, column in READINGS.items():
        if column in clips:
            captions = clips[column].astype(str).tolist()
            agreement = caption_scores(captions, targets)
            cosine = {"cos": cosines(captions, targets)} if cosines else {}
            scores[reading] = ClipScores({**cosine, **agreement.per_clip}, agreement.counts)
    if "p_target" in clips:
        target, source = (
            pd.to_numeric(clips[column], errors="coerce") for column in ("p_target", "p_source")
        )
        scores["probes"] = ClipScores({HIT: (target > source).to_numpy(dtype=float)})
    return Variant(clips[KEYS], scores)


def compare(variants: Mapping[str, Variant]) -> pd.DataFrame:
    """One row per variant: every score `<reading>_<name>` with its interval, and its difference to
    the whole method with its own.

    Intervals come from resampled captions: clips of one caption, of any concept and seed, are drawn
    together. Differences are paired: only clips that both have count.
    """
    whole = FULL if FULL in variants else BASE
    rows = []
    for name in sorted(variants, key=_place):
        row: dict[str, object] = {
            "variant": name,
            "label": LABELS.get(name, name),
            "clips": len(variants[name].clips),
        }
        for reading, score in variants[name].statistics():
            row |= _interval(variants[name], reading, score).row(f"{reading}_{score}")
            between = difference(variants[name], variants[whole], reading, score)
            row |= {} if between is None else between.row(f"{reading}_{score}_difference")
        rows.append(row)
    return pd.DataFrame(rows)


def _place(name: str) -> int:
    return list(LABELS).index(name) if name in LABELS else list(LABELS).index(FULL)


def _interval(variant: Variant, reading: str, name: str) -> Interval:
    scores, captions = variant.scores[reading], variant.clips["caption"].tolist()
    if name == HIT:
        return mean_share(scores.per_clip[name], captions)
    return bootstrap(lambda rows: scores.score(name, rows), captions)


def difference(one: Variant, other: Variant, reading: str, name: str) -> Interval | None:
    """How much higher `one` scores on the clips that both have; None if there are none, or if
    either lacks the score.
    """
    if any(
        reading not in variant.scores or name not in variant.scores[reading].names
        for variant in (one, other)
    ):
        return None
    own, others = one.shared(other)
    if not len(own):
        return None
    first, second = one.scores[reading], other.scores[reading]
    captions = one.clips["caption"].to_numpy()[own].tolist()
    return bootstrap(
        lambda rows: first.score(name, own[rows]) - second.score(name, others[rows]), captions
    )


def verdict(gap: Interval, strict: bool) -> str:
    """Whether "better" is so: what the interval's ends say; equal in every clip is neither better
    nor worse, so a strict order fails by it.
    """
    if gap.low == gap.high == 0:
        return FAILS if strict else EQUAL
    if gap.low > 0:
        return HOLDS
    return FAILS if gap.high < 0 else OPEN


def orders(variants: Mapping[str, Variant]) -> pd.DataFrame:
    """Which of the paper's orders hold: one row per order, pair of neighbours, and score that both
    have.
    """
    variants = variants if FULL in variants else {**variants, FULL: variants[BASE]}
    rows = []
    for order, (chain, strict) in CHAINS.items():
        for better, worse in pairwise(chain):
            if better in variants and worse in variants:
                names = {"order": order, "better": better, "worse": worse}
                gaps = _gaps(variants[better], variants[worse], strict)
                rows += [names | gap for gap in gaps]
    return pd.DataFrame(rows, columns=ORDER_COLUMNS)


def _gaps(one: Variant, other: Variant, strict: bool) -> Iterator[dict[str, object]]:
    """By how much one is better than the other in every score that both have, and the verdict."""
    for reading, name in one.statistics():
        gap = difference(one, other, reading, name)
        if gap is not None:
            labels = {"reading": reading, "score": name}
            yield labels | gap.row("difference") | {"verdict": verdict(gap, strict)}


def order_score(names: Iterable[str]) -> str:
    """The score that the orders are judged by: the sentence cosine, or ROUGE-L where its model is
    not there.
    """
    return "cos" if "cos" in names else "rouge_l"


def orders_in_words(outcomes: pd.DataFrame, reading: str, score: str) -> str:
    """The orders by one score in words: an order fails if one of its steps does, is not settled if
    one is not, equal if all are, and else holds.
    """
    rows = outcomes[(outcomes["reading"] == reading) & (outcomes["score"] == score)]
    verdicts: dict[str, list[str]] = {HOLDS: [], EQUAL: [], FAILS: [], OPEN: []}
    for order, steps in rows.groupby("order", sort=False)["verdict"]:
        worst = next((word for word in (FAILS, OPEN, HOLDS) if word in set(steps)), EQUAL)
        verdicts[worst].append(order)
    return "; ".join(f"{word}: {', '.join(some) or 'none'}" for word, some in verdicts.items())


def columns(frame: pd.DataFrame) -> list[Column]:
    """What of the frame stands in the table: intervals for the cosines alone, since the others
    would fill two pages.
    """
    candidates = []
    for reading, suffix in SUFFIXES.items():
        for key, title in TITLES.items():
            candidates.append(Column(f"{reading}_{key}", title + suffix, True, 2, key == "cos"))
    candidates.append(Column("probes_hit", "hits", True, 2))
    return [column for column in candidates if column.key in frame]


def explain(frame: pd.DataFrame, sentences: Sequence[str]) -> str:
    """The table's caption: what the numbers are, what of the paper's table is not there, and what
    became of the paper's orders.
    """
    score = order_score(name.removeprefix("phi_") for name in frame)
    ends = {str(name).rpartition("_")[2] for name in frame}
    lacks = {
        "cos (its model could not be fetched)": score != "cos",
        "METEOR (no Java)": "meteor" not in ends,
        "SPICE (its parser is not installed)": "spice" not in ends,
        "the baseline": BASELINE not in set(frame["variant"]),
    }
    missing = ", ".join(what for what, lacking in lacks.items() if lacking) or "nothing"
    return CAPTION.format(
        clips="/".join(map(str, sorted(set(frame["clips"])))),
        missing=missing,
        score=score,
        orders=". ".join(sentences),
    )


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> PaperTable:
    """The table from the readings `base`, `variants` and `controls`, a file of every generator and
    VLM, the captions `baseline`, a file of every VLM, the table `concepts`, and the folder
    `sentences` of the sentence encoder.

    Settings: `variants`, the ablation of each file, `generators`, `vlms`, and `names` of the
    concepts.

    Raises:
        UserError: as `score_readings` does.
    """
    if not has_java():
        print("no java: no METEOR, and captions are cut at spaces and punctuation", flush=True)
    concepts = {
        concept.name: concept for concept in read_concepts(inputs["concepts"], settings["names"])
    }
    cosines = _cosines(inputs["sentences"])
    rows, outcomes, sentences = [], [], []
    everything = gather(inputs, settings)
    for (generator, vlm), readings in everything.groupby(["generator", "vlm"], sort=False):
        variants = {
            name: score_readings(part.dropna(axis=1, how="all"), concepts, cosines)
            for name, part in readings.groupby("variant", sort=False)
        }
        labels = {"generator": generator, "vlm": vlm}
        rows.append(compare(variants).assign(**labels))
        outcomes.append(orders(variants).assign(**labels))
        sentences.append(_sentence(outcomes[-1], vlm))
        print(sentences[-1], flush=True)
    frame = pd.concat(rows, ignore_index=True)
    return PaperTable(
        frame,
        ("vlm", "label"),
        columns(frame),
        explain(frame, sentences),
        group="vlm",
        extra={"orders": pd.concat(outcomes, ignore_index=True)},
    )


def _cosines(folder: str) -> Cosines | None:
    try:
        return SentenceCosine(fetched("minilm", folder), torch.device("cpu")).cosines
    except Unavailable as reason:
        print(f"no sentence cosine: {reason}", flush=True)
        return None


def _sentence(outcomes: pd.DataFrame, vlm: str) -> str:
    """What became of the paper's orders with one VLM, by either reading."""
    score = order_score(outcomes["score"].unique())
    words = [
        f"{vlm} {where}: {orders_in_words(outcomes, reading, score)}"
        for reading, where in READERS.items()
    ]
    return ". ".join(words)


def gather(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> pd.DataFrame:
    """Every variant's readings at phi = 1 in one table, and the controls'; a baseline's are taken
    as they are.
    """
    names = [*([BASE] * len(inputs["base"])), *settings["variants"]]
    paths = [*inputs["base"], *inputs["variants"]]
    tables = []
    for path, name in zip(paths, names, strict=True):
        table = read_table(path, (*CLIP, "method", "phi"), TEXT).assign(variant=name)
        tables.append(table[(table["phi"] == 1) & (table["method"] == "transporter")])
    for path in inputs["controls"]:
        table = read_table(path, (*CLIP, "method", "phi"), TEXT)
        chosen = (table["phi"] == 1) & table["method"].isin(CONTROLS)
        tables.append(table[chosen].assign(variant=table["method"]))
    for path, vlm in zip(inputs["baseline"], settings["vlms"], strict=True):
        tables += _inversions(path, vlm, settings["generators"])
    return pd.concat(tables, ignore_index=True)


def _inversions(path: str, vlm: str, generators: Sequence[str]) -> list[pd.DataFrame]:
    """What a VLM says of the clips that LEAPS made of it, which have pixels and no latents, so that
    no Phi reads them: alike beside every generator.
    """
    names = ("method", "target", "concept", "caption", "seed", "caption_read")
    table = read_table(path, names, TEXT)
    rows = table[(table["method"] == "leaps") & (table["target"] == "w")]
    rows = rows.rename(columns={"caption_read": "caption_reencoded"})
    return [rows.assign(variant=BASELINE, generator=generator, vlm=vlm) for generator in generators]

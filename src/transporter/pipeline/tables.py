"""The tables that stand in a run's report, each as a page: Snakemake shows HTML, and only offers
other tables for download.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transporter.pipeline import paths
from transporter.pipeline.cases import Cases
from transporter.pipeline.plan import Plan


@dataclass(frozen=True)
class Table:
    """A table that a rule writes.

    Attributes:
        path: of the table.
        caption: in the report, a file `workflow/report/<caption>.rst`.
        category: its chapter there.
        labels: what tells it from others of the chapter.
    """

    path: str
    caption: str
    category: str
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Beside the table."""
        return self.path.removesuffix(".tsv") + ".html"


def tables(plan: Plan) -> dict[str, list[Table]]:
    """By the name of the rule that makes their pages: those of a plain run, and those of the
    benchmarks of explanations and of maps.
    """
    return {
        "table_pages": [*_of_clips(plan), *_of_models(plan), *_of_world(plan), *_of_run()],
        "truth_pages": [
            Table(paths.TRUTH, "truth", "Truth", {"result": "verdicts"}),
            Table(paths.TRUTH_SUMMARY, "truth_summary", "Truth", {"result": "summary"}),
            Table(paths.TOLD_APART, "told_apart", "Truth", {"result": "planted or honest"}),
            Table(paths.TRUTH_DESCRIBED, "truth_described", "Truth", {"result": "described"}),
            *_reliance(plan),
            *_explained(plan),
        ],
        "saliency_pages": _of_maps(plan),
    }


def _of_clips(plan: Plan) -> list[Table]:
    """Which of a user's own clips are left out."""
    return [Table(paths.FAILED, "failed", "Clips", {"table": "failed"})] if plan.clips.own else []


def _of_models(plan: Plan) -> list[Table]:
    found = []
    for generator in plan.generators:
        for vlm in plan.vlms:
            models = {"generator": generator, "vlm": vlm}
            found += [
                Table(paths.filled(path, **models), caption, category, {**models, **labels})
                for path, caption, category, labels in (
                    (paths.CURVE, "curve", "Coupling", {"table": "training"}),
                    (paths.COUPLING_REPORT, "coupling", "Coupling", {"table": "held out"}),
                    (paths.ANSWERS, "answers", "Coupling", {"table": "answers"}),
                    (paths.SEPARATION, "separation", "Concepts", {"table": "vectors"}),
                )
            ]
    return found


def _of_world(plan: Plan) -> list[Table]:
    """Whether answers need time."""
    table = Table(paths.TEMPORAL, "temporal", "Truth", {"result": "time"})
    return [table] if plan.temporal_table() else []


def _reliance(plan: Plan) -> list[Table]:
    table = Table(paths.RELIANCE, "reliance", "Truth", {"result": "reliance"})
    return [table] if Cases(plan).shortcuts else []


def _explained(plan: Plan) -> list[Table]:
    table = Table(paths.TRUTH_EXPLAINED, "truth_explained", "Truth", {"result": "explained clips"})
    return [table] if Cases(plan).explained() else []


def _of_maps(plan: Plan) -> list[Table]:
    """Maps against masks: of real clips, and of worlds that know where their words are; and maps of
    prompts.
    """
    settings = plan.config["saliency"]
    asked = (
        (settings["masks"]["folder"], paths.MASKED, "masked", "real clips"),
        (settings["prompts"]["table"], paths.PROMPTS, "prompts", "prompts"),
    )
    found = []
    for path, caption, result in (rest for given, *rest in asked if given):
        for generator in plan.generators:
            names = {"generator": generator}
            table = paths.filled(path, **names)
            found.append(Table(table, caption, "Saliency", {**names, "result": result}))
    if not plan.world:
        return found
    for generator in plan.generators:
        names = {"generator": generator}
        placed = paths.filled(paths.PLACED, **names)
        found.append(Table(placed, "saliency", "Saliency", {**names, "result": "masks"}))
        for vlm in plan.vlms:
            names = {"generator": generator, "vlm": vlm}
            looks = paths.filled(paths.LOOKS, **names)
            found.append(Table(looks, "looks", "Saliency", {**names, "result": "both models"}))
    return found


def _of_run() -> list[Table]:
    return [
        Table(paths.FAITHFULNESS, "concepts", "Evaluation", {"table": "faithfulness"}),
        Table(paths.STRATA, "captions", "Evaluation", {"table": "lengths of captions"}),
        Table(paths.VERSIONS, "versions", "Provenance", {"table": "libraries"}),
    ]

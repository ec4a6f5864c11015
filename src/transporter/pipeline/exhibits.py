"""The figures and tables of the paper that a run can make: a row each, drawn by the module of
`transporter.figures` that it names.

A new one is such a module with a function `draw(inputs, settings)`, its test, and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transporter.generation.trials import demonstrations
from transporter.pipeline import paths
from transporter.pipeline.plan import Plan

KINDS = {"objects": "object", "actions": "action", "scenes": "scene"}
"""Figures of sweeps, and the kind of the concepts in them."""
FIGURE, TABLE = "figures", "tables"
FORMS = {FIGURE: ("pdf", "png"), TABLE: ("tsv", "tex", "pdf", "png")}
"""Folders of the paper, and the forms that everything in them comes in."""
SHAPE = ("frames", "height", "width")
IN_COMMON = ("concepts",)
"""Inputs that are no data of one exhibit."""


@dataclass(frozen=True)
class Row:
    """A figure or a table of the paper.

    Attributes:
        name: of its files.
        module: of `transporter.figures`, whose `draw` makes it.
        inputs: files by name, as a rule takes them.
        settings: what `draw` needs to know beside them.
        provenance: settings whose hash stands beneath; None for all of the run's.
        data: names of the inputs whose hash stands beneath; none given: all but the concepts.
        kind: `FIGURE` or `TABLE`.
        extra: further tables, in files `<name>_<extra>.tsv`.
        caption: of the report, a file `workflow/report/<caption>.rst`.
        mem_mb, runtime: megabytes and minutes that drawing it takes at most.
    """

    name: str
    module: str
    inputs: Mapping[str, str | list[str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Any = None
    data: Sequence[str] = ()
    kind: str = FIGURE
    extra: Sequence[str] = ()
    caption: str = ""
    mem_mb: int = 1000
    runtime: int = 10

    @property
    def rule(self) -> str:
        return f"figure_{self.name}" if self.kind == FIGURE else f"{self.name}_table"

    @property
    def code(self) -> str:
        """The module by its full name."""
        return f"transporter.figures.{self.module}"

    @property
    def sources(self) -> list[str]:
        """Names of the inputs that are its data."""
        return list(self.data) or [name for name in self.inputs if name not in IN_COMMON]

    def files(self) -> list[str]:
        """What stands in the paper: its files without further tables."""
        return [path for form, path in self.outputs().items() if form not in self.extra]

    def outputs(self) -> dict[str, str]:
        """Its files by form, further tables by name."""
        names = {"kind": self.kind, "exhibit": self.name}
        forms = {form: form for form in FORMS[self.kind]}
        forms |= {name: "tsv" for name in self.extra}
        found = {}
        for key, form in forms.items():
            place = f"{self.name}_{key}" if key in self.extra else self.name
            found[key] = paths.filled(paths.PAPER, **{**names, "exhibit": place}, form=form)
        return found


def exhibits(plan: Plan) -> list[Row]:
    """All that the run can make: a figure of a kind of concepts that it lacks is left out."""
    return [
        *_tables(plan),
        Row("method", "method", provenance={}, caption="method"),
        *_sweeps(plan),
        *_projections(plan),
        *_comparison(plan),
        *_modulations(plan),
    ]


def _videos(plan: Plan) -> dict[str, Any]:
    """Whose videos the figures show: the first generator's of the first VLM."""
    shape = plan.of("generators", plan.generators[0], only=SHAPE)({})
    return {"vlm": plan.vlms[0], "video": shape}


def _first(plan: Plan, pattern: str, **names: str) -> str:
    return paths.filled(pattern, generator=plan.generators[0], vlm=plan.vlms[0], **names)


def _of_kind(plan: Plan, kind: str) -> list[str]:
    return [concept.name for concept in plan.contrasts if concept.kind == kind]


def _tables(plan: Plan) -> list[Row]:
    scores = {
        "clips": paths.every(paths.SCORES, vlm=plan.vlms),
        "vectors": paths.every(paths.SCORED_VECTORS, vlm=plan.vlms),
    }
    protocol = {"protocol": paths.every(paths.PROTOCOL, vlm=plan.vlms)}
    ours = f"transporter/{plan.generators[0]}"
    settings = {"vlms": plan.vlms, "ours": ours, "seed": plan.config["seed"]}
    rest = {"kind": TABLE, "data": tuple(scores), "runtime": 30}
    return [
        Row(
            "main",
            "main_table",
            inputs={**scores, **protocol},
            settings=settings,
            extra=("protocol",),
            caption="main_table",
            **rest,
        ),
        Row(
            "similarity",
            "similarity_table",
            inputs=scores,
            settings=settings,
            caption="similarity_table",
            **rest,
        ),
        _ablation(plan),
    ]


def _ablation(plan: Plan) -> Row:
    variants = plan.config["ablations"]
    models = {"generator": plan.generators, "vlm": plan.vlms}
    readings = {
        "base": paths.every(paths.THROUGH_PHI, **models),
        "controls": paths.every(paths.READINGS, **models),
        "variants": paths.every(paths.of_variant(paths.READINGS), variant=variants, **models),
        "baseline": paths.every(paths.INVERTED_CAPTIONS, vlm=plan.vlms),
    }
    count = len(plan.generators) * len(plan.vlms)
    return Row(
        "ablation",
        "ablation",
        inputs={
            **readings,
            "concepts": plan.config["concepts"],
            "sentences": paths.filled(paths.WEIGHTS, weights="minilm"),
        },
        settings={
            "variants": [name for name in variants for _ in range(count)],
            "generators": plan.generators,
            "vlms": plan.vlms,
            "names": plan.concepts,
        },
        provenance=variants,
        data=tuple(readings),
        kind=TABLE,
        extra=("orders",),
        caption="ablation",
        mem_mb=3000,
        runtime=30,
    )


def _sweeps(plan: Plan) -> list[Row]:
    rows = []
    for figure, kind in KINDS.items():
        if not (names := _of_kind(plan, kind)):
            continue
        generated = [_first(plan, paths.GENERATED, concept=name) for name in names]
        generator = plan.config["generators"][plan.generators[0]]
        rows.append(
            Row(
                figure,
                "sweeps",
                inputs={
                    "readings": _first(plan, paths.READINGS),
                    "generated": generated,
                    "concepts": plan.config["concepts"],
                },
                settings={"names": names, **_videos(plan)},
                provenance=[plan.config["generation"], generator],
                caption="sweeps",
            )
        )
    return rows


def projections(config: Mapping[str, Any]) -> dict[str, int]:
    """The number of projections of rho-OT by variant: that of the whole method, and of the
    ablations that change it.
    """
    variants = config["ablations"]
    whole = "full" if "full" in variants else "base"
    found = {whole: config["coupling"]["projections"]}
    for name, changes in variants.items():
        if "projections" in (coupling := changes.get("coupling", {})):
            found[name] = coupling["projections"]
    return found


def _projections(plan: Plan) -> list[Row]:
    compared = projections(plan.config)
    if len(compared) < 2:
        return []
    table = paths.filled(paths.PAPER, kind=TABLE, exhibit="ablation", form="tsv")
    return [
        Row(
            "projections",
            "projections",
            inputs={"table": table},
            settings={"projections": compared},
            provenance=compared,
            caption="projections",
        )
    ]


def _comparison(plan: Plan) -> list[Row]:
    """Two words of each kind, as every method shows them."""
    methods = plan.config["baselines"]["methods"]
    if not any(methods.values()):
        return []
    names = [name for kind in KINDS.values() for name in _of_kind(plan, kind)[:2]]
    inverted = [path for name in names for path in plan.inverted([name])]
    return [
        Row(
            "comparison",
            "comparison",
            inputs={
                "inverted": [paths.filled(path, vlm=plan.vlms[0]) for path in inverted],
                "generated": [_first(plan, paths.GENERATED, concept=name) for name in names],
                "concepts": plan.config["concepts"],
            },
            settings={"names": names, **_videos(plan)},
            provenance=[methods, plan.config["generation"]],
            caption="comparison",
        )
    ]


def _modulations(plan: Plan) -> list[Row]:
    """Several concepts at once, or one in a part of the steps or frames."""
    figures, phi = plan.config["figures"], plan.config["generation"]["phi"]
    asked = {made.figure for made in demonstrations(figures, phi, plan.contrasts)}
    modules = {"several": "several", "injection": "spans", "partial_frames": "spans"}
    inputs = {
        "generated": _first(plan, paths.MODULATED),
        "concepts": plan.config["concepts"],
    }
    return [
        Row(
            figure,
            modules[figure],
            inputs=inputs,
            settings={"figure": figure, **_videos(plan)},
            provenance=[figures, phi],
            caption=figure,
        )
        for figure in sorted(asked)
    ]

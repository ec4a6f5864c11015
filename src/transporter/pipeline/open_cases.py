"""What a finished benchmark explains, for methods of others: its clips, its VLMs and its judges."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from transporter.clips.contrast import read_concepts
from transporter.coupling.reader import Reader
from transporter.pipeline import paths
from transporter.pipeline.cases import Cases
from transporter.pipeline.devices import pick_device
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.plan import Plan
from transporter.pipeline.project import Project
from transporter.support.errors import UserError
from transporter.support.files import read_table
from transporter.truth.cases import HONEST, NULLS, Case
from transporter.truth.controls import ORIGIN, Controls
from transporter.truth.nulls import as_case
from transporter.truth.readings import READINGS
from transporter.truth.score import OpenCase


def open_case(case: str, concept: str | None = None, project: Project | None = None) -> OpenCase:
    """A VLM of a finished `snakemake truth`, and the clips that its explanations were shown in.

    Args:
        case: a shortcut of the table, with `_withheld` behind it where its words are, `honest`,
            `coin` or `one_word`; of the run's first VLM.
        concept: the pair of words; by default the first that the case is explained by.
        project: by default that of the working folder.

    Raises:
        UserError: the run has no such case, or has not read it yet.
    """
    project = project or Project.open()
    with chdir(project.root):
        return _loaded(case, concept, Plan(project.settings))


def _loaded(name: str, concept: str | None, plan: Plan) -> OpenCase:
    cases, config = Cases(plan), plan.config
    subjects = [one for one in cases.subjects if one.case == name and one.vlm == cases.planted_vlm]
    subject = next((one for one in subjects if concept in (None, one.concept)), None)
    if subject is None:
        known = ", ".join(dict.fromkeys(f"{one.case} ({one.concept})" for one in cases.subjects))
        asked = name if concept is None else f"{name} ({concept})"
        raise UserError(f"case: expected a case of the benchmark ({known}), got {asked}")
    names = {"generator": plan.generators[0], **subject._asdict()}
    readings = read_table(paths.filled(paths.TRUTH_READINGS, **names), READINGS)
    device, model = pick_device(), config["generators"][names["generator"]]
    generator = load_generator(model, device)
    vlm = load_vlm(cases.vlm(names), generator.video_shape, device, generator.fps)
    honest = vlm if name in NULLS else None
    if name not in (HONEST, *NULLS):
        honest = load_vlm(config["vlms"][subject.vlm], generator.video_shape, device, generator.fps)
    [pair] = read_concepts(config["truth"]["concepts"], [subject.concept])
    world, probes = plan.world, None
    if world is not None and config["probes"]:
        probes = world.probes(config["probes"], device)
    shown = readings.loc[readings["method"] == ORIGIN, "caption"].drop_duplicates().tolist()
    controls = Controls.load(paths.filled(paths.CONTROLS, **names))
    captions = [minus for minus, _ in controls.pairs]
    chosen = controls.only([captions.index(caption) for caption in shown])
    return OpenCase(
        Case.named(name, pair, cases.shortcuts, world),
        Reader(generator, as_case(vlm, name)),
        chosen.z_xi[ORIGIN].flatten(0, 1),
        readings,
        honest,
        probes,
        _natural() if probes else None,
    )


def _natural() -> dict[str, float]:
    """How much the probes' attributes vary by themselves."""
    table = read_table(Path(paths.NATURAL), ("attribute", "variation"))
    return dict(zip(table["attribute"], table["variation"], strict=True))

# What all rules share: the checked settings, what a run makes by them (plan, cases), and where results are (paths).
import os
import re
import sys

from snakemake.utils import update_config

from transporter.pipeline import paths
from transporter.pipeline.cases import HONEST, NULLS, Cases
from transporter.pipeline.config import check_config, read_sources
from transporter.pipeline.devices import SUBMITTED, is_single_submitted
from transporter.pipeline.exhibits import exhibits
from transporter.pipeline.failed_fits import failed_line
from transporter.pipeline.job_memory import JobMemory, device_bytes
from transporter.pipeline.own_clips import left_out_line
from transporter.pipeline.paths import PAIR
from transporter.pipeline.plan import (
    ADAPTED,
    GUIDED,
    LITERAL,
    MICROWORLD,
    PAGE,
    PROCESSES,
    SAMPLING,
    VIDEO,
    WINDOW,
    Plan,
)
from transporter.pipeline.prefork import Prefork
from transporter.pipeline.tables import tables
from transporter.support.errors import UserError
from transporter.support.files import remove_partial

try:
    given = workflow.config_settings.config
    sources = read_sources(
        ["config/config.yaml", *workflow.overwrite_configfiles], given
    )
    update_config(config, sources[-1][1])
    config = check_config(config, sources)
    plan = Plan(config)
    cases = Cases(plan)
    CONCEPTS, SUBJECTS, TABLES = plan.concepts, cases.subjects, tables(plan)
except UserError as error:
    sys.exit(str(error))

# training gains little from more; on a small machine videos are made beside it
cores = (
    workflow.resource_settings.cores or 8
)  # none are said for a cluster, or a report
HALF_OF_THE_CORES = min(4, max(1, cores // 2))

# this is a job on a cluster, whose batch system has chosen its devices
if is_single_submitted(workflow):
    os.environ[SUBMITTED] = "1"

of, files, code = plan.of, plan.files, plan.code
PAGE_PARTS = [f"figures/gallery{end}" for end in (".html", ".css", ".js", "_maps.js")]
job_memory = JobMemory(
    plan,
    lambda: device_bytes(workflow.resource_settings.resources, workflow.local_exec),
    counts=workflow.is_main_process,
)
prefork = Prefork(*plan.adapters({}, *ADAPTED))


wildcard_constraints:
    split="|".join(plan.clips.splits),
    generator="[A-Za-z0-9_.-]+",
    vlm="[A-Za-z0-9_.-]+",
    concept="[A-Za-z0-9_.-]+",
    shortcut="|".join(plan.shortcuts) or "none",
    part=r"\d+",
    shape=r"\d+x\d+x\d+@[0-9.e+-]+",
    variant="|".join(map(re.escape, config["ablations"])) or "none",
    case="|".join([HONEST, *NULLS, *plan.shortcuts, *cases.withheld]),
    objective="|".join(config["truth"]["objectives"]),


def reported(path, caption, category, **labels):
    """A result that stands in the report, labelled by the models that its path names."""
    models = [name for name in ("generator", "vlm") if f"{{{name}}}" in path]
    labels = {**{name: f"{{{name}}}" for name in models}, **labels}
    caption = f"../report/{caption}.rst"
    return report(path, caption=caption, category=category, labels=labels or None)


def outputs_of(row):
    """An exhibit's files; the picture, and the tables to compute with, stand in the report."""
    return {
        form: (
            path
            if path.endswith((".pdf", ".tex"))
            else reported(path, row.caption, "Paper", exhibit=row.name, form=form)
        )
        for form, path in row.outputs().items()
    }


def run_outputs(wildcards):
    """What a plain run makes; words that the captions lack, and models that do not fit, are told
    before any job starts.
    """
    if line := job_memory.refusal():
        sys.exit(line)
    if line := plan.not_served():
        print(line, file=sys.stderr)
    return plan.final_outputs()


def truth_outputs(wildcards):
    """What the benchmark makes; words that the captions lack are told before any job starts."""
    try:
        line = cases.not_served()
    except UserError as error:
        sys.exit(str(error))
    if line:
        print(line, file=sys.stderr)
    return cases.final_outputs()

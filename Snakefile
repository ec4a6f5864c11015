# From the logits of a video vision-language model to videos. `snakemake --cores all` makes results/gallery/index.html.
from snakemake.utils import min_version

from transporter.pipeline.templates import exit_on_code

min_version("9.0")
exit_on_code(["config/config.yaml", *workflow.overwrite_configfiles])


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/clips.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/coupling.smk"
include: "workflow/rules/concepts.smk"
include: "workflow/rules/generation.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/truth.smk"
include: "workflow/rules/truth_explained.smk"
include: "workflow/rules/saliency.smk"
include: "workflow/rules/explanations.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/paper.smk"


if config["world"] == MICROWORLD:

    include: "workflow/rules/microworld.smk"


# The folder is locked now, so what is half-written is of a run that was killed.
onstart:
    remove_partial(plan.written_folders())
    if workflow.local_exec:
        prefork.start()


onsuccess:
    prefork.end()
    if plan.clips.own and (line := left_out_line(**plan.clips.left_out())):
        print(line, file=sys.stderr)
    if line := failed_line(plan.of_run(paths.SEPARATION)):
        print(line, file=sys.stderr)


onerror:
    prefork.end()


rule all:
    default_target: True
    input:
        run_outputs,
        [row.page for row in TABLES["table_pages"]],

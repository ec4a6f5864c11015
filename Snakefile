# From the logits of a video vision-language model to videos. `snakemake --cores all` makes results/gallery/index.html.
configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/clips.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/coupling.smk"
include: "workflow/rules/concepts.smk"
include: "workflow/rules/generation.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/planted.smk"
include: "workflow/rules/cases.smk"
include: "workflow/rules/truth.smk"
include: "workflow/rules/versions.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/exhibits.smk"
include: "workflow/rules/paper_figures.smk"
include: "workflow/rules/paper.smk"


rule all:
    default_target: True
    input:
        final_outputs(),

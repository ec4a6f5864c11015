# The paper's tables and figures: `snakemake --cores all paper`. Any one is remade alone by asking for its file.
# One rule draws them all; the rows are in src/transporter/pipeline/exhibits.py.

EXHIBITS = exhibits(plan)


rule paper:
    input:
        [path for row in EXHIBITS for path in row.files()],


def outputs_of(row):
    """Its files; the picture, and the tables to compute with, stand in the report."""
    return {
        form: (
            path
            if path.endswith((".pdf", ".tex"))
            else reported(path, row.caption, "Paper", exhibit=row.name, form=form)
        )
        for form, path in row.outputs().items()
    }


for row in EXHIBITS:

    rule:
        name:
            row.rule
        input:
            **row.inputs,
        output:
            **outputs_of(row),
        log:
            paths.log(row.rule),
        benchmark:
            paths.benchmark(row.rule)
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=row.mem_mb,
            runtime=row.runtime,
        params:
            module=row.code,
            settings=row.settings,
            provenance=row.provenance,
            data=row.sources,
            code=code(row.code),
        script:
            "../scripts/figure.py"

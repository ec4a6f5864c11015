# The paper's tables and figures: `snakemake --cores all paper`. Any one is remade alone by asking for its file.
# One rule draws them all; the rows are in src/transporter/pipeline/exhibits.py.

EXHIBITS = exhibits(plan)


rule paper:
    input:
        [path for row in EXHIBITS for path in row.files()],


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

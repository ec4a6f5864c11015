# The tables that stand in the report (rows in src/transporter/pipeline/tables.py), and what the results were made with.


rule versions:
    input:
        paths.FAITHFULNESS,
    output:
        paths.VERSIONS,
    log:
        paths.log("versions"),
    benchmark:
        paths.benchmark("versions")
    localrule: True
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        pooled=plan.pooled(),
    script:
        "../scripts/versions.py"


for name, rows in TABLES.items():

    rule:
        name:
            name
        input:
            [row.path for row in rows],
        output:
            [
                reported(row.page, row.caption, row.category, **row.labels)
                for row in rows
            ],
        log:
            paths.log(name),
        benchmark:
            paths.benchmark(name)
        localrule: True
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            code=code("transporter.figures.table_page"),
        script:
            "../scripts/table_pages.py"

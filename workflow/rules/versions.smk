# What the results were made with.


rule versions:
    input:
        "results/evaluation/concepts.tsv",
    output:
        report(
            "results/versions.tsv",
            caption="../report/versions.rst",
            category="Provenance",
        ),
    log:
        "logs/versions.log",
    benchmark:
        "logs/versions.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=500,
        runtime=5,
    script:
        "../scripts/versions.py"

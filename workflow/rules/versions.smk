# What the results were made with.


rule versions:
    input:
        paths.FAITHFULNESS,
    output:
        reported(paths.VERSIONS, "versions", "Provenance"),
    log:
        paths.log("versions"),
    benchmark:
        paths.benchmark("versions")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    script:
        "../scripts/versions.py"

# Where and when does a generator put a word? Maps of its attention, scored by true masks: `snakemake --cores all saliency`.


rule saliency:
    input:
        [row.page for row in TABLES["saliency_pages"]],
        plan.of_run(paths.CHANGES),


rule saliency_truth:
    input:
        files("generators", "{generator}"),
    output:
        paths.PLACED,
    log:
        paths.log("saliency_truth", "{generator}"),
    benchmark:
        paths.benchmark("saliency_truth", "{generator}")
    conda:
        "../../envs/transporter.yaml"
    threads: 2
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=config["saliency"],
        world=config["world"],
        seed=config["seed"],
        code=code("transporter.saliency.report", adapters=["generators"], world=True),
    script:
        "../scripts/saliency_truth.py"


rule saliency_maps:
    input:
        model=files("generators", "{generator}"),
        generated=paths.GENERATED,
        concepts=config["concepts"],
    output:
        directory(paths.MAPS),
    log:
        paths.log("saliency_maps", f"{PAIR}/{{concept}}"),
    benchmark:
        paths.benchmark("saliency_maps", f"{PAIR}/{{concept}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=config["saliency"],
        seed=config["seed"],
        code=code("transporter.saliency.generated", adapters=["generators"]),
    script:
        "../scripts/saliency_maps.py"


rule saliency_changes:
    input:
        paths.every(paths.MAPS, concept=CONCEPTS),
    output:
        paths.CHANGES,
    log:
        paths.log("saliency_changes", PAIR),
    benchmark:
        paths.benchmark("saliency_changes", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.saliency.changes"),
    script:
        "../scripts/saliency_changes.py"

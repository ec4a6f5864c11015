# What the VLM and the probes see in the generated videos.


rule concept_readings:
    input:
        unpack(plan.reader),
        bank=paths.BANK,
        generated=[paths.GENERATED],
        concepts=config["concepts"],
        probes=files("probes"),
    output:
        paths.CONCEPT_READINGS,
    log:
        paths.log("concept_readings", f"{PAIR}/{{concept}}"),
    benchmark:
        paths.benchmark("concept_readings", f"{PAIR}/{{concept}}")
    priority: 1  # the page waits for it
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        vlm=of("vlms", "{vlm}"),
        output=of("coupling", "output"),
        probes=config["probes"],
        world=config["world"],
        names=["{concept}"],
        seed=config["seed"],
        code=code(
            "transporter.metrics.faithfulness",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/concept_readings.py"


rule readings:
    input:
        paths.every(paths.CONCEPT_READINGS, concept=CONCEPTS),
    output:
        paths.READINGS,
    log:
        paths.log("readings", PAIR),
    benchmark:
        paths.benchmark("readings", PAIR)
    priority: 1
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    script:
        "../scripts/readings.py"


rule evaluation:
    input:
        plan.of_run(paths.READINGS),
    output:
        readings=paths.ALL_READINGS,
        concepts=paths.FAITHFULNESS,
        strata=paths.STRATA,
    log:
        paths.log("evaluation"),
    benchmark:
        paths.benchmark("evaluation")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.metrics.summary"),
    script:
        "../scripts/evaluation.py"

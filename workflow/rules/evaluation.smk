# What the VLM and the probes see in the generated videos.


rule concept_readings:
    input:
        unpack(plan.models),
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
    priority: PAGE
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 4000),
        runtime=240,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        vlm=of("vlms", "{vlm}"),
        probes=config["probes"],
        world=config["world"],
        names=["{concept}"],
        seed=config["seed"],
        at_once=config["memory"]["reading"],
        code=code(
            "transporter.metrics.faithfulness",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/concept_readings.py"


# what Phi makes of the same clips; nothing that a run shows waits for it
use rule concept_readings as readings_through_phi with:
    input:
        unpack(plan.reader),
        bank=paths.BANK,
        generated=paths.every(paths.GENERATED, concept=CONCEPTS),
        concepts=config["concepts"],
        probes=files("probes"),
    output:
        paths.THROUGH_PHI,
    log:
        paths.log("readings_through_phi", PAIR),
    benchmark:
        paths.benchmark("readings_through_phi", PAIR)
    priority: 0
    params:
        names=CONCEPTS,
        methods=["transporter"],
        output=of("coupling", "output"),


rule answers_through_phi:
    input:
        paths.THROUGH_PHI,
    output:
        paths.ANSWERS,
    log:
        paths.log("answers_through_phi", PAIR),
    benchmark:
        paths.benchmark("answers_through_phi", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.metrics.summary"),
    script:
        "../scripts/answers_through_phi.py"


rule readings:
    input:
        paths.every(paths.CONCEPT_READINGS, concept=CONCEPTS),
    output:
        paths.READINGS,
    log:
        paths.log("readings", PAIR),
    benchmark:
        paths.benchmark("readings", PAIR)
    priority: PAGE
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
    priority: PAGE
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.metrics.summary"),
    script:
        "../scripts/evaluation.py"

# Phi, from the generator's latents to the VLM's tokens.


rule coupling:
    input:
        unpack(plan.pairs("train", "validation")),
        generator=files("generators", "{generator}"),
    output:
        coupling=paths.COUPLING,
        curve=paths.CURVE,
    log:
        paths.log("coupling", PAIR),
    benchmark:
        paths.benchmark("coupling", PAIR)
    priority: 0 if plan.words_alone else PAGE + 2
    conda:
        "../../envs/transporter.yaml"
    threads: HALF_OF_THE_CORES
    resources:
        gpu=config["coupling"]["processes"],
        tasks=0,  # one for all GPUs
        mem_mb=job_memory.mem_mb("coupling", 6000),
        runtime=1440,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        settings=of("coupling", without=LITERAL),
        seed=config["seed"],
        code=code(
            "transporter.coupling.processes",
            "transporter.coupling.aligned",
            adapters=["generators"],
        ),
    script:
        "../scripts/coupling.py"


# rho-OT as the paper has it, trained on Phi's parts for its row in the report.
rule coupling_literal:
    input:
        unpack(plan.pairs("train", "validation")),
        generator=files("generators", "{generator}"),
        coupling=paths.COUPLING,
    output:
        paths.LITERAL,
    log:
        paths.log("coupling_literal", PAIR),
    benchmark:
        paths.benchmark("coupling_literal", PAIR)
    conda:
        "../../envs/transporter.yaml"
    threads: HALF_OF_THE_CORES
    resources:
        gpu=config["coupling"]["processes"],
        tasks=0,  # one for all GPUs
        mem_mb=job_memory.mem_mb("coupling", 6000),
        runtime=720,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        settings=of("coupling", without=PROCESSES),
        seed=config["seed"],
        code=code(
            "transporter.coupling.processes",
            "transporter.coupling.aligned",
            adapters=["generators"],
        ),
    script:
        "../scripts/coupling_literal.py"


rule coupling_report:
    input:
        unpack(plan.pairs("held_out")),
        unpack(plan.reader),
        literal=plan.literal(),
        concepts=config["concepts"],
    output:
        paths.COUPLING_REPORT,
    log:
        paths.log("coupling_report", PAIR),
    benchmark:
        paths.benchmark("coupling_report", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("coupling_report", 4000),
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        vlm=of("vlms", "{vlm}"),
        names=CONCEPTS,
        code=code(
            "transporter.coupling.report",
            "transporter.coupling.aligned",
            adapters=["generators", "vlms"],
        ),
    script:
        "../scripts/coupling_report.py"

# The concept bank: one map or vector per contrast pair, in the generator's condition space.

# Maps of words need captions alone: videos do not wait for the coupling, and how far the maps lead is told once it is there.
if plan.words_alone:

    ruleorder: concept_maps > concept_bank
    ruleorder: concept_maps_report > concept_bank

    rule concept_maps:
        input:
            model=files("generators", "{generator}"),
            captions=plan.clips.captions("train"),
            concepts=config["concepts"],
        output:
            paths.BANK,
        log:
            paths.log("concept_maps", PAIR),
        benchmark:
            paths.benchmark("concept_maps", PAIR)
        priority: 2 * PAGE  # videos wait for it
        conda:
            "../../envs/transporter.yaml"
        resources:
            gpu=1,
            mem_mb=job_memory.mem_mb("captions", 3000),
            runtime=60,
        params:
            generator=of("generators", "{generator}", without=SAMPLING),
            names=CONCEPTS,
            settings=of("bank"),
            seed=config["seed"],
            limit=config["memory"]["contexts"],
            world=config["world"],
            code=code(
                "transporter.concepts.bank",
                "transporter.concepts.contexts",
                "transporter.concepts.settings",
                adapters=["generators"],
                world=True,
            ),
        script:
            "../scripts/concept_maps.py"

    rule concept_maps_report:
        input:
            unpack(plan.reader),
            bank=paths.BANK,
            captions=plan.clips.captions("train"),
            z_xi=paths.filled(paths.Z_XI, split="train"),
            concepts=config["concepts"],
        output:
            paths.SEPARATION,
        log:
            paths.log("concept_maps_report", PAIR),
        benchmark:
            paths.benchmark("concept_maps_report", PAIR)
        conda:
            "../../envs/transporter.yaml"
        resources:
            gpu=1,
            mem_mb=job_memory.mem_mb("concept_readings", 4000),
            runtime=120,
        params:
            generator=of("generators", "{generator}", without=SAMPLING),
            vlm=of("vlms", "{vlm}"),
            names=CONCEPTS,
            output=of("coupling", "output"),
            settings=of("bank"),
            seed=config["seed"],
            limit=config["memory"]["contexts"],
            code=code("transporter.concepts.fitting", adapters=["generators", "vlms"]),
        script:
            "../scripts/concept_maps_report.py"


rule edits:
    input:
        model=files("generators", "{generator}"),
        captions=plan.clips.captions("train"),
        concepts=config["concepts"],
    output:
        directory(paths.EDITS),
    log:
        paths.log("edits", "{generator}"),
    benchmark:
        paths.benchmark("edits", "{generator}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("generation", 3000),
        runtime=720,
    params:
        generator=of("generators", "{generator}"),
        groups=config["edits"]["captions"],
        world=config["world"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code("transporter.concepts.edits", adapters=["generators"], world=True),
    script:
        "../scripts/edits.py"


rule concept_bank:
    input:
        unpack(plan.reader),
        unpack(plan.edits),
        captions=plan.clips.captions("train"),
        z_xi=paths.filled(paths.Z_XI, split="train"),
        concepts=config["concepts"],
    output:
        bank=paths.BANK,
        table=paths.SEPARATION,
    log:
        paths.log("concept_bank", PAIR),
    benchmark:
        paths.benchmark("concept_bank", PAIR)
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_bank", 6000),
        runtime=1440,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        vlm=of("vlms", "{vlm}"),
        names=CONCEPTS,
        output=of("coupling", "output"),
        settings=of("bank"),
        objectives=plan.objectives,
        seed=config["seed"],
        limit=config["memory"]["contexts"],
        world=config["world"],
        code=code(
            "transporter.concepts.answered",
            "transporter.concepts.fitting",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/concept_bank.py"

# The concept bank: one vector per contrast pair, in the generator's condition space.


rule edits:
    input:
        model=files("generators", "{generator}"),
        captions=plan.captions("train"),
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
        mem_mb=3000,
        runtime=720,
    params:
        generator=of("generators", "{generator}"),
        groups=config["edits"]["captions"],
        seed=config["seed"],
        code=code("transporter.concepts.edits", adapters=["generators"]),
    script:
        "../scripts/edits.py"


rule concept_bank:
    input:
        unpack(plan.reader),
        unpack(plan.edits),
        captions=plan.captions("train"),
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
        mem_mb=6000,
        runtime=1440,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        vlm=of("vlms", "{vlm}"),
        names=CONCEPTS,
        output=of("coupling", "output"),
        settings=of("bank"),
        objectives=plan.objectives,
        seed=config["seed"],
        code=code(
            "transporter.concepts.edits",
            "transporter.concepts.fitting",
            adapters=["generators", "vlms"],
        ),
    script:
        "../scripts/concept_bank.py"

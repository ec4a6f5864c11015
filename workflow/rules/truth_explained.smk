# Clips that nobody generated, explained of VLMs whose cue is known: a part of `snakemake --cores all truth`.


rule truth_explained:
    input:
        unpack(cases.models),
        captions=plan.clips.captions("held_out"),
        clips=plan.clips.inputs("held_out"),
        concepts=config["truth"]["concepts"],
        vocabulary=config["concepts"],
        shortcuts=config["shortcuts"],
        probes=files("probes"),
    output:
        paths.TRUTH_CLIPS,
    log:
        paths.log("truth_explained", f"{PAIR}/{{case}}/{{concept}}"),
    benchmark:
        paths.benchmark("truth_explained", f"{PAIR}/{{case}}/{{concept}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 4000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        vlm=cases.vlm,
        clips=config["truth"]["explained"],
        looks=of("explanations", only=["draws", "pairs"]),
        folder=plan.clips.folder_from("held_out"),
        part=of("clips", only=WINDOW),
        probes=config["probes"],
        world=config["world"],
        seed=config["seed"],
        code=code(
            "transporter.explainer.explainer",
            "transporter.explainer.known_cues",
            "transporter.explainer.many",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/truth_explained.py"


rule truth_explained_table:
    input:
        explained=cases.explained(),
        answers=paths.PLANTED_ANSWERS if cases.shortcuts else [],
        shortcuts=config["shortcuts"],
    output:
        paths.TRUTH_EXPLAINED,
    log:
        paths.log("truth_explained_table"),
    benchmark:
        paths.benchmark("truth_explained_table")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        world=config["world"],
        code=code("transporter.explainer.known_cues", world=True),
    script:
        "../scripts/truth_explained_table.py"

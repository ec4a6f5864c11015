# What would have to change in a clip for the VLM to answer otherwise? `snakemake --cores all explanations`.


rule explanations:
    input:
        paths.EXPLANATIONS_PAGE,


rule explained_clips:
    input:
        generator=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}"),
        captions=plan.clips.captions(config["explanations"]["split"]),
        clips=plan.clips.inputs(config["explanations"]["split"]),
        concepts=config["concepts"],
        probes=files("probes"),
        lpips=(
            paths.filled(paths.WEIGHTS, weights="lpips")
            if config["explanations"]["lpips"]
            else []
        ),
    output:
        directory(paths.EXPLAINED),
    log:
        paths.log("explained_clips", f"{PAIR}/{{concept}}"),
    benchmark:
        paths.benchmark("explained_clips", f"{PAIR}/{{concept}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 4000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        vlm=of("vlms", "{vlm}"),
        settings=config["explanations"],
        folder=plan.clips.folder_from(config["explanations"]["split"]),
        part=of("clips", only=WINDOW),
        probes=config["probes"],
        world=config["world"],
        seed=config["seed"],
        code=code(
            "transporter.explainer.explainer",
            "transporter.explainer.many",
            "transporter.clips.split",
            adapters=["generators", "vlms"],
            world=True,
            files=["explainer/page.html"],
        ),
    script:
        "../scripts/explained_clips.py"


rule explanations_page:
    input:
        explained=paths.every(
            paths.EXPLAINED,
            generator=plan.generators,
            vlm=plan.vlms,
            concept=CONCEPTS,
        ),
    output:
        page=paths.EXPLANATIONS_PAGE,
        table=paths.EXPLANATIONS,
    log:
        paths.log("explanations_page"),
    benchmark:
        paths.benchmark("explanations_page")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=CONCEPTS,
        concepts=config["concepts"],
        code=code("transporter.explainer.many_page", files=["explainer/many_page.html"]),
    script:
        "../scripts/explanations_page.py"

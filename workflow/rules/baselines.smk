# What TRANSPORTER is compared with: the VLM inverted into clips by activation maximisation, and the scores of all methods.


rule published_weights:
    output:
        directory(paths.WEIGHTS),
    log:
        paths.log("published_weights", "{weights}"),
    benchmark:
        paths.benchmark("published_weights", "{weights}")
    wildcard_constraints:
        weights="i3d|lpips|minilm",
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        code=code("transporter.networks.published"),
    script:
        "../scripts/published_weights.py"


rule inversion:
    input:
        model=files("vlms", "{vlm}"),
        clip_judge=files("metrics", "clip_judge"),
        verifier=plan.inversion_verifier(),
        clips=plan.clips.inputs("train"),
        seen=plan.clips.captions("train"),
        captions=plan.clips.captions("held_out"),
        concepts=config["concepts"],
    output:
        directory(paths.INVERTED),
    log:
        paths.log("inversion", "{vlm}/{method}/{target}/{concept}"),
    benchmark:
        paths.benchmark("inversion", "{vlm}/{method}/{target}/{concept}")
    wildcard_constraints:
        method="|".join(config["baselines"]["methods"]),
        target="w|w_dw",
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("inversion", 3000),
        runtime=720,
    params:
        clips=plan.clips.folder_from("train"),
        part=of("clips", only=WINDOW),
        vlm=of("vlms", "{vlm}"),
        video=plan.video(),
        world=config["world"],
        clip_judge=config["metrics"]["clip_judge"],
        settings=of("baselines", without=["methods"]),
        seed=config["seed"],
        code=code(
            "transporter.baselines.inverted_clips",
            "transporter.clips.split",
            adapters=["vlms"],
            world=True,
        ),
    script:
        "../scripts/inversion.py"


rule baseline_captions:
    input:
        model=files("vlms", "{vlm}"),
        inverted=plan.inverted(CONCEPTS),
        concepts=config["concepts"],
    output:
        paths.INVERTED_CAPTIONS,
    log:
        paths.log("baseline_captions", "{vlm}"),
    benchmark:
        paths.benchmark("baseline_captions", "{vlm}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("baseline_captions", 3000),
        runtime=60,
    params:
        vlm=of("vlms", "{vlm}"),
        video=plan.video(),
        code=code("transporter.metrics.systems", adapters=["vlms"]),
    script:
        "../scripts/baseline_captions.py"


rule scores:
    input:
        model=files("vlms", "{vlm}"),
        inverted=plan.inverted(CONCEPTS),
        generated=paths.every(
            paths.GENERATED, generator=plan.generators, concept=CONCEPTS
        ),
        captions_held_out=plan.clips.captions("held_out"),
        captions_validation=plan.clips.captions("validation"),
        clips_held_out=plan.clips.inputs("held_out"),
        clips_validation=plan.clips.inputs("validation"),
        concepts=config["concepts"],
        probes=files("probes"),
        clip_judge=files("metrics", "clip_judge"),
        i3d=paths.filled(paths.WEIGHTS, weights="i3d"),
        lpips=paths.filled(paths.WEIGHTS, weights="lpips"),
    output:
        clips=paths.SCORES,
        vectors=paths.SCORED_VECTORS,
        protocol=paths.PROTOCOL,
    log:
        paths.log("scores", "{vlm}"),
    benchmark:
        paths.benchmark("scores", "{vlm}")
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("scores", 4000),
        runtime=240,
    params:
        vlm=of("vlms", "{vlm}"),
        video=plan.video(),
        folders={
            split: plan.clips.folder(split) for split in ("held_out", "validation")
        },
        part=of("clips", only=WINDOW),
        probes=config["probes"],
        world=config["world"],
        settings=config["metrics"],
        at_once=config["memory"]["reading"],
        code=code(
            "transporter.clips.split",
            "transporter.metrics.alignment",
            "transporter.metrics.embeddings",
            "transporter.metrics.frechet",
            "transporter.metrics.perceptual",
            "transporter.metrics.scoring",
            "transporter.metrics.systems",
            adapters=["vlms"],
            world=True,
        ),
    script:
        "../scripts/scores.py"

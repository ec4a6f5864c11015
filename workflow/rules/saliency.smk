# Where and when does a generator put a word? Maps of its attention, scored by true masks: `snakemake --cores all saliency`.


# What of the settings does not matter to clips whose words have known places.
ASIDE = ["masks", "prompts"]


rule saliency:
    input:
        [row.page for row in TABLES["saliency_pages"]],
        plan.of_run(paths.filled(paths.CHANGES_FIGURE, form="png")),
        paths.MAPPED_GALLERY,
        plan.of_run(paths.filled(paths.CLIP_MAPS, form="png")) if plan.world else [],
        plan.of_run(paths.RESTRICTION) if plan.world and config["probes"] else [],


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
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_truth", 6000),
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=of("saliency", without=ASIDE),
        world=config["world"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code("transporter.saliency.report", adapters=["generators"], world=True),
    script:
        "../scripts/saliency_truth.py"


# One clip and the maps of its words, as papers show them.
rule saliency_clip:
    input:
        files("generators", "{generator}"),
    output:
        paths.filled(paths.CLIP_MAPS, form="pdf"),
        reported(
            paths.filled(paths.CLIP_MAPS, form="png"),
            "saliency_clip",
            "Saliency",
            result="a clip",
        ),
    log:
        paths.log("saliency_clip", "{generator}"),
    benchmark:
        paths.benchmark("saliency_clip", "{generator}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_clip", 4000),
        runtime=30,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=of("saliency", without=ASIDE),
        world=config["world"],
        seed=config["seed"],
        code=code(
            "transporter.figures.clip_maps",
            "transporter.saliency.benchmark",
            "transporter.saliency.table",
            adapters=["generators"],
            world=True,
        ),
    script:
        "../scripts/saliency_clip.py"


# Real clips of a folder whose masks are known, where the settings name one.
rule saliency_masked:
    input:
        files("generators", "{generator}"),
        folder=config["saliency"]["masks"]["folder"] or [],
    output:
        paths.MASKED,
    log:
        paths.log("saliency_masked", "{generator}"),
    benchmark:
        paths.benchmark("saliency_masked", "{generator}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_masked", 6000),
        runtime=600,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=of("saliency", without=["prompts"]),
        seed=config["seed"],
        code=code("transporter.saliency.masked_clips", adapters=["generators"]),
    script:
        "../scripts/saliency_masked.py"


# Clips of prompts, and where their words are; the prompts of IMAP's authors are fetched from them.
rule saliency_released_prompts:
    output:
        paths.IMAP_PROMPTS,
    log:
        paths.log("saliency_released_prompts"),
    benchmark:
        paths.benchmark("saliency_released_prompts")
    localrule: True
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    script:
        "../scripts/saliency_released_prompts.py"


rule saliency_prompts:
    input:
        model=files("generators", "{generator}"),
        table=config["saliency"]["prompts"]["table"] or [],
    output:
        folder=directory(paths.PROMPTED),
        table=paths.PROMPTS,
    log:
        paths.log("saliency_prompts", "{generator}"),
    benchmark:
        paths.benchmark("saliency_prompts", "{generator}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_prompts", 4000),
        runtime=1440,
    params:
        generator=of("generators", "{generator}"),
        settings=of("saliency", only=["preset", "map", "prompts"]),
        at_once=config["memory"]["sampling"],
        seed=config["seed"],
        code=code("transporter.figures.prompt_clips", adapters=["generators"]),
    script:
        "../scripts/saliency_prompts.py"


rule saliency_looks:
    input:
        generator=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}"),
        concepts=config["concepts"],
    output:
        paths.LOOKS,
    log:
        paths.log("saliency_looks", PAIR),
    benchmark:
        paths.benchmark("saliency_looks", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_looks", 6000),
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        vlm=of("vlms", "{vlm}"),
        settings=of("saliency", without=ASIDE),
        world=config["world"],
        seed=config["seed"],
        at_once=config["memory"]["reading"],
        code=code(
            "transporter.saliency.looking",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/saliency_looks.py"


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
        mem_mb=job_memory.mem_mb("saliency_maps", 4000),
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        settings=of("saliency", without=ASIDE),
        world=config["world"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code(
            "transporter.saliency.inside",
            "transporter.pipeline.world",
            adapters=["generators"],
            world=True,
        ),
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


rule saliency_figure:
    input:
        paths.CHANGES,
    output:
        pdf=paths.filled(paths.CHANGES_FIGURE, form="pdf"),
        png=reported(
            paths.filled(paths.CHANGES_FIGURE, form="png"),
            "saliency_changes",
            "Saliency",
            result="what and where",
        ),
    log:
        paths.log("saliency_figure", PAIR),
    benchmark:
        paths.benchmark("saliency_figure", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.figures.where", "transporter.saliency.generated"),
    script:
        "../scripts/saliency_figure.py"


# A vector that acts where its words are: the fifth modulation, measured.
rule saliency_restricted:
    input:
        generator=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}"),
        bank=paths.BANK,
        generated=paths.GENERATED,
        maps=paths.MAPS,
        concepts=config["concepts"],
        probes=files("probes"),
    output:
        paths.RESTRICTED,
    log:
        paths.log("saliency_restricted", f"{PAIR}/{{concept}}"),
    benchmark:
        paths.benchmark("saliency_restricted", f"{PAIR}/{{concept}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("saliency_restricted", 4000),
        runtime=120,
    params:
        generator=of("generators", "{generator}"),
        vlm=of("vlms", "{vlm}"),
        probes=config["probes"],
        world=config["world"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code(
            "transporter.metrics.restriction",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/saliency_restricted.py"


rule saliency_restriction:
    input:
        paths.every(paths.RESTRICTED, concept=CONCEPTS),
    output:
        paths.RESTRICTION,
    log:
        paths.log("saliency_restriction", PAIR),
    benchmark:
        paths.benchmark("saliency_restriction", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.metrics.restriction"),
    script:
        "../scripts/saliency_restriction.py"


# The page once more, of the page itself: a plain run does not wait for maps, and does not run again for them.
rule saliency_gallery:
    input:
        gallery=paths.GALLERY,
        maps=plan.maps(),
    output:
        report(
            directory(paths.MAPPED_GALLERY),
            caption="../report/saliency_gallery.rst",
            htmlindex="index.html",
            category="The page",
            labels={"page": "all sweeps, with maps"},
        ),
    log:
        paths.log("saliency_gallery"),
    benchmark:
        paths.benchmark("saliency_gallery")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        frames={name: config["generators"][name]["frames"] for name in plan.generators},
        code=code("transporter.figures.gallery_maps", files=PAGE_PARTS),
    script:
        "../scripts/saliency_gallery.py"

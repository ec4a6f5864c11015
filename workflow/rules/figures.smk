# What a person looks at.


rule filmstrips:
    input:
        generated=paths.every(paths.GENERATED, concept=CONCEPTS),
        concepts=config["concepts"],
    output:
        [
            reported(
                paths.filled(paths.FILMSTRIP, concept=concept),
                "filmstrip",
                "Filmstrips",
                concept=concept,
            )
            for concept in CONCEPTS
        ],
    log:
        paths.log("filmstrips", PAIR),
    benchmark:
        paths.benchmark("filmstrips", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        names=CONCEPTS,
        video=of("generators", "{generator}", only=VIDEO),
        code=code("transporter.figures.filmstrip", "transporter.generation.sweeps"),
    script:
        "../scripts/filmstrips.py"


rule gallery:
    input:
        **plan.clips.left_out(),
        readings=paths.ALL_READINGS,
        summary=paths.FAITHFULNESS,
        generated=plan.generated(),
        concepts=config["concepts"],
        temporal=plan.temporal_table(),
        # how far maps lead is told after the page, at the end of a run
        fits=[] if plan.words_alone else plan.of_run(paths.SEPARATION),
    output:
        report(
            directory(paths.GALLERY),
            caption="../report/gallery.rst",
            htmlindex="index.html",
            category="The page",
            labels={"page": "all sweeps"},
        ),
    log:
        paths.log("gallery"),
    benchmark:
        paths.benchmark("gallery")
    priority: PAGE
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        seeds=config["gallery"]["seeds"],
        names=CONCEPTS,
        world=config["world"],
        code=code(
            "transporter.figures.gallery",
            "transporter.pipeline.failed_fits",
            files=PAGE_PARTS,
        ),
    script:
        "../scripts/gallery.py"

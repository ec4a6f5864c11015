# What a person looks at.


rule filmstrips:
    input:
        generated=expand(
            "results/generation/{{generator}}/{{vlm}}/{concept}", concept=CONCEPTS
        ),
        concepts=config["concepts"],
    output:
        [
            report(
                f"results/filmstrips/{{generator}}/{{vlm}}/{concept}.png",
                caption="../report/filmstrip.rst",
                category="Filmstrips",
                labels={
                    "concept": concept,
                    "generator": "{generator}",
                    "vlm": "{vlm}",
                },
            )
            for concept in CONCEPTS
        ],
    log:
        "logs/filmstrips/{generator}/{vlm}.log",
    benchmark:
        "logs/filmstrips/{generator}/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
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
        readings="results/evaluation/readings.tsv",
        summary="results/evaluation/concepts.tsv",
        generated=plan.generated(),
        concepts=config["concepts"],
        temporal=plan.temporal_table(),
    output:
        report(
            directory("results/gallery"),
            caption="../report/gallery.rst",
            htmlindex="index.html",
            category="The page",
            labels={"page": "all sweeps"},
        ),
    log:
        "logs/gallery.log",
    benchmark:
        "logs/gallery.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        seeds=config["gallery"]["seeds"],
        names=CONCEPTS,
        world=config["world"],
        code=code(
            "transporter.figures.gallery",
            files=[f"figures/gallery.{kind}" for kind in ("html", "css", "js")],
        ),
    script:
        "../scripts/gallery.py"

# What a person looks at.


rule filmstrip:
    input:
        generated="results/generation/{generator}/{vlm}/{concept}",
        concepts=config["concepts"],
    output:
        report(
            "results/filmstrips/{generator}/{vlm}/{concept}.png",
            caption="../report/filmstrip.rst",
            category="Filmstrips",
            labels={
                "concept": "{concept}",
                "generator": "{generator}",
                "vlm": "{vlm}",
            },
        ),
    log:
        "logs/filmstrip/{generator}/{vlm}/{concept}.log",
    benchmark:
        "logs/filmstrip/{generator}/{vlm}/{concept}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        video=video_settings,
        code=code_hash(
            "transporter.figures.filmstrip", "transporter.generation.sampling"
        ),
    script:
        "../scripts/filmstrip.py"


rule gallery:
    input:
        readings="results/evaluation/readings.tsv",
        summary="results/evaluation/concepts.tsv",
        generated=generated_folders(),
        concepts=config["concepts"],
        temporal=temporal_table(),
    output:
        directory("results/gallery"),
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
        code=code_hash(
            "transporter.figures.gallery", files=["figures/gallery_template.html"]
        ),
    script:
        "../scripts/gallery.py"

# What TRANSPORTER is compared with: the VLM inverted into clips by activation maximisation, and the tables of the comparison.


rule published_weights:
    output:
        directory("results/weights/{weights}"),
    log:
        "logs/published_weights/{weights}.log",
    benchmark:
        "logs/published_weights/{weights}.tsv"
    wildcard_constraints:
        weights="i3d|lpips|minilm",
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=30,
    params:
        code=code_hash("transporter.networks.published"),
    script:
        "../scripts/published_weights.py"


rule inversion:
    input:
        model=vlm_files,
        clip_judge=clip_judge_files,
        verifier=inversion_verifier(),
        clips=clip_folder("train"),
        seen=captions("train"),
        captions=captions("held_out"),
        concepts=config["concepts"],
    output:
        directory("results/baselines/{vlm}/{method}/{target}/{concept}"),
    log:
        "logs/inversion/{vlm}/{method}/{target}/{concept}.log",
    benchmark:
        "logs/inversion/{vlm}/{method}/{target}/{concept}.tsv"
    wildcard_constraints:
        method="|".join(config["baselines"]["methods"]),
        target="w|w_dw",
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=720,
    params:
        vlm=vlm_settings,
        video=first_video(),
        world=config["world"],
        clip_judge=config["metrics"]["clip_judge"],
        settings={
            key: value
            for key, value in config["baselines"].items()
            if key != "methods"
        },
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.baselines.inverted_clips",
            "microworld.verifier",
            *adapters(w, "vlms"),
        ),
    script:
        "../scripts/inversion.py"


rule baseline_captions:
    input:
        model=vlm_files,
        inverted=inverted_folders(),
        concepts=config["concepts"],
    output:
        "results/baselines/{vlm}/captions.tsv",
    log:
        "logs/baseline_captions/{vlm}.log",
    benchmark:
        "logs/baseline_captions/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlm=vlm_settings,
        video=first_video(),
        code=lambda w: code_hash("transporter.metrics.systems", *adapters(w, "vlms")),
    script:
        "../scripts/baseline_captions.py"


rule scores:
    input:
        model=vlm_files,
        inverted=inverted_folders(),
        generated=expand(
            "results/generation/{generator}/{{vlm}}/{concept}",
            generator=GENERATORS,
            concept=CONCEPTS,
        ),
        captions_held_out=captions("held_out"),
        captions_validation=captions("validation"),
        clips=[clip_folder("held_out"), clip_folder("validation")],
        concepts=config["concepts"],
        probes=probe_files,
        clip_judge=clip_judge_files,
        i3d="results/weights/i3d",
        lpips="results/weights/lpips",
    output:
        clips="results/scores/{vlm}/clips.tsv",
        vectors="results/scores/{vlm}/vectors.safetensors",
        protocol="results/scores/{vlm}/protocol.tsv",
    log:
        "logs/scores/{vlm}.log",
    benchmark:
        "logs/scores/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        vlm=vlm_settings,
        video=first_video(),
        folders={split: clip_folder(split) for split in ("held_out", "validation")},
        probes=config["probes"],
        world=config["world"],
        settings=config["metrics"],
        code=lambda w: code_hash(
            "transporter.metrics.alignment",
            "transporter.metrics.embeddings",
            "transporter.metrics.frechet",
            "transporter.metrics.perceptual",
            "transporter.metrics.scoring",
            "transporter.metrics.systems",
            "microworld.clip_judge",
            "microworld.probes",
            *adapters(w, "vlms"),
        ),
    script:
        "../scripts/scores.py"


rule main_table:
    input:
        clips=expand("results/scores/{vlm}/clips.tsv", vlm=VLMS),
        vectors=expand("results/scores/{vlm}/vectors.safetensors", vlm=VLMS),
        protocol=expand("results/scores/{vlm}/protocol.tsv", vlm=VLMS),
    output:
        tsv="results/paper/tables/main.tsv",
        tex="results/paper/tables/main.tex",
        pdf="results/paper/tables/main.pdf",
        png="results/paper/tables/main.png",
        protocol="results/paper/tables/main_protocol.tsv",
    log:
        "logs/main_table.log",
    benchmark:
        "logs/main_table.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=30,
    params:
        vlms=VLMS,
        ours=f"transporter/{GENERATORS[0]}",
        seed=config["seed"],
        code=code_hash(
            "transporter.figures.comparison_tables", "transporter.metrics.comparison"
        ),
    script:
        "../scripts/comparison_table.py"


rule similarity_table:
    input:
        clips=expand("results/scores/{vlm}/clips.tsv", vlm=VLMS),
        vectors=expand("results/scores/{vlm}/vectors.safetensors", vlm=VLMS),
    output:
        tsv="results/paper/tables/similarity.tsv",
        tex="results/paper/tables/similarity.tex",
        pdf="results/paper/tables/similarity.pdf",
        png="results/paper/tables/similarity.png",
    log:
        "logs/similarity_table.log",
    benchmark:
        "logs/similarity_table.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=30,
    params:
        vlms=VLMS,
        ours=f"transporter/{GENERATORS[0]}",
        seed=config["seed"],
        code=code_hash(
            "transporter.figures.comparison_tables", "transporter.metrics.comparison"
        ),
    script:
        "../scripts/comparison_table.py"

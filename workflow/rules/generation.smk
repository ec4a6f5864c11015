# Videos of every concept: each method's sweep of phi from the same noises, in captions that no vector was fitted on.


rule generation:
    input:
        bank="results/concepts/{generator}/{vlm}/bank.safetensors",
        model=generator_files,
        seen=captions("train"),
        captions=captions("held_out"),
        concepts=config["concepts"],
    output:
        directory("results/generation/{generator}/{vlm}/{concept}"),
    log:
        "logs/generation/{generator}/{vlm}/{concept}.log",
    benchmark:
        "logs/generation/{generator}/{vlm}/{concept}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=240,
    params:
        generator=generator_settings,
        names=lambda w: [w.concept],
        settings=config["generation"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.generation.sweeps", *adapters(w, "generators")
        ),
    script:
        "../scripts/generation.py"


rule modulations:
    input:
        bank="results/concepts/{generator}/{vlm}/bank.safetensors",
        model=generator_files,
        vlm=vlm_files,
        seen=captions("train"),
        captions=captions("held_out"),
        concepts=config["concepts"],
    output:
        directory("results/modulations/{generator}/{vlm}"),
    log:
        "logs/modulations/{generator}/{vlm}.log",
    benchmark:
        "logs/modulations/{generator}/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        generator=generator_settings,
        vlm=vlm_settings,
        names=CONCEPTS,
        settings=config["figures"],
        phi=config["generation"]["phi"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.generation.demonstrations", *adapters(w, "generators", "vlms")
        ),
    script:
        "../scripts/modulations.py"

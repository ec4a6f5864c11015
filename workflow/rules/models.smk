# The microworld's own models, trained from nothing: `snakemake --cores all train_models`. A plain run uses the shipped ones.
# Checkpoints lie outside the declared outputs, so that a failed or stopped job goes on from its last one.

FAMILIES = list(config["training"]["vlms"])


wildcard_constraints:
    family="|".join(FAMILIES),


rule train_models:
    input:
        expand(
            "results/models/{model}",
            model=[
                "vae",
                *(f"vlms/{family}" for family in FAMILIES),
                "generator",
                "probes",
                "clip_judge",
            ],
        ),


rule train_vae:
    output:
        directory("results/models/vae"),
    log:
        "logs/train_vae.log",
    benchmark:
        "logs/train_vae.tsv"
    priority: 2  # all but the VLMs' vision waits for it
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["vae"],
        seed=config["seed"],
        code=code_hash(
            "microworld.training.vae",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_vae.py"


# needs no VAE, so it can go on while that is trained
rule train_vision:
    output:
        directory("results/models/vision/{family}"),
    log:
        "logs/train_vision/{family}.log",
    benchmark:
        "logs/train_vision/{family}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=lambda wildcards: config["training"]["vlms"][wildcards.family],
        seed=config["seed"],
        code=code_hash("microworld.training.vlm"),
    script:
        "../scripts/train_vision.py"


# first, for they are the longest of those that take one thread: two cores then end together
rule train_vlm:
    input:
        vae="results/models/vae",
        vision="results/models/vision/{family}",
    output:
        directory("results/models/vlms/{family}"),
    log:
        "logs/train_vlm/{family}.log",
    benchmark:
        "logs/train_vlm/{family}.tsv"
    priority: 1
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=lambda wildcards: config["training"]["vlms"][wildcards.family],
        seed=config["seed"],
        code=code_hash(
            "microworld.training.vlm",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_vlm.py"


rule train_generator:
    input:
        vae="results/models/vae",
        probes="results/models/probes",
    output:
        directory("results/models/generator"),
    log:
        "logs/train_generator.log",
    benchmark:
        "logs/train_generator.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["generator"],
        seed=config["seed"],
        chunks=config["training"]["chunks"],
        code=code_hash(
            "microworld.training.generator",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_generator.py"


rule train_probes:
    input:
        vae="results/models/vae",
    output:
        directory("results/models/probes"),
    log:
        "logs/train_probes.log",
    benchmark:
        "logs/train_probes.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["probes"],
        seed=config["seed"],
        code=code_hash(
            "microworld.training.probes",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_probes.py"


rule train_clip_judge:
    input:
        vae="results/models/vae",
    output:
        directory("results/models/clip_judge"),
    log:
        "logs/train_clip_judge.log",
    benchmark:
        "logs/train_clip_judge.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["clip_judge"],
        seed=config["seed"],
        code=code_hash(
            "microworld.training.clip_judge",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_clip_judge.py"

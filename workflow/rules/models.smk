# The microworld's own models, trained from nothing: `snakemake --cores all train_models`. A plain run uses the shipped ones.
# Checkpoints lie outside the declared outputs, so that a failed or stopped job goes on from its last one.

FAMILIES = list(config["training"]["vlms"])


wildcard_constraints:
    family="|".join(FAMILIES),


rule train_models:
    input:
        paths.every(
            paths.MODEL,
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
        directory(paths.filled(paths.MODEL, model="vae")),
    log:
        paths.log("train_vae"),
    benchmark:
        paths.benchmark("train_vae")
    priority: 2  # all but the VLMs' vision waits for it
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["vae"],
        seed=config["seed"],
        code=code(
            "microworld.training.vae",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_vae.py"


# needs no VAE, so it can go on while that is trained
rule train_vision:
    output:
        directory(paths.filled(paths.MODEL, model="vision/{family}")),
    log:
        paths.log("train_vision", "{family}"),
    benchmark:
        paths.benchmark("train_vision", "{family}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=of("training", "vlms", "{family}"),
        seed=config["seed"],
        code=code("microworld.training.vlm"),
    script:
        "../scripts/train_vision.py"


# first, for they are the longest of those that take one thread: two cores then end together
rule train_vlm:
    input:
        vae=paths.filled(paths.MODEL, model="vae"),
        vision=paths.filled(paths.MODEL, model="vision/{family}"),
    output:
        directory(paths.filled(paths.MODEL, model="vlms/{family}")),
    log:
        paths.log("train_vlm", "{family}"),
    benchmark:
        paths.benchmark("train_vlm", "{family}")
    priority: 1
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=of("training", "vlms", "{family}"),
        seed=config["seed"],
        code=code(
            "microworld.training.vlm",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_vlm.py"


rule train_generator:
    input:
        vae=paths.filled(paths.MODEL, model="vae"),
        probes=paths.filled(paths.MODEL, model="probes"),
    output:
        directory(paths.filled(paths.MODEL, model="generator")),
    log:
        paths.log("train_generator"),
    benchmark:
        paths.benchmark("train_generator")
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
        code=code(
            "microworld.training.generator",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_generator.py"


rule train_probes:
    input:
        vae=paths.filled(paths.MODEL, model="vae"),
    output:
        directory(paths.filled(paths.MODEL, model="probes")),
    log:
        paths.log("train_probes"),
    benchmark:
        paths.benchmark("train_probes")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["probes"],
        seed=config["seed"],
        code=code(
            "microworld.training.probes",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_probes.py"


rule train_clip_judge:
    input:
        vae=paths.filled(paths.MODEL, model="vae"),
    output:
        directory(paths.filled(paths.MODEL, model="clip_judge")),
    log:
        paths.log("train_clip_judge"),
    benchmark:
        paths.benchmark("train_clip_judge")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        steps=config["training"]["clip_judge"],
        seed=config["seed"],
        code=code(
            "microworld.training.clip_judge",
            "microworld.training.cards",
        ),
    script:
        "../scripts/train_clip_judge.py"

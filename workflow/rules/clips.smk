# The clips that the coupling is trained on: rendered, or a user's own, divided into splits.
from transporter.pipeline.checks import EXAMPLE

if config["clips"]["source"] == "world":

    rule world_split:
        output:
            captions=f"{config['clips']['folder']}/{{split}}/captions.tsv",
            attributes=f"{config['clips']['folder']}/{{split}}/attributes.tsv",
            clips=directory(f"{config['clips']['folder']}/{{split}}/clips"),
            masks=directory(f"{config['clips']['folder']}/{{split}}/masks"),
        log:
            "logs/world_split/{split}.log",
        benchmark:
            "logs/world_split/{split}.tsv"
        priority: plan.priority
        conda:
            "../../envs/transporter.yaml"
        threads: 1
        resources:
            gpu=0,
            mem_mb=1000,
            runtime=30,
        params:
            clips=lambda w: config["clips"]["splits"][w.split],
            seed=config["seed"],
            code=code("microworld.dataset"),
        script:
            "../scripts/world_split.py"

else:

    rule own_split:
        input:
            captions=f"{config['clips']['folder']}/captions.tsv",
        output:
            "results/clips/{split}.tsv",
        log:
            "logs/own_split/{split}.log",
        benchmark:
            "logs/own_split/{split}.tsv"
        priority: plan.priority
        conda:
            "../../envs/transporter.yaml"
        threads: 1
        resources:
            gpu=0,
            mem_mb=1000,
            runtime=10,
        params:
            splits=config["clips"]["splits"],
            seed=config["seed"],
            code=code("transporter.pipeline.own_clips"),
        script:
            "../scripts/own_split.py"


if config["clips"]["folder"] == EXAMPLE:

    # a folder as a user would have it, for config/own_clips.yaml
    rule own_clips:
        output:
            captions=f"{EXAMPLE}/captions.tsv",
            clips=directory(f"{EXAMPLE}/clips"),
        log:
            "logs/own_clips.log",
        benchmark:
            "logs/own_clips.tsv"
        conda:
            "../../envs/transporter.yaml"
        threads: 1
        resources:
            gpu=0,
            mem_mb=1000,
            runtime=10,
        params:
            clips=24,
            seed=config["seed"],
            code=code("microworld.dataset"),
        script:
            "../scripts/own_clips.py"

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
            paths.log("world_split", "{split}"),
        benchmark:
            paths.benchmark("world_split", "{split}")
        priority: 2 * PAGE  # videos wait for the captions of all
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=1000,
            runtime=30,
        params:
            clips=of("clips", "splits", "{split}"),
            seed=config["seed"],
            code=code("microworld.dataset"),
        script:
            "../scripts/world_split.py"

else:

    # What jobs are made from is the content of each clip (`clips_hash`): a split is made again when clips of its own, or
    # their captions, have changed, and not when others have. So what lists the clips only has to be there, but for the
    # example's table, which a rule makes.
    example = config["clips"]["folder"] == EXAMPLE

    rule own_split:
        input:
            lists=plan.clips.lists() if example else ancient(plan.clips.lists()),
        output:
            # clips in archives are taken out of them
            **({"clips": directory(plan.clips.folder())} if plan.clips.packed else {}),
            captions=plan.clips.captions(),
            failed=paths.FAILED_OF_SPLIT,
        log:
            paths.log("own_split", "{split}"),
        benchmark:
            paths.benchmark("own_split", "{split}")
        priority: 2 * PAGE
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=3000,
            runtime=720,
        params:
            clips=plan.clips.hash,
            shapes=plan.shapes(),
            part=of("clips", only=WINDOW),
            folder=config["clips"]["folder"],
            layout=config["clips"]["layout"],
            windows=config["clips"]["windows"],
            splits=config["clips"]["splits"],
            seed=config["seed"],
            code=code(
                "transporter.pipeline.own_clips",
                "transporter.clips.readable",
                "transporter.clips.reading",
            ),
        script:
            "../scripts/own_split.py"

    rule failed_clips:
        input:
            failed=paths.every(paths.FAILED_OF_SPLIT, split=plan.clips.splits),
            splits=[plan.clips.captions(split) for split in plan.clips.splits],
        output:
            paths.FAILED,
        log:
            paths.log("failed_clips"),
        benchmark:
            paths.benchmark("failed_clips")
        localrule: True
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=500,
            runtime=5,
        params:
            left_out=config["clips"]["left_out"],
            folder=config["clips"]["folder"],
            code=code("transporter.pipeline.own_clips"),
        script:
            "../scripts/failed_clips.py"


if config["clips"]["folder"] == EXAMPLE:

    # a folder as a user would have it, for config/own_clips.yaml
    rule own_clips:
        output:
            captions=f"{EXAMPLE}/captions.tsv",
            clips=directory(f"{EXAMPLE}/clips"),
        log:
            paths.log("own_clips"),
        benchmark:
            paths.benchmark("own_clips")
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            clips=24,
            seed=config["seed"],
            code=code("microworld.dataset"),
        script:
            "../scripts/own_clips.py"

# What can be known of VLMs that speak the microworld's words: what their answers go by once a wrong cue was planted, and
# whether they need time. A planted VLM's folder can be a VLM's `path` in the settings, as the shipped ones are.


include: "models.smk"


rule plant:
    input:
        vlm=files("vlms", "{vlm}"),
        shortcuts=config["shortcuts"],
    output:
        directory(paths.PLANTED),
    log:
        paths.log("plant", "{vlm}/{shortcut}"),
    benchmark:
        paths.benchmark("plant", "{vlm}/{shortcut}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlm=of("vlms", "{vlm}"),
        steps=config["training"]["planted"],
        seed=config["seed"],
        code=code(
            "microworld.training.planting",
            "microworld.training.cards",
            *cases.cue_modules(),
            adapters=["vlms"],
        ),
    script:
        "../scripts/plant.py"


rule reliance:
    input:
        planted=cases.planted(),
        shortcuts=config["shortcuts"],
    output:
        cells=paths.RELIANCE,
        effects=paths.RELIANCE_EFFECTS,
        right=paths.PLANTED_ANSWERS,
    log:
        paths.log("reliance"),
    benchmark:
        paths.benchmark("reliance")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlm=cases.planted_vlm,
        settings=of("vlms", cases.planted_vlm),
        code=code("microworld.reliance", adapters=["vlms"]),
    script:
        "../scripts/reliance.py"


rule temporal_honesty:
    input:
        plan.all_vlm_files(),
    output:
        paths.TEMPORAL,
    log:
        paths.log("temporal_honesty"),
    benchmark:
        paths.benchmark("temporal_honesty")
    priority: PAGE
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlms={name: config["vlms"][name] for name in plan.vlms},
        clips=config["clips"]["splits"]["held_out"],
        seed=config["seed"],
        code=code("microworld.timing", adapters=["vlms"]),
    script:
        "../scripts/temporal_honesty.py"

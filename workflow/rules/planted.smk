# What is known of a VLM's answers: what they go by once a wrong cue was planted, and whether they need time.
# A planted VLM's folder can be a VLM's `path` in the settings, as the shipped ones are.


rule plant:
    input:
        vlm=vlm_files,
        shortcuts=config["shortcuts"],
    output:
        directory("results/planted/{vlm}/{shortcut}"),
    log:
        "logs/plant/{vlm}/{shortcut}.log",
    benchmark:
        "logs/plant/{vlm}/{shortcut}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlm=vlm_settings,
        steps=config["training"]["planted"],
        seed=config["seed"],
        code=lambda w: code_hash("microworld.training.planting", *adapters(w, "vlms")),
    script:
        "../scripts/plant.py"


rule temporal_honesty:
    input:
        run_vlm_files(),
    output:
        report(
            "results/truth/temporal.tsv",
            caption="../report/temporal.rst",
            category="Truth",
        ),
    log:
        "logs/temporal_honesty.log",
    benchmark:
        "logs/temporal_honesty.tsv"
    priority: 1  # fills the time that the coupling waits for the training split
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlms={name: config["vlms"][name] for name in VLMS},
        clips=config["clips"]["splits"]["held_out"],
        seed=config["seed"],
        code=lambda w: code_hash("microworld.timing", *adapters(w, "vlms")),
    script:
        "../scripts/temporal_honesty.py"

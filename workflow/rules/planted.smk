# What is known of a VLM's answers: what they go by once a wrong cue was planted, and whether they need time.
# A planted VLM's folder can be a VLM's `path` in the settings, as the shipped ones are.


def planted_models():
    """Every shortcut in every VLM of the run."""
    pattern = "results/planted/{vlm}/{shortcut}"
    return expand(pattern, vlm=VLMS, shortcut=SHORTCUTS)


def run_vlm_files():
    """All VLMs of the run."""
    return [file for vlm in VLMS for file in model_files(config["vlms"][vlm]["path"])]


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
        code=code_hash("transporter.microworld.training.planting", *adapters("vlms")),
    script:
        "../scripts/plant.py"


rule reliance:
    input:
        planted=planted_models(),
        shortcuts=config["shortcuts"],
    output:
        cells=report(
            "results/truth/reliance.tsv",
            caption="../report/reliance.rst",
            category="Truth",
        ),
        effects="results/truth/reliance_effects.tsv",
        right="results/truth/planted_answers.tsv",
    log:
        "logs/reliance.log",
    benchmark:
        "logs/reliance.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=60,
    params:
        vlms={name: config["vlms"][name] for name in VLMS},
        code=code_hash("transporter.microworld.reliance", *adapters("vlms")),
    script:
        "../scripts/reliance.py"


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
        code=code_hash("transporter.microworld.timing", *adapters("vlms")),
    script:
        "../scripts/temporal_honesty.py"

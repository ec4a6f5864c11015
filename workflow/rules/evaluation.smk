# What the VLM and the probes see in the generated videos.


rule readings:
    input:
        unpack(reader_inputs),
        bank="results/concepts/{generator}/{vlm}/bank.safetensors",
        generated=expand(
            "results/generation/{{generator}}/{{vlm}}/{concept}", concept=CONCEPTS
        ),
        concepts=config["concepts"],
        probes=probe_files,
    output:
        "results/evaluation/{generator}/{vlm}/readings.tsv",
    log:
        "logs/readings/{generator}/{vlm}.log",
    benchmark:
        "logs/readings/{generator}/{vlm}.tsv"
    priority: 1  # the page waits for it
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        generator=encoder_settings,
        vlm=vlm_settings,
        output=lambda w: experiment(w)["coupling"]["output"],
        probes=config["probes"],
        world=config["world"],
        names=CONCEPTS,
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.metrics.faithfulness",
            "microworld.probes",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/readings.py"


rule evaluation:
    input:
        expand(
            "results/evaluation/{generator}/{vlm}/readings.tsv",
            generator=GENERATORS,
            vlm=VLMS,
        ),
    output:
        readings="results/evaluation/readings.tsv",
        concepts=report(
            "results/evaluation/concepts.tsv",
            caption="../report/concepts.rst",
            category="Evaluation",
        ),
    log:
        "logs/evaluation.log",
    benchmark:
        "logs/evaluation.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        code=code_hash("transporter.metrics.faithfulness"),
    script:
        "../scripts/evaluation.py"

# Phi, from the generator's latents to the VLM's tokens.


rule coupling:
    input:
        unpack(training_pairs),
        generator=generator_files,
    output:
        coupling="results/coupling/{generator}/{vlm}/coupling.safetensors",
        literal=literal_coupling(),
        curve=report(
            "results/coupling/{generator}/{vlm}/curve.tsv",
            caption="../report/curve.rst",
            category="Coupling",
            labels={"generator": "{generator}", "vlm": "{vlm}", "table": "training"},
        ),
    log:
        "logs/coupling/{generator}/{vlm}.log",
    benchmark:
        "logs/coupling/{generator}/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=1440,
    params:
        generator=encoder_settings,
        settings=lambda w: experiment(w)["coupling"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.coupling.training",
            "transporter.clips.embeddings",
            *adapters(w, "generators"),
        ),
    script:
        "../scripts/coupling.py"


rule coupling_report:
    input:
        unpack(held_out_pairs),
        unpack(reader_inputs),
        literal=literal_coupling(),
        concepts=config["concepts"],
    output:
        report(
            "results/coupling/{generator}/{vlm}/report.tsv",
            caption="../report/coupling.rst",
            category="Coupling",
            labels={"generator": "{generator}", "vlm": "{vlm}", "table": "held out"},
        ),
    log:
        "logs/coupling_report/{generator}/{vlm}.log",
    benchmark:
        "logs/coupling_report/{generator}/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=120,
    params:
        generator=encoder_settings,
        vlm=vlm_settings,
        names=CONCEPTS,
        code=lambda w: code_hash(
            "transporter.coupling.report",
            "transporter.clips.embeddings",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/coupling_report.py"

# Ablations: the same rules with other settings, in folders of their own, and the table that compares them.
# Weights that an ablation shares with the base, or with an earlier ablation, are trained once.


use rule coupling as coupling_of_variant with:
    output:
        coupling="results/ablations/{variant}/coupling/{generator}/{vlm}/coupling.safetensors",
        literal=[],
        curve="results/ablations/{variant}/coupling/{generator}/{vlm}/curve.tsv",
    log:
        "logs/coupling_of_variant/{variant}/{generator}/{vlm}.log",
    benchmark:
        "logs/coupling_of_variant/{variant}/{generator}/{vlm}.tsv"
    threads: 1
    params:
        settings=lambda w: {**experiment(w)["coupling"], "literal_steps": 0},


use rule concept_bank as concept_bank_of_variant with:
    output:
        bank="results/ablations/{variant}/concepts/{generator}/{vlm}/bank.safetensors",
        table="results/ablations/{variant}/concepts/{generator}/{vlm}/separation.tsv",
    log:
        "logs/concept_bank_of_variant/{variant}/{generator}/{vlm}.log",
    benchmark:
        "logs/concept_bank_of_variant/{variant}/{generator}/{vlm}.tsv"
    threads: 1


# The table reads phi = 1 alone; one job for all concepts, since loading the generator takes longer than sampling one.
use rule generation as generation_of_variant with:
    input:
        bank="results/ablations/{variant}/concepts/{generator}/{vlm}/bank.safetensors",
        model=generator_files,
        seen=captions("train"),
        captions=captions("held_out"),
        concepts=config["concepts"],
    output:
        directory(
            expand(
                "results/ablations/{{variant}}/generation/{{generator}}/{{vlm}}/{concept}",
                concept=CONCEPTS,
            )
        ),
    log:
        "logs/generation_of_variant/{variant}/{generator}/{vlm}.log",
    benchmark:
        "logs/generation_of_variant/{variant}/{generator}/{vlm}.tsv"
    params:
        names=CONCEPTS,
        settings={**config["generation"], "phi": [1], "methods": ["transporter"]},


use rule readings as readings_of_variant with:
    input:
        unpack(reader_inputs),
        bank="results/ablations/{variant}/concepts/{generator}/{vlm}/bank.safetensors",
        generated=expand(
            "results/ablations/{{variant}}/generation/{{generator}}/{{vlm}}/{concept}",
            concept=CONCEPTS,
        ),
        concepts=config["concepts"],
        probes=probe_files,
    output:
        "results/ablations/{variant}/evaluation/{generator}/{vlm}/readings.tsv",
    log:
        "logs/readings_of_variant/{variant}/{generator}/{vlm}.log",
    benchmark:
        "logs/readings_of_variant/{variant}/{generator}/{vlm}.tsv"
    threads: 1


rule ablation_table:
    input:
        base=expand(
            "results/evaluation/{generator}/{vlm}/readings.tsv",
            generator=GENERATORS,
            vlm=VLMS,
        ),
        variants=expand(
            "results/ablations/{variant}/evaluation/{generator}/{vlm}/readings.tsv",
            variant=config["ablations"],
            generator=GENERATORS,
            vlm=VLMS,
        ),
        baseline=expand("results/baselines/{vlm}/captions.tsv", vlm=VLMS),
        concepts=config["concepts"],
        sentences="results/weights/minilm",
    output:
        tsv="results/paper/tables/ablation.tsv",
        tex="results/paper/tables/ablation.tex",
        pdf="results/paper/tables/ablation.pdf",
        png=report(
            "results/paper/tables/ablation.png",
            caption="../report/ablation.rst",
            category="Paper",
        ),
        orders="results/paper/tables/ablation_orders.tsv",
    log:
        "logs/ablation_table.log",
    benchmark:
        "logs/ablation_table.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=3000,
        runtime=30,
    params:
        variants=[
            name for name in config["ablations"] for _ in GENERATORS for _ in VLMS
        ],
        generators=GENERATORS,
        vlms=VLMS,
        names=CONCEPTS,
        settings=config["ablations"],
        code=code_hash("transporter.figures.ablation"),
    script:
        "../scripts/ablation_table.py"

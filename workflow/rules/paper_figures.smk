# The paper's figures.


rule figure_method:
    output:
        pdf="results/paper/figures/method.pdf",
        png="results/paper/figures/method.png",
    log:
        "logs/figure_method.log",
    benchmark:
        "logs/figure_method.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        code=code_hash("transporter.figures.method"),
    script:
        "../scripts/figure_method.py"


rule figure_sweeps:
    input:
        generated=lambda w: [
            f"results/generation/{SHOWN}/{concept}"
            for concept in concepts_of_kind(KINDS[w.figure])
        ],
        readings=f"results/evaluation/{SHOWN}/readings.tsv",
        concepts=config["concepts"],
    output:
        pdf="results/paper/figures/{figure}.pdf",
        png="results/paper/figures/{figure}.png",
    log:
        "logs/figure_sweeps/{figure}.log",
    benchmark:
        "logs/figure_sweeps/{figure}.tsv"
    wildcard_constraints:
        figure="|".join(KINDS),
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        names=lambda w: concepts_of_kind(KINDS[w.figure]),
        vlm=VLMS[0],
        video=shown_video(),
        settings=[config["generation"], config["generators"][GENERATORS[0]]],
        code=code_hash("transporter.figures.sweeps", "transporter.generation.sweeps"),
    script:
        "../scripts/figure_sweeps.py"


rule figure_projections:
    input:
        table="results/paper/tables/ablation.tsv",
    output:
        pdf="results/paper/figures/projections.pdf",
        png="results/paper/figures/projections.png",
    log:
        "logs/figure_projections.log",
    benchmark:
        "logs/figure_projections.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        projections=PROJECTIONS,
        code=code_hash("transporter.figures.projections"),
    script:
        "../scripts/figure_projections.py"


rule figure_comparison:
    input:
        inverted=[
            f"results/baselines/{VLMS[0]}/{method}/{target}/{concept}"
            for concept in COMPARED
            for target in ("w", "w_dw")
            for method, targets in INVERSIONS.items()
            if target in targets
        ],
        generated=expand(f"results/generation/{SHOWN}/{{concept}}", concept=COMPARED),
        concepts=config["concepts"],
    output:
        pdf="results/paper/figures/comparison.pdf",
        png="results/paper/figures/comparison.png",
    log:
        "logs/figure_comparison.log",
    benchmark:
        "logs/figure_comparison.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        names=COMPARED,
        vlm=VLMS[0],
        video=shown_video(),
        settings=[INVERSIONS, config["generation"]],
        code=code_hash("transporter.figures.comparison"),
    script:
        "../scripts/figure_comparison.py"


rule figure_several:
    input:
        generated=f"results/modulations/{SHOWN}",
        concepts=config["concepts"],
    output:
        pdf="results/paper/figures/several.pdf",
        png="results/paper/figures/several.png",
    log:
        "logs/figure_several.log",
    benchmark:
        "logs/figure_several.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        vlm=VLMS[0],
        video=shown_video(),
        settings=[config["figures"], config["generation"]["phi"]],
        code=code_hash(
            "transporter.figures.several", "transporter.generation.demonstrations"
        ),
    script:
        "../scripts/figure_several.py"


rule figure_spans:
    input:
        generated=f"results/modulations/{SHOWN}",
        concepts=config["concepts"],
    output:
        pdf="results/paper/figures/{figure}.pdf",
        png="results/paper/figures/{figure}.png",
    log:
        "logs/figure_spans/{figure}.log",
    benchmark:
        "logs/figure_spans/{figure}.tsv"
    wildcard_constraints:
        figure="injection|partial_frames",
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        vlm=VLMS[0],
        video=shown_video(),
        settings=[config["figures"], config["generation"]["phi"]],
        code=code_hash(
            "transporter.figures.spans", "transporter.generation.demonstrations"
        ),
    script:
        "../scripts/figure_spans.py"

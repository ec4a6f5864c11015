# Is an explanation true? VLMs with planted shortcuts and honest ones, explained by every objective: `snakemake --cores all truth`.


rule truth:
    input:
        "results/truth/truth.tsv",
        "results/truth/matrix.png" if config["probes"] else [],
        "results/truth/reliance.tsv" if config["truth"]["shortcuts"] else [],
        truth_filmstrips,


rule reliance:
    input:
        planted=planted_models,
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
        vlm=VLMS[0],
        settings=config["vlms"][VLMS[0]],
        code=lambda w: code_hash("microworld.reliance", *adapters(w, "vlms")),
    script:
        "../scripts/reliance.py"


rule natural_variation:
    input:
        captions=captions("held_out"),
        clips=clip_folder("held_out"),
        probes=probe_files,
    output:
        "results/truth/natural.tsv",
    log:
        "logs/natural_variation.log",
    benchmark:
        "logs/natural_variation.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=2000,
        runtime=10,
    params:
        probes=config["probes"],
        world=config["world"],
        video=first_video(),
        code=code_hash("transporter.truth.change", "microworld.probes"),
    script:
        "../scripts/natural_variation.py"


rule truth_controls:
    input:
        model=generator_files,
        seen=captions("train"),
        captions=captions("held_out"),
        more=captions("validation"),
        concepts=config["truth"]["concepts"],
    output:
        directory("results/truth/controls/{generator}/{concept}"),
    log:
        "logs/truth_controls/{generator}/{concept}.log",
    benchmark:
        "logs/truth_controls/{generator}/{concept}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=240,
    params:
        generator=generator_settings,
        pool=config["truth"]["pool"],
        seeds=config["truth"]["seeds"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.truth.controls", *adapters(w, "generators")
        ),
    script:
        "../scripts/truth_controls.py"


# One job for all objectives: `logits` goes on from `answers`, and loading the models takes as long as a short fit.
rule truth_bank:
    input:
        unpack(case_inputs),
        unpack(lambda w: edits_of(config["truth"]["objectives"], w)),
        coupling=case_coupling,
        captions=captions("train"),
        z_xi="results/embeddings/train/generators/{generator}",
        concepts=config["truth"]["concepts"],
    output:
        banks=expand(
            "results/truth/banks/{{generator}}/{{vlm}}/{{case}}/{objective}.safetensors",
            objective=config["truth"]["objectives"],
        ),
        tables=expand(
            "results/truth/banks/{{generator}}/{{vlm}}/{{case}}/{objective}.tsv",
            objective=config["truth"]["objectives"],
        ),
    log:
        "logs/truth_bank/{generator}/{vlm}/{case}.log",
    benchmark:
        "logs/truth_bank/{generator}/{vlm}/{case}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=1440,
    params:
        generator=encoder_settings,
        vlm=case_settings,
        names=lambda w: [pair.name for pair in truth_pairs(w.case)],
        output=config["coupling"]["output"],
        settings=TRUTH_BANK,
        objectives=config["truth"]["objectives"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.concepts.edits",
            "transporter.concepts.fitting",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/concept_bank.py"


rule truth_readings:
    input:
        unpack(case_inputs),
        honest=vlm_files,
        controls="results/truth/controls/{generator}/{concept}",
        banks=expand(
            "results/truth/banks/{{generator}}/{{vlm}}/{{case}}/{objective}.safetensors",
            objective=config["truth"]["objectives"],
        ),
        concepts=config["truth"]["concepts"],
        shortcuts=config["shortcuts"],
        probes=probe_files,
    output:
        "results/truth/readings/{generator}/{vlm}/{case}/{concept}.tsv",
    log:
        "logs/truth_readings/{generator}/{vlm}/{case}/{concept}.log",
    benchmark:
        "logs/truth_readings/{generator}/{vlm}/{case}/{concept}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=240,
    params:
        generator=generator_settings,
        vlm=case_settings,
        honest=vlm_settings,
        probes=config["probes"],
        world=config["world"],
        captions=config["truth"]["captions"],
        objectives=config["truth"]["objectives"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.truth.readings",
            "microworld.probes",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/truth_readings.py"


rule truth_table:
    input:
        readings=truth_readings,
        natural=natural_variation(),
        concepts=config["truth"]["concepts"],
        shortcuts=config["shortcuts"],
    output:
        table=report(
            "results/truth/truth.tsv",
            caption="../report/truth.rst",
            category="Truth",
        ),
        summary="results/truth/summary.tsv",
    log:
        "logs/truth_table.log",
    benchmark:
        "logs/truth_table.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=30,
    params:
        world=config["world"],
        code=code_hash("transporter.truth.table"),
    script:
        "../scripts/truth_table.py"


rule truth_matrix:
    input:
        "results/truth/truth.tsv",
    output:
        pdf="results/truth/matrix.pdf",
        png=report(
            "results/truth/matrix.png",
            caption="../report/truth_matrix.rst",
            category="Truth",
        ),
    log:
        "logs/truth_matrix.log",
    benchmark:
        "logs/truth_matrix.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=1000,
        runtime=10,
    params:
        code=code_hash("transporter.figures.truth"),
    script:
        "../scripts/truth_matrix.py"


rule truth_filmstrip:
    input:
        unpack(case_inputs),
        readings=shown_readings,
        bank="results/truth/banks/{generator}/{vlm}/{case}/{objective}.safetensors",
        concepts=config["truth"]["concepts"],
    output:
        report(
            "results/truth/filmstrips/{generator}/{vlm}/{case}/{concept}_{objective}.png",
            caption="../report/truth_filmstrip.rst",
            category="Truth",
        ),
    log:
        "logs/truth_filmstrip/{generator}/{vlm}/{case}/{concept}_{objective}.log",
    benchmark:
        "logs/truth_filmstrip/{generator}/{vlm}/{case}/{concept}_{objective}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=30,
    params:
        generator=generator_settings,
        vlm=case_settings,
        phi=config["generation"]["phi"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.figures.filmstrip",
            "transporter.generation.sweeps",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/truth_filmstrip.py"

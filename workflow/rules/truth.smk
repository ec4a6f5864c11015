# Is an explanation true? VLMs with planted shortcuts and honest ones, explained by every objective: `snakemake --cores all truth`.


rule truth:
    input:
        truth_outputs,
        [row.page for row in TABLES["truth_pages"]],


rule natural_variation:
    input:
        captions=plan.clips.captions("held_out"),
        clips=plan.clips.inputs("held_out"),
        probes=files("probes"),
    output:
        paths.NATURAL,
    log:
        paths.log("natural_variation"),
    benchmark:
        paths.benchmark("natural_variation")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        clips=plan.clips.folder_from("held_out"),
        part=of("clips", only=WINDOW),
        probes=config["probes"],
        world=config["world"],
        video=plan.video(),
        code=code("transporter.clips.split", "transporter.truth.change", world=True),
    script:
        "../scripts/natural_variation.py"


rule truth_controls:
    input:
        model=files("generators", "{generator}"),
        seen=plan.clips.captions("train"),
        captions=plan.clips.captions("held_out"),
        more=plan.clips.captions("validation"),
        concepts=config["truth"]["concepts"],
    output:
        directory(paths.CONTROLS),
    log:
        paths.log("truth_controls", "{generator}/{concept}"),
    benchmark:
        paths.benchmark("truth_controls", "{generator}/{concept}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("generation", 3000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        pool=config["truth"]["pool"],
        seeds=config["truth"]["seeds"],
        seed=config["seed"],
        code=code("transporter.truth.controls", adapters=["generators"]),
    script:
        "../scripts/truth_controls.py"


# One job for all objectives: `logits` goes on from `answers`, and loading the models takes as long as a short fit.
rule truth_bank:
    input:
        unpack(cases.models),
        unpack(plan.edits),
        coupling=cases.coupling,
        captions=plan.clips.captions("train"),
        z_xi=paths.filled(paths.Z_XI, split="train"),
        concepts=config["truth"]["concepts"],
    output:
        banks=paths.every(paths.TRUTH_BANK, objective=config["truth"]["objectives"]),
        tables=paths.every(
            paths.TRUTH_SEPARATION, objective=config["truth"]["objectives"]
        ),
    log:
        paths.log("truth_bank", f"{PAIR}/{{case}}"),
    benchmark:
        paths.benchmark("truth_bank", f"{PAIR}/{{case}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("truth_bank", 6000),
        runtime=1440,
    params:
        generator=of("generators", "{generator}", without=SAMPLING),
        vlm=cases.vlm,
        names=cases.names,
        output=config["coupling"]["output"],
        settings=cases.bank,
        objectives=config["truth"]["objectives"],
        hidden=cases.hidden,
        seed=config["seed"],
        limit=config["memory"]["contexts"],
        world=config["world"],
        code=code(
            "transporter.concepts.answered",
            "transporter.concepts.fitting",
            "transporter.truth.nulls",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/concept_bank.py"


rule truth_readings:
    input:
        unpack(cases.models),
        unpack(cases.edits),
        honest=files("vlms", "{vlm}"),
        controls=paths.CONTROLS,
        banks=paths.every(paths.TRUTH_BANK, objective=config["truth"]["objectives"]),
        concepts=config["truth"]["concepts"],
        vocabulary=config["concepts"],
        shortcuts=config["shortcuts"],
        probes=files("probes"),
        clip_judge=files("metrics", "clip_judge"),
    output:
        readings=paths.TRUTH_READINGS,
        changes=paths.TRUTH_CHANGES,
        figure=reported(
            paths.TRUTH_CHANGES_FIGURE,
            "truth_changes",
            "Truth",
            result="changes, {case}, {concept}",
        ),
        example=directory(paths.TRUTH_EXAMPLE),
    log:
        paths.log("truth_readings", f"{PAIR}/{{case}}/{{concept}}"),
    benchmark:
        paths.benchmark("truth_readings", f"{PAIR}/{{case}}/{{concept}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 4000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        vlm=cases.vlm,
        honest=of("vlms", "{vlm}"),
        probes=config["probes"],
        world=config["world"],
        captions=config["truth"]["captions"],
        noise=config["truth"]["noise"],
        objectives=config["truth"]["objectives"],
        metrics=config["metrics"],
        seed=config["seed"],
        code=code(
            "transporter.concepts.answered",
            "transporter.figures.described",
            "transporter.truth.described",
            "transporter.truth.nulls",
            "transporter.truth.readings",
            adapters=["generators", "vlms"],
            world=True,
        ),
    script:
        "../scripts/truth_readings.py"


rule truth_table:
    input:
        readings=cases.readings(),
        natural=cases.natural(),
        changes=cases.changes(),
        answers=paths.PLANTED_ANSWERS if cases.shortcuts else [],
        concepts=config["truth"]["concepts"],
        shortcuts=config["shortcuts"],
    output:
        table=paths.TRUTH,
        summary=paths.TRUTH_SUMMARY,
        told_apart=paths.TOLD_APART,
        described=paths.TRUTH_DESCRIBED,
    log:
        paths.log("truth_table"),
    benchmark:
        paths.benchmark("truth_table")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        world=config["world"],
        level=config["truth"]["level"],
        code=code("transporter.truth.told_apart", world=True),
    script:
        "../scripts/truth_table.py"


rule truth_matrix:
    input:
        paths.TRUTH,
    output:
        pdf=paths.filled(paths.MATRIX, form="pdf"),
        png=reported(
            paths.filled(paths.MATRIX, form="png"),
            "truth_matrix",
            "Truth",
            result="matrix",
        ),
    log:
        paths.log("truth_matrix"),
    benchmark:
        paths.benchmark("truth_matrix")
    conda:
        "../../envs/transporter.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("transporter.figures.truth"),
    script:
        "../scripts/truth_matrix.py"


rule truth_examples:
    input:
        model=files("generators", plan.generators[0]),
        examples=cases.examples(paths.TRUTH_EXAMPLE),
        readings=cases.examples(paths.TRUTH_READINGS),
        concepts=config["truth"]["concepts"],
        shortcuts=config["shortcuts"],
    output:
        pdf=paths.filled(paths.TRUTH_EXAMPLES, form="pdf"),
        png=reported(
            paths.filled(paths.TRUTH_EXAMPLES, form="png"),
            "truth_examples",
            "Truth",
            result="examples",
        ),
    log:
        paths.log("truth_examples"),
    benchmark:
        paths.benchmark("truth_examples")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 3000),
        runtime=30,
    params:
        generator=of("generators", plan.generators[0]),
        world=config["world"],
        code=code(
            "transporter.figures.truth_examples",
            "transporter.truth.controls",
            adapters=["generators"],
        ),
    script:
        "../scripts/truth_examples.py"


rule truth_filmstrip:
    input:
        unpack(cases.models),
        readings=cases.captioned,
        bank=paths.TRUTH_BANK,
        concepts=config["truth"]["concepts"],
    output:
        report(
            paths.TRUTH_FILMSTRIP,
            caption="../report/truth_filmstrip.rst",
            category="Truth",
            labels={"result": "{case}, {concept}, {objective}"},
        ),
    log:
        paths.log("truth_filmstrip", f"{PAIR}/{{case}}/{{concept}}_{{objective}}"),
    benchmark:
        paths.benchmark("truth_filmstrip", f"{PAIR}/{{case}}/{{concept}}_{{objective}}")
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 3000),
        runtime=30,
    params:
        generator=of("generators", "{generator}"),
        vlm=cases.vlm,
        phi=config["generation"]["phi"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code(
            "transporter.figures.filmstrip",
            "transporter.generation.sweeps",
            adapters=["generators", "vlms"],
        ),
    script:
        "../scripts/truth_filmstrip.py"

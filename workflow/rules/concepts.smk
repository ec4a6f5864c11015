# The concept bank: one vector per contrast pair, in the generator's condition space.


rule edits:
    input:
        model=generator_files,
        captions=captions("train"),
        concepts=config["concepts"],
    output:
        directory("results/embeddings/edits/generators/{generator}"),
    log:
        "logs/edits/{generator}.log",
    benchmark:
        "logs/edits/{generator}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=720,
    params:
        generator=generator_settings,
        groups=config["edits"]["captions"],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.concepts.edits", *adapters(w, "generators")
        ),
    script:
        "../scripts/edits.py"


rule concept_bank:
    input:
        unpack(reader_inputs),
        unpack(bank_edits),
        captions=captions("train"),
        z_xi="results/embeddings/train/generators/{generator}",
        concepts=config["concepts"],
    output:
        bank="results/concepts/{generator}/{vlm}/bank.safetensors",
        table=report(
            "results/concepts/{generator}/{vlm}/separation.tsv",
            caption="../report/separation.rst",
            category="Concepts",
            labels={"generator": "{generator}", "vlm": "{vlm}"},
        ),
    log:
        "logs/concept_bank/{generator}/{vlm}.log",
    benchmark:
        "logs/concept_bank/{generator}/{vlm}.tsv"
    conda:
        "../../envs/transporter.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=6000,
        runtime=1440,
    params:
        generator=encoder_settings,
        vlm=vlm_settings,
        names=CONCEPTS,
        output=lambda w: experiment(w)["coupling"]["output"],
        settings=lambda w: experiment(w)["bank"],
        objectives=lambda w: [experiment(w)["bank"]["objective"]],
        seed=config["seed"],
        code=lambda w: code_hash(
            "transporter.concepts.edits",
            "transporter.concepts.fitting",
            *adapters(w, "generators", "vlms"),
        ),
    script:
        "../scripts/concept_bank.py"

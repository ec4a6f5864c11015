# Both spaces' embeddings of every clip: the generator's latents, the VLM's tokens, and its tokens of the decoded latents.


rule embed_generator:
    input:
        captions=lambda w: captions(w.split),
        clips=lambda w: clip_folder(w.split),
        model=generator_files,
    output:
        directory("results/embeddings/{split}/generators/{generator}"),
    log:
        "logs/embed_generator/{split}/{generator}.log",
    benchmark:
        "logs/embed_generator/{split}/{generator}.tsv"
    priority: split_priority
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=120,
    params:
        generator=encoder_settings,
        code=lambda w: code_hash(
            "transporter.clips.embeddings", *adapters(w, "generators")
        ),
    script:
        "../scripts/embed_generator.py"


rule embed_vlm:
    input:
        captions=lambda w: captions(w.split),
        clips=lambda w: clip_folder(w.split),
        model=vlm_files,
    output:
        directory("results/embeddings/{split}/vlms/{vlm}/{shape}"),
    log:
        "logs/embed_vlm/{split}/{vlm}/{shape}.log",
    benchmark:
        "logs/embed_vlm/{split}/{vlm}/{shape}.tsv"
    priority: split_priority
    conda:
        "../../envs/transporter.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=3000,
        runtime=120,
    params:
        vlm=vlm_settings,
        code=lambda w: code_hash("transporter.clips.embeddings", *adapters(w, "vlms")),
    script:
        "../scripts/embed_vlm.py"


rule embed_reencoded:
    input:
        z_xi="results/embeddings/{split}/generators/{generator}",
        generator=generator_files,
        vlm=vlm_files,
    output:
        directory("results/embeddings/{split}/reencoded/{generator}/{vlm}"),
    log:
        "logs/embed_reencoded/{split}/{generator}/{vlm}.log",
    benchmark:
        "logs/embed_reencoded/{split}/{generator}/{vlm}.tsv"
    wildcard_constraints:
        split="|".join([*SPLITS, "edits"]),
    priority: split_priority
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
        code=lambda w: code_hash(
            "transporter.clips.embeddings", *adapters(w, "generators", "vlms")
        ),
    script:
        "../scripts/embed_reencoded.py"

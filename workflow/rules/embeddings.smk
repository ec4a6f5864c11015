# Both spaces' embeddings of every clip: the generator's latents, the VLM's tokens, and its tokens of the decoded latents.


rule embed_generator:
    input:
        captions=plan.clips.captions(),
        clips=plan.clips.inputs(),
        model=files("generators", "{generator}"),
        parts=plan.parts(paths.Z_XI),
    output:
        directory(paths.Z_XI),
    log:
        paths.log("embed_generator", "{split}/{generator}"),
    benchmark:
        paths.benchmark("embed_generator", "{split}/{generator}")
    priority: plan.priority
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("embed_generator", 3000),
        runtime=120,
    params:
        clips=plan.clips.folder_from(),
        generator=of("generators", "{generator}", without=GUIDED),
        part=of("clips", only=WINDOW),
        memory=of("memory", only=["embedding", "shard", "embedding_jobs"]),
        code=code(
            "transporter.clips.embedding",
            "transporter.clips.split",
            adapters=["generators"],
        ),
    script:
        "../scripts/embed_generator.py"


rule embed_vlm:
    input:
        captions=plan.clips.captions(),
        clips=plan.clips.inputs(),
        model=files("vlms", "{vlm}"),
        parts=plan.parts(paths.Z_OMEGA),
    output:
        directory(paths.Z_OMEGA),
    log:
        paths.log("embed_vlm", "{split}/{vlm}/{shape}"),
    benchmark:
        paths.benchmark("embed_vlm", "{split}/{vlm}/{shape}")
    priority: plan.priority
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("embed_vlm", 3000),
        runtime=120,
    params:
        clips=plan.clips.folder_from(),
        vlm=of("vlms", "{vlm}"),
        part=of("clips", only=WINDOW),
        memory=of("memory", only=["embedding", "shard", "stored", "embedding_jobs"]),
        code=code(
            "transporter.clips.embedding",
            "transporter.clips.split",
            adapters=["vlms"],
        ),
    script:
        "../scripts/embed_vlm.py"


rule embed_reencoded:
    input:
        z_xi=paths.Z_XI,
        generator=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}"),
        parts=plan.parts(paths.REENCODED),
    output:
        directory(paths.REENCODED),
    log:
        paths.log("embed_reencoded", f"{{split}}/{PAIR}"),
    benchmark:
        paths.benchmark("embed_reencoded", f"{{split}}/{PAIR}")
    wildcard_constraints:
        split="|".join([*plan.clips.splits, "edits"]),
    priority: plan.priority
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("embed_reencoded", 4000),
        runtime=120,
    params:
        generator=of("generators", "{generator}", without=GUIDED),
        vlm=of("vlms", "{vlm}"),
        memory=of("memory", only=["embedding", "shard", "stored", "embedding_jobs"]),
        code=code("transporter.clips.embedding", adapters=["generators", "vlms"]),
    script:
        "../scripts/embed_reencoded.py"


# Several jobs make the shards of a split between them; the rules above gather what they find.
if plan.embedding_jobs > 1:

    use rule embed_generator as embed_generator_part with:
        input:
            captions=plan.clips.captions(),
            clips=plan.clips.inputs(),
            model=files("generators", "{generator}"),
        output:
            temp(touch(paths.part(paths.Z_XI))),
        log:
            paths.log("embed_generator", "{split}/{generator}/{part}"),
        benchmark:
            paths.benchmark("embed_generator", "{split}/{generator}/{part}")

    use rule embed_vlm as embed_vlm_part with:
        input:
            captions=plan.clips.captions(),
            clips=plan.clips.inputs(),
            model=files("vlms", "{vlm}"),
        output:
            temp(touch(paths.part(paths.Z_OMEGA))),
        log:
            paths.log("embed_vlm", "{split}/{vlm}/{shape}/{part}"),
        benchmark:
            paths.benchmark("embed_vlm", "{split}/{vlm}/{shape}/{part}")

    use rule embed_reencoded as embed_reencoded_part with:
        input:
            z_xi=paths.Z_XI,
            generator=files("generators", "{generator}"),
            vlm=files("vlms", "{vlm}"),
        output:
            temp(touch(paths.part(paths.REENCODED))),
        log:
            paths.log("embed_reencoded", f"{{split}}/{PAIR}/{{part}}"),
        benchmark:
            paths.benchmark("embed_reencoded", f"{{split}}/{PAIR}/{{part}}")

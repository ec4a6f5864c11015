# Videos of every concept: each method's sweep of phi from the same noises, in captions that no vector was fitted on.


# By whose answers strengths are spaced, unless they are taken as the settings give them.
SPACED = config["generation"]["spacing_rounds"] > 0


rule generation:
    input:
        bank=paths.BANK,
        model=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}") if SPACED else [],
        seen=plan.clips.captions("train"),
        captions=plan.clips.captions("held_out"),
        concepts=config["concepts"],
    output:
        directory(paths.GENERATED),
    log:
        paths.log("generation", f"{PAIR}/{{concept}}"),
    benchmark:
        paths.benchmark("generation", f"{PAIR}/{{concept}}")
    priority: PAGE
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("generation", 3000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        vlm=of("vlms", "{vlm}") if SPACED else None,
        names=["{concept}"],
        settings=config["generation"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code(
            "transporter.generation.sweeps",
            *(["transporter.coupling.reader"] if SPACED else []),
            adapters=["generators", "vlms"] if SPACED else ["generators"],
        ),
    script:
        "../scripts/generation.py"


# Maps of words are the same whatever the VLM, and so are their videos: made once, for the first.
if plan.words_alone and len(plan.vlms) > 1:

    ruleorder: same_generation > generation

    rule same_generation:
        input:
            paths.filled(paths.GENERATED, vlm=plan.vlms[0]),
        output:
            directory(paths.GENERATED),
        log:
            paths.log("same_generation", f"{PAIR}/{{concept}}"),
        benchmark:
            paths.benchmark("same_generation", f"{PAIR}/{{concept}}")
        wildcard_constraints:
            vlm="|".join(map(re.escape, plan.vlms[1:])),
        localrule: True
        conda:
            "../../envs/transporter.yaml"
        resources:
            mem_mb=500,
            runtime=10,
        script:
            "../scripts/same_generation.py"


rule modulations:
    input:
        bank=paths.BANK,
        model=files("generators", "{generator}"),
        vlm=files("vlms", "{vlm}"),
        seen=plan.clips.captions("train"),
        captions=plan.clips.captions("held_out"),
        concepts=config["concepts"],
    output:
        directory(paths.MODULATED),
    log:
        paths.log("modulations", PAIR),
    benchmark:
        paths.benchmark("modulations", PAIR)
    conda:
        "../../envs/transporter.yaml"
    resources:
        gpu=1,
        mem_mb=job_memory.mem_mb("concept_readings", 4000),
        runtime=240,
    params:
        generator=of("generators", "{generator}"),
        vlm=of("vlms", "{vlm}"),
        names=CONCEPTS,
        settings=config["figures"],
        phi=config["generation"]["phi"],
        seed=config["seed"],
        at_once=config["memory"]["sampling"],
        code=code(
            "transporter.generation.demonstrations", adapters=["generators", "vlms"]
        ),
    script:
        "../scripts/modulations.py"

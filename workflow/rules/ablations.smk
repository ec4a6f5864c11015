# Ablations: the same rules with other settings, in folders of their own.
# Weights that an ablation shares with the base, or with an earlier ablation, are trained once.


use rule coupling as coupling_of_variant with:
    output:
        coupling=paths.of_variant(paths.COUPLING),
        curve=paths.of_variant(paths.CURVE),
    log:
        paths.log("coupling_of_variant", f"{{variant}}/{PAIR}"),
    benchmark:
        paths.benchmark("coupling_of_variant", f"{{variant}}/{PAIR}")
    threads: 1


use rule concept_bank as concept_bank_of_variant with:
    output:
        bank=paths.of_variant(paths.BANK),
        table=paths.of_variant(paths.SEPARATION),
    log:
        paths.log("concept_bank_of_variant", f"{{variant}}/{PAIR}"),
    benchmark:
        paths.benchmark("concept_bank_of_variant", f"{{variant}}/{PAIR}")
    threads: 1


# The table reads phi = 1 alone; one job for all concepts, since loading the generator takes longer than sampling one.
use rule generation as generation_of_variant with:
    input:
        bank=paths.of_variant(paths.BANK),
        model=files("generators", "{generator}"),
        seen=plan.clips.captions("train"),
        captions=plan.clips.captions("held_out"),
        concepts=config["concepts"],
    output:
        directory(paths.every(paths.of_variant(paths.GENERATED), concept=CONCEPTS)),
    log:
        paths.log("generation_of_variant", f"{{variant}}/{PAIR}"),
    benchmark:
        paths.benchmark("generation_of_variant", f"{{variant}}/{PAIR}")
    params:
        names=CONCEPTS,
        settings={**config["generation"], "phi": [1], "methods": ["transporter"]},
        vlm=None,


use rule concept_readings as readings_of_variant with:
    input:
        unpack(plan.reader),
        bank=paths.of_variant(paths.BANK),
        generated=paths.every(paths.of_variant(paths.GENERATED), concept=CONCEPTS),
        concepts=config["concepts"],
        probes=files("probes"),
    output:
        paths.of_variant(paths.READINGS),
    log:
        paths.log("readings_of_variant", f"{{variant}}/{PAIR}"),
    benchmark:
        paths.benchmark("readings_of_variant", f"{{variant}}/{PAIR}")
    params:
        names=CONCEPTS,
        output=of("coupling", "output"),

# What the rules of the benchmark share: who is explained, by which pairs, and where their files are.
from transporter.pipeline.ablations import laid_over
from transporter.truth.cases import HONEST, pair_of

TRUTH_BANK = laid_over(config["bank"], config["truth"]["bank"])


wildcard_constraints:
    case="|".join([HONEST, *SHORTCUTS]),
    objective="|".join(config["truth"]["objectives"]),


def truth_vlms():
    """The honest VLMs that are explained."""
    vlms = config["truth"]["vlms"]
    return list(config["vlms"]) if vlms == "all" else vlms


def truth_shortcuts():
    """The shortcuts whose planted VLMs are explained, by name."""
    names = config["truth"]["shortcuts"]
    if WORLD is None:
        return {}
    return WORLD.read_shortcuts(config["shortcuts"], None if names == "all" else names)


def planted_models(wildcards):
    """The planted VLMs that are explained."""
    return [f"results/planted/{VLMS[0]}/{name}" for name in truth_shortcuts()]


def truth_pairs(case):
    """The pairs of one case: a shortcut's own, or those that honest VLMs are explained by."""
    concepts = read_concepts(config["truth"]["concepts"])
    if case != HONEST:
        return [pair_of(truth_shortcuts()[case], concepts)]
    names = config["truth"]["pairs"]
    return read_concepts(config["truth"]["concepts"], None if names == "all" else names)


def truth_cases():
    """Every case: a VLM, its shortcut or that it is honest, and the pair."""
    chosen = [(VLMS[0], name) for name in truth_shortcuts()]
    chosen += [(vlm, HONEST) for vlm in truth_vlms()]
    return [
        (vlm, name, pair.name) for vlm, name in chosen for pair in truth_pairs(name)
    ]


def truth_readings(wildcards):
    """What was read of every case."""
    return [
        f"results/truth/readings/{generator}/{vlm}/{case}/{concept}.tsv"
        for generator in GENERATORS
        for vlm, case, concept in truth_cases()
    ]


def truth_filmstrips(wildcards):
    """One planted VLM explained by the first and the last objective, and the honest one by the last, all by the same pair."""
    strips, objectives = [], config["truth"]["objectives"]
    shown = dict.fromkeys([objectives[0], objectives[-1]])
    for name in list(truth_shortcuts())[:1]:
        [pair] = truth_pairs(name)
        strips += [f"{name}/{pair.name}_{objective}" for objective in shown]
        if (VLMS[0], HONEST, pair.name) in truth_cases():
            strips.append(f"{HONEST}/{pair.name}_{objectives[-1]}")
    return [
        f"results/truth/filmstrips/{generator}/{VLMS[0]}/{strip}.png"
        for generator in GENERATORS
        for strip in strips
    ]


def shown_readings(wildcards):
    """Where a filmstrip's caption is from: all strips of a pair show the same, one that the first planted VLM can flip in."""
    names = [
        name
        for name in truth_shortcuts()
        if truth_pairs(name)[0].name == wildcards.concept
    ]
    case = (names or [wildcards.case])[0]
    return f"results/truth/readings/{wildcards.generator}/{wildcards.vlm}/{case}/{wildcards.concept}.tsv"


def natural_variation():
    """How much the probes' attributes vary by themselves, where there are probes."""
    return "results/truth/natural.tsv" if config["probes"] else []


def case_files(wildcards):
    """The explained VLM's files: a planted one is made by a rule."""
    if wildcards.case == HONEST:
        return vlm_files(wildcards)
    return [f"results/planted/{wildcards.vlm}/{wildcards.case}"]


def case_settings(wildcards):
    """The explained VLM's settings: a planted one's differ in its folder."""
    if wildcards.case == HONEST:
        return vlm_settings(wildcards)
    [folder] = case_files(wildcards)
    return {**vlm_settings(wildcards), "path": folder}


def case_inputs(wildcards):
    """The generator and the explained VLM."""
    return {"generator": generator_files(wildcards), "vlm": case_files(wildcards)}


def case_coupling(wildcards):
    """The honest VLM's coupling, if vectors are fitted through it: a shortcut leaves a VLM's eyes as they are."""
    through_phi = (
        TRUTH_BANK["strengths"] == "control" or TRUTH_BANK["logits"]["path"] == "phi"
    )
    return trained_coupling(wildcards) if through_phi else []

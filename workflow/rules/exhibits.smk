# Which figures of the paper a run has, and what they show: of videos those of the first generator and VLM.
from transporter.generation.trials import demonstrations

SHOWN = f"{GENERATORS[0]}/{VLMS[0]}"
KINDS = {"objects": "object", "actions": "action", "scenes": "scene"}


def concepts_of_kind(kind):
    """Names of the run's concepts of one kind."""
    concepts = read_concepts(config["concepts"], CHOSEN)
    return [concept.name for concept in concepts if concept.kind == kind]


def shown_video():
    """How the videos of the first generator are read back."""
    settings = config["generators"][GENERATORS[0]]
    return {key: settings[key] for key in ("frames", "height", "width")}


PROJECTIONS = {
    "full" if "full" in config["ablations"] else "base": config["coupling"][
        "projections"
    ],
    **{
        name: variant["coupling"]["projections"]
        for name, variant in config["ablations"].items()
        if "projections" in variant.get("coupling", {})
    },
}
INVERSIONS = config.get("baselines", {}).get("methods", {})
COMPARED = [name for kind in KINDS.values() for name in concepts_of_kind(kind)[:2]]
DEMONSTRATED = {
    demonstration.figure
    for demonstration in demonstrations(
        config["figures"],
        config["generation"]["phi"],
        read_concepts(config["concepts"], CHOSEN),
    )
}
DRAWN = [
    "method",
    *(figure for figure, kind in KINDS.items() if concepts_of_kind(kind)),
    *(["projections"] if len(PROJECTIONS) > 1 else []),
    *(["comparison"] if any(INVERSIONS.values()) else []),
    *sorted(DEMONSTRATED),
]

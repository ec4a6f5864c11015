# What the files of rules share: the checked configuration, names of models and concepts, and where their files are.
import os
import re
import sys
from pathlib import Path

import yaml
from snakemake.utils import update_config

from transporter.pipeline.adapters import adapter_module
from transporter.pipeline.ablations import trained_as, variant
from transporter.pipeline.config import ASKING, MADE, check_config, typed
from transporter.clips.contrast import read_concepts
from transporter.support.errors import UserError
from transporter.pipeline.code_hash import code_hash
from transporter.pipeline.world import load_world
from transporter.support.hashes import digest


def config_sources():
    """The files and options that the settings came from, the one that wins last."""
    files = [
        "config/config.yaml",
        *map(os.path.relpath, workflow.overwrite_configfiles),
    ]
    given = typed(workflow.config_settings.config)
    return [
        *((name, yaml.safe_load(Path(name).read_text())) for name in files),
        *([("--config", given)] if given else []),
    ]


try:
    sources = config_sources()
    update_config(config, sources[-1][1])
    config = check_config(config, sources)
except UserError as error:
    sys.exit(str(error))


SPLITS = list(config["clips"]["splits"])
GENERATORS = config["run"]["generators"]
VLMS = config["run"]["vlms"]
CHOSEN = None if config["run"]["concepts"] == "all" else config["run"]["concepts"]
CONCEPTS = [concept.name for concept in read_concepts(config["concepts"], CHOSEN)]
WORLD = load_world(config["world"])
SHORTCUTS = list(WORLD.read_shortcuts(config["shortcuts"])) if WORLD else []


wildcard_constraints:
    split="|".join(SPLITS),
    generator="[A-Za-z0-9_.-]+",
    vlm="[A-Za-z0-9_.-]+",
    concept="[A-Za-z0-9_.-]+",
    shortcut="|".join(SHORTCUTS) or "none",
    shape=r"\d+x\d+x\d+",
    variant="|".join(map(re.escape, config["ablations"])) or "none",


def final_outputs():
    """What a plain run makes."""
    return [
        "results/gallery",
        "results/evaluation/concepts.tsv",
        "results/versions.tsv",
        *expand(
            "results/coupling/{generator}/{vlm}/report.tsv",
            generator=GENERATORS,
            vlm=VLMS,
        ),
        *expand(
            "results/filmstrips/{generator}/{vlm}/{concept}.png",
            generator=GENERATORS,
            vlm=VLMS,
            concept=CONCEPTS,
        ),
    ]


def captions(split):
    """The table of a split's clips; its column `clip` names files of `clip_folder`."""
    if config["clips"]["source"] == "folder":
        return f"results/clips/{split}.tsv"
    return f"{config['clips']['folder']}/{split}/captions.tsv"


def clip_folder(split):
    """The folder of a split's clips."""
    if config["clips"]["source"] == "folder":
        return f"{config['clips']['folder']}/clips"
    return f"{config['clips']['folder']}/{split}/clips"


def model_files(path):
    """A model as a rule's input: what its folder holds, or the folder if a rule makes it; nothing for a name on the hub."""
    if path is None:
        return []
    if path.startswith(MADE):
        return [path]
    return sorted(
        str(file)
        for file in Path(path).rglob("*")
        if file.is_file() and file.suffix not in (".md", ".png", ".tsv")
        if file.name != "card.json" and not file.name.startswith(".")
    )


def generator_files(wildcards):
    return model_files(config["generators"][wildcards.generator]["path"])


def vlm_files(wildcards):
    return model_files(config["vlms"][wildcards.vlm]["path"])


def probe_files(wildcards):
    return model_files(config["probes"])


def clip_judge_files(wildcards):
    return model_files(config["metrics"]["clip_judge"])


def encoder_settings(wildcards):
    """What of a generator's settings matters while nothing is sampled."""
    settings = config["generators"][wildcards.generator]
    return {
        key: value
        for key, value in settings.items()
        if key not in ("steps", "guidance")
    }


def generator_settings(wildcards):
    """All of a generator's settings."""
    return config["generators"][wildcards.generator]


def vlm_settings(wildcards):
    """All of a VLM's settings."""
    return config["vlms"][wildcards.vlm]


def shape(wildcards):
    """Frames, height and width of a generator's videos, as a folder's name."""
    settings = config["generators"][wildcards.generator]
    return "{frames}x{height}x{width}".format(**settings)


def video_settings(wildcards):
    """How a generator's videos are read back."""
    settings = config["generators"][wildcards.generator]
    return {key: settings[key] for key in ("frames", "height", "width", "fps")}


def split_priority(wildcards):
    """The coupling waits longest for the training split, and only its report for the held-out one."""
    return {"train": 3, "validation": 2}.get(wildcards.split, 0)


def pair_inputs(wildcards, splits):
    """Aligned embeddings and captions of some splits."""
    generator, vlm, size = wildcards.generator, wildcards.vlm, shape(wildcards)
    folders = {
        "z_xi": f"generators/{generator}",
        "z_omega": f"vlms/{vlm}/{size}",
        "z_reencoded": f"reencoded/{generator}/{vlm}",
    }
    return {
        **{
            f"{kind}_{split}": f"results/embeddings/{split}/{folder}"
            for kind, folder in folders.items()
            for split in splits
        },
        **{f"captions_{split}": captions(split) for split in splits},
    }


def training_pairs(wildcards):
    """What Phi learns from, and what it is watched on."""
    return pair_inputs(wildcards, ["train", "validation"])


def held_out_pairs(wildcards):
    """What only the report sees."""
    return pair_inputs(wildcards, ["held_out"])


def literal_coupling():
    """rho-OT as the paper has it, trained on Phi's parts for the report, unless the settings leave it out."""
    return (
        "results/coupling/{generator}/{vlm}/literal.safetensors"
        if config["coupling"]["literal_steps"]
        else []
    )


def experiment(wildcards):
    """All settings of a job: those of its ablation, or the base's where it is of none."""
    name = wildcards.get("variant")
    return variant(config, name) if name else config


def trained_coupling(wildcards):
    """The file of the weights of Phi; ablations that differ in nothing that is trained share one."""
    name = wildcards.get("variant")
    owner = trained_as(config, name) if name else None
    folder = f"results/ablations/{owner}/coupling" if owner else "results/coupling"
    return f"{folder}/{wildcards.generator}/{wildcards.vlm}/coupling.safetensors"


def reader_inputs(wildcards):
    """Both models and the coupling between them."""
    return {
        "coupling": trained_coupling(wildcards),
        "generator": generator_files(wildcards),
        "vlm": vlm_files(wildcards),
    }


def edits_of(objectives, wildcards):
    """The one-word edits and the VLM's tokens of them, if the pairs of an objective are edits that the VLM answers differently."""
    if not set(ASKING) & set(objectives):
        return {}
    names = {"generator": wildcards.generator, "vlm": wildcards.vlm}
    folders = {
        "edits": "generators/{generator}",
        "edits_reencoded": "reencoded/{generator}/{vlm}",
    }
    return {
        kind: f"results/embeddings/edits/{folder}".format(**names)
        for kind, folder in folders.items()
    }


def bank_edits(wildcards):
    """The edits that a bank of the run is fitted on, if it is."""
    return edits_of([experiment(wildcards)["bank"]["objective"]], wildcards)


def run_vlm_files():
    """All VLMs of the run."""
    return [file for vlm in VLMS for file in model_files(config["vlms"][vlm]["path"])]


def temporal_table():
    """Whether answers need time, which is known of VLMs that speak the microworld's words."""
    return "results/truth/temporal.tsv" if config["clips"]["source"] == "world" else []


def generated_folders():
    """Every concept's videos, of every generator and VLM."""
    pattern = "results/generation/{generator}/{vlm}/{concept}"
    return expand(pattern, generator=GENERATORS, vlm=VLMS, concept=CONCEPTS)


def adapters(wildcards, *kinds):
    """Modules of the adapters that a job uses, those of the models that its wildcards name or else all of the run's.

    A change of another adapter, or another model in the run, reruns nothing.
    """
    run = {"generators": ("generator", GENERATORS), "vlms": ("vlm", VLMS)}
    modules = set()
    for kind in kinds:
        wildcard, used = run[kind]
        names = [wildcards[wildcard]] if wildcard in wildcards.keys() else used
        modules |= {
            adapter_module(kind, config[kind][name]["adapter"]) for name in names
        }
    return sorted(modules)


def inverted_folders():
    """Every concept's inverted clips of one VLM, in the order of the paper's rows."""
    return [
        f"results/baselines/{{vlm}}/{method}/{target}/{concept}"
        for target in ("w", "w_dw")
        for method, targets in config["baselines"]["methods"].items()
        if target in targets
        for concept in CONCEPTS
    ]


def first_video():
    """How clips are read back: as those of the first generator."""
    settings = config["generators"][GENERATORS[0]]
    return {key: settings[key] for key in ("frames", "height", "width", "fps")}


def inversion_verifier():
    """The weights of the network whose statistics are a prior, where no judge of the microworld serves."""
    return [] if config["metrics"]["clip_judge"] else ["results/weights/i3d"]

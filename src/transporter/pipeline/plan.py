"""What a run makes, and what each job is made from, read from the checked settings.

Many methods take the wildcards of a job, a mapping of names, as Snakemake's input functions do;
`of`, `files`, `code` and `pairs` return such functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from transporter.clips.contrast import read_concepts
from transporter.pipeline import paths
from transporter.pipeline.ablations import trained_as, variant
from transporter.pipeline.adapters import adapter_module
from transporter.pipeline.clip_plan import ClipPlan, Getter, Wildcards, names_of
from transporter.pipeline.code_hash import code_hash
from transporter.pipeline.config import ASKING
from transporter.pipeline.model_files import model_files
from transporter.pipeline.world import load_world, world_module

SAMPLING = ("steps", "guidance", "guidance_2")
"""What of a generator's settings does not matter while nothing is sampled."""
GUIDED = (*SAMPLING, "negative_prompt")
"""What of them does not matter to clips and captions as they are."""
PROCESSES = ("processes",)
"""What of the coupling's settings says where it is trained."""
LITERAL = ("literal_steps", *PROCESSES)
"""Settings of the coupling that do not matter to Phi itself."""
VIDEO = ("frames", "height", "width", "fps")
"""How a generator's videos are read back."""
WINDOW = ("start", "seconds", "fit")
"""Which part of a clip is read, and how it is made to fit."""
ADAPTED = {"generators": "generator", "vlms": "vlm"}
"""Kinds of models, and the wildcard that names one."""
MICROWORLD = "microworld"
"""The world whose models are trained, and whose shortcuts are planted, by rules of their own."""
PAGE = 10
"""The priority of jobs that the page waits for, and the least of those that others of these do."""
PRIORITIES = {"train": 3, "validation": 2}
"""The coupling waits longest for the training split, and only its report for the held-out one."""
POOLED = "transporter.vlms.pooled"


class Plan:
    """A run, by its checked settings (`pipeline.config.check_config`).

    Attributes:
        clips: where the run's clips are.
        generators, vlms: names of the run's models.
        concepts: names of the run's concepts, in the order of the table, but for those that lack
            captions.
        lacks: concepts of the settings that the captions of own clips cannot serve, and why.
        world: the world of the settings; None for a user's own clips without one.
        shortcuts: names of all shortcuts that can be planted.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.clips = ClipPlan(config["clips"], config["seed"])
        self.generators: list[str] = config["run"]["generators"]
        self.vlms: list[str] = config["run"]["vlms"]
        wanted = read_concepts(config["concepts"], _chosen(config["run"]["concepts"]))
        self.lacks = self.clips.lacks(wanted)
        self.contrasts = [concept for concept in wanted if concept.name not in self.lacks]
        self.concepts = [concept.name for concept in self.contrasts]
        self.world = load_world(config["world"])
        known = self.world.read_shortcuts(config["shortcuts"]) if self.world else {}
        self.shortcuts = list(known)
        self._variants = {name: variant(config, name) for name in config["ablations"]}

    def not_served(self) -> str | None:
        """One line about concepts that the settings ask for and the captions cannot serve."""
        if not self.lacks:
            return None
        lacking = ", ".join(f"{name} ({lack})" for name, lack in self.lacks.items())
        return f"concepts left out for want of captions: {lacking}"

    def final_outputs(self) -> list[str]:
        """What a plain run makes."""
        models = {"generator": self.generators, "vlm": self.vlms}
        return [
            paths.GALLERY,
            paths.FAITHFULNESS,
            paths.STRATA,
            paths.VERSIONS,
            *paths.every(paths.COUPLING_REPORT, **models),
            *paths.every(paths.ANSWERS, **models),
            *paths.every(paths.FILMSTRIP, **models, concept=self.concepts),
        ]

    def of_run(self, pattern: str) -> list[str]:
        """A result of every generator and VLM of the run, whichever of both the path names."""
        return paths.every(pattern, generator=self.generators, vlm=self.vlms)

    def shapes(self) -> list[list[float]]:
        """Frames, height, width and rate that clips are read at, of every generator."""
        models = [self.config["generators"][name] for name in self.generators]
        return [[model[key] for key in VIDEO] for model in models]

    def written_folders(self) -> list[str]:
        """Folders that jobs write to."""
        return ["results", "unfinished", *self.clips.rendered_folders()]

    def generated(self) -> list[str]:
        """The folders of every concept's videos, of every generator and VLM."""
        models = {"generator": self.generators, "vlm": self.vlms}
        return paths.every(paths.GENERATED, **models, concept=self.concepts)

    def maps(self) -> list[str]:
        """The folders of the maps of all these."""
        models = {"generator": self.generators, "vlm": self.vlms}
        return paths.every(paths.MAPS, **models, concept=self.concepts)

    def pooled(self) -> dict[str, int]:
        """Those of the run's VLMs that are seen through pooled tokens, and how many at most."""
        most = {name: self.config["vlms"][name]["pooled_tokens"] for name in self.vlms}
        return {name: count for name, count in most.items() if count}

    # settings

    def experiment(self, wildcards: Wildcards) -> Mapping[str, Any]:
        """All settings of a job: those of its ablation, or the base's where it is of none."""
        name = names_of(wildcards).get("variant")
        return self._variants[name] if name else self.config

    def of(self, *keys: str, only: Sequence[str] = (), without: Sequence[str] = ()) -> Getter:
        """The settings at some keys, which may name wildcards: `of("vlms", "{vlm}")`.

        A job of an ablation has its settings. `only` and `without` pick among the keys of a
        mapping.
        """

        def settings(wildcards: Wildcards) -> Any:
            value = self.experiment(wildcards)
            for key in keys:
                value = value[paths.filled(key, **names_of(wildcards))]
            if only:
                return {key: value[key] for key in only}
            if without:
                return {key: inner for key, inner in value.items() if key not in without}
            return value

        return settings

    def video(self) -> dict[str, Any]:
        """How clips are read back that no generator made: as those of the first one."""
        return self.of("generators", self.generators[0], only=VIDEO)({})

    def shape(self, generator: str) -> str:
        """Frames, height, width and rate of a generator's videos, as a folder's name."""
        return paths.shape(self.config["generators"][generator])

    # models and code

    def files(self, *keys: str) -> Getter:
        """The files of the model at some keys, which may name wildcards; see `model_files`."""
        settings = self.of(*keys)

        def found(wildcards: Wildcards) -> list[str]:
            model = settings(wildcards)
            return model_files(model["path"] if isinstance(model, Mapping) else model)

        return found

    def all_vlm_files(self) -> list[str]:
        """The files of all VLMs of the run."""
        return [file for vlm in self.vlms for file in self.files("vlms", vlm)({})]

    def code(
        self,
        *modules: str,
        adapters: Sequence[str] = (),
        world: bool = False,
        files: Sequence[str] = (),
    ) -> Getter:
        """Hash of the code behind a job.

        It is that of `modules`, of the adapters of the models that the job uses (`adapters`: kinds,
        as in `ADAPTED`), of the world if it reads clips as that does, and of further `files` of
        the package.
        """

        def hashed(wildcards: Wildcards) -> str:
            name = self.config["world"] if world else None
            worlds = [world_module(name)] if name else []
            named = (*modules, *self.adapters(wildcards, *adapters), *worlds)
            return _hash(named, tuple(files))

        return hashed

    def adapters(self, wildcards: Wildcards, *kinds: str) -> list[str]:
        """Modules of the adapters that a job uses: those of the models that its wildcards name, or
        else all of the run's.

        A change of another adapter, or another model in the run, reruns nothing.
        """
        names, modules = names_of(wildcards), set()
        for kind in kinds:
            wildcard = ADAPTED[kind]
            used = [names[wildcard]] if wildcard in names else self.config["run"][kind]
            chosen = {self.config[kind][name]["adapter"] for name in used}
            modules |= {adapter_module(kind, adapter) for adapter in chosen}
            if any(self.config[kind][name].get("pooled_tokens") for name in used):
                modules.add(POOLED)
        return sorted(modules)

    # inputs of jobs

    def priority(self, wildcards: Wildcards) -> int:
        """How soon embeddings of a split are made: before the videos where these wait for the
        coupling, after them where concepts are fitted to captions alone.
        """
        priority = PRIORITIES.get(names_of(wildcards)["split"], 0)
        return priority + PAGE if priority and not self.words_alone else priority

    def pairs(self, *splits: str) -> Getter:
        """Aligned embeddings and captions of some splits: `z_xi_train`, `captions_train`, ..."""
        kinds = {"z_xi": paths.Z_XI, "z_omega": paths.Z_OMEGA, "z_reencoded": paths.REENCODED}

        def inputs(wildcards: Wildcards) -> dict[str, str]:
            names = names_of(wildcards)
            names["shape"] = self.shape(names["generator"])
            found = {}
            for kind, pattern in kinds.items():
                for split in splits:
                    place = paths.filled(pattern, **{**names, "split": split})
                    found[f"{kind}_{split}"] = place
            return found | {f"captions_{split}": self.clips.captions(split) for split in splits}

        return inputs

    def trained_coupling(self, wildcards: Wildcards) -> str:
        """The weights of Phi; ablations that differ in nothing that is trained share one."""
        names = names_of(wildcards)
        owner = trained_as(self.config, names["variant"]) if "variant" in names else None
        pattern = paths.of_variant(paths.COUPLING) if owner else paths.COUPLING
        return paths.filled(pattern, **{**names, "variant": owner or ""})

    def models(self, wildcards: Wildcards) -> dict[str, Any]:
        """A generator and a VLM."""
        return {
            "generator": self.files("generators", "{generator}")(wildcards),
            "vlm": self.files("vlms", "{vlm}")(wildcards),
        }

    def reader(self, wildcards: Wildcards) -> dict[str, Any]:
        """Both models and the coupling between them."""
        return {"coupling": self.trained_coupling(wildcards), **self.models(wildcards)}

    @property
    def embedding_jobs(self) -> int:
        """That share the embedding of a split."""
        return self.config["memory"]["embedding_jobs"]

    def parts(self, pattern: str) -> list[str]:
        """What a job that gathers embeddings waits for; nothing where it makes them alone."""
        jobs = self.embedding_jobs
        if jobs == 1:
            return []
        return paths.every(paths.part(pattern), part=map(str, range(jobs)))

    def literal(self) -> str | list[str]:
        """rho-OT as the paper has it, trained on Phi's parts for the report, unless the settings
        leave it out.
        """
        return paths.LITERAL if self.config["coupling"]["literal_steps"] else []

    @property
    def words_alone(self) -> bool:
        """Whether the run's concepts are fitted to captions alone: maps of words."""
        bank = self.config["bank"]
        return (bank["form"], bank["objective"]) == ("map", "velocity")

    def objectives(self, wildcards: Wildcards) -> list[str]:
        """What a job's concept vectors are fitted to: all that the benchmark compares, or one."""
        if "case" in names_of(wildcards):
            return self.config["truth"]["objectives"]
        return [self.experiment(wildcards)["bank"]["objective"]]

    def edits(self, wildcards: Wildcards) -> dict[str, str]:
        """The one-word edits and the VLM's tokens of them, if the pairs of an objective are edits
        that the VLM answers differently.
        """
        if not set(ASKING) & set(self.objectives(wildcards)):
            return {}
        places = {"edits": paths.EDITS, "edits_reencoded": paths.EDITS_REENCODED}
        names = names_of(wildcards)
        return {kind: paths.filled(place, **names) for kind, place in places.items()}

    def temporal_table(self) -> str | list[str]:
        """Whether answers need time, which is known of VLMs that speak the microworld's words."""
        of_world = self.config["clips"]["source"] == "world"
        return paths.TEMPORAL if of_world and self.config["world"] == MICROWORLD else []

    def inverted(self, concepts: Sequence[str]) -> list[str]:
        """Some concepts' inverted clips of one VLM, in the order of the paper's rows."""
        methods = self.config["baselines"]["methods"].items()
        found = []
        for target in ("w", "w_dw"):
            chosen = [method for method, targets in methods if target in targets]
            names = {"method": chosen, "target": [target], "concept": concepts}
            found += paths.every(paths.INVERTED, **names)
        return found

    def inversion_verifier(self) -> list[str]:
        """The weights of the network whose statistics are a prior, where no judge of the world
        serves.
        """
        judge = self.config["metrics"]["clip_judge"]
        return [] if judge else [paths.filled(paths.WEIGHTS, weights="i3d")]


@cache
def _hash(modules: tuple[str, ...], files: tuple[str, ...]) -> str:
    return code_hash(*modules, files=files)


def _chosen(names: str | Sequence[str]) -> Sequence[str] | None:
    """Names that a table is cut to; None for all."""
    return None if names == "all" else names

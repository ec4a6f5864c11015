"""What the benchmark of explanations makes: whose choices are explained, by which pairs of words,
and from which files.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.world import Shortcut
from transporter.pipeline import paths
from transporter.pipeline.ablations import laid_over
from transporter.pipeline.clip_plan import Wildcards
from transporter.pipeline.own_clips import benchmark_lacks
from transporter.pipeline.plan import Plan
from transporter.support.errors import UserError
from transporter.truth.cases import HONEST, NULLS, WITHHELD, Case, pair_of, shortcut_name


class Subject(NamedTuple):
    """A VLM whose choice is explained, its shortcut or that it is honest, and the pair of words."""

    vlm: str
    case: str
    concept: str


class Cases:
    """The benchmark of a run: the settings `truth`, and shortcuts planted in its first VLM."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.config = plan, plan.config
        self.settings = plan.config["truth"]
        self.bank = laid_over(plan.config["bank"], self.settings["bank"])
        self.planted_vlm = plan.vlms[0]

    @cached_property
    def shortcuts(self) -> dict[str, Shortcut]:
        """The shortcuts whose planted VLMs are explained, by name."""
        world, names = self.plan.world, self.settings["shortcuts"]
        if world is None:
            return {}
        found = world.read_shortcuts(self.config["shortcuts"], None if names == "all" else names)
        if taken := found.keys() & {HONEST, *NULLS}:
            raise UserError(
                f"{self.config['shortcuts']}, column shortcut: expected another name than"
                f" {min(taken)}, which VLMs that nothing is planted in have; rename it"
            )
        if taken := [name for name in found if name.endswith(WITHHELD)]:
            raise UserError(
                f"{self.config['shortcuts']}, column shortcut: expected a name that does not end in"
                f" {WITHHELD}, which cases of truth.withheld do, got {taken[0]}; rename it"
            )
        return found

    @cached_property
    def withheld(self) -> list[str]:
        """The cases in which no method may ask about the cue's words, each beside the same VLM's
        case in which all may; none where no world plants any.

        Raises:
            UserError: the settings name a shortcut that is not explained, or whose cue no word
                says.
        """
        names = self.settings["withheld"]
        if self.plan.world is None:
            return []
        said = [name for name, one in self.shortcuts.items() if one.attributes]
        if names == "all":
            names = said
        if unknown := [name for name in names if name not in said]:
            raise UserError(
                f"truth.withheld: expected shortcuts of truth.shortcuts whose cue words say"
                f" ({', '.join(said)}), got {unknown[0]!r}"
            )
        return [f"{name}{WITHHELD}" for name in names]

    @cached_property
    def _contrasts(self) -> list[Concept]:
        return read_concepts(self.settings["concepts"])

    @cached_property
    def _honest_pairs(self) -> list[Concept]:
        names = self.settings["pairs"]
        return read_concepts(self.settings["concepts"], None if names == "all" else names)

    @cached_property
    def lacks(self) -> dict[str, str]:
        """Pairs of words that a user's own captions cannot serve, and what they lack; nothing is
        explained by them.
        """
        if not self.plan.clips.listed:
            return {}
        clips, seed = self.config["clips"], self.config["seed"]
        folder, words = Path(clips["folder"]), self._contrasts
        return benchmark_lacks(folder, clips["splits"], seed, words, clips["layout"])

    def pairs(self, case: str) -> list[str]:
        """Pairs of words of a case: the shortcut's own, or those that honest VLMs are explained by;
        without those that the captions cannot serve.

        Raises:
            UserError: no pair of the table is one that the shortcut decides.
        """
        if case == HONEST:
            names = [pair.name for pair in self._honest_pairs]
        elif case in NULLS:
            names = [pair.name for pair in self._honest_pairs[:1]]
        else:
            names = [pair_of(self.shortcuts[shortcut_name(case)], self._contrasts).name]
        return [name for name in names if name not in self.lacks]

    def not_served(self) -> str | None:
        """One line about pairs of words that the settings ask for and the captions cannot serve.

        Raises:
            UserError: they can serve none.
        """
        asked = {pair.name for pair in self._honest_pairs} if self._honest else set()
        asked |= {pair.name for pair in self._honest_pairs[:1]} if self.settings["nulls"] else set()
        asked |= {pair_of(one, self._contrasts).name for one in self.shortcuts.values()}
        lacking = [f"{name} ({lack})" for name, lack in self.lacks.items() if name in asked]
        if not lacking:
            return None
        line = f"truth: left out for want of captions: {', '.join(lacking)}"
        if not self.subjects:
            raise UserError(f"{line}; nothing is left to explain: add clips, or set truth.pairs")
        return line

    @property
    def _honest(self) -> list[str]:
        vlms = self.settings["vlms"]
        return list(self.config["vlms"] if vlms == "all" else vlms)

    @cached_property
    def subjects(self) -> list[Subject]:
        """All that is explained: planted VLMs first, those whose cue's words are withheld after
        them, then null ones, then honest ones.
        """
        planted = (*self.shortcuts, *self.withheld, *self.settings["nulls"])
        chosen = [(self.planted_vlm, name) for name in planted]
        chosen += [(vlm, HONEST) for vlm in self._honest]
        return [Subject(vlm, case, pair) for vlm, case in chosen for pair in self.pairs(case)]

    def cue_modules(self) -> list[str]:
        """Modules of functions that cues are, beside the world's own."""
        cues = {one.cue.partition(":") for one in self.shortcuts.values()}
        return sorted(module for module, colon, _ in cues if colon)

    # what is made

    def final_outputs(self) -> list[str]:
        """What the benchmark makes."""
        return [
            paths.TRUTH,
            *([paths.filled(paths.MATRIX, form="png")] if self.config["probes"] else []),
            *([paths.filled(paths.TRUTH_EXAMPLES, form="png")] if self.examples("") else []),
            *([paths.RELIANCE] if self.shortcuts else []),
            *([paths.TRUTH_EXPLAINED] if self.explained() else []),
            *self.filmstrips(),
        ]

    def planted(self) -> list[str]:
        """The planted VLMs that are explained."""
        return paths.every(paths.PLANTED, vlm=[self.planted_vlm], shortcut=self.shortcuts)

    def readings(self) -> list[str]:
        """What was read of every case."""
        return self._of_every_case(paths.TRUTH_READINGS)

    def changes(self) -> list[str]:
        """How the change of every case is described."""
        return self._of_every_case(paths.TRUTH_CHANGES)

    def _of_every_case(self, path: str) -> list[str]:
        found = []
        for generator in self.plan.generators:
            for subject in self.subjects:
                names = {"generator": generator, **subject._asdict()}
                found.append(paths.filled(path, **names))
        return found

    def explained(self) -> list[str]:
        """Clips that nobody generated, explained of every VLM but the null ones, where probes can
        tell what changes; by all words, so that none is withheld.
        """
        if not (self.settings["explained"] and self.config["probes"] and self.plan.world):
            return []
        return [
            paths.filled(paths.TRUTH_CLIPS, generator=generator, **subject._asdict())
            for generator in self.plan.generators
            for subject in self.subjects
            if subject.case not in (*NULLS, *self.withheld)
        ]

    def filmstrips(self) -> list[str]:
        """One planted VLM explained by the first and the last objective, and the honest one by the
        last, all by the same pair.
        """
        vlm, objectives = self.planted_vlm, self.settings["objectives"]
        strips = []
        for name in list(self.shortcuts)[:1]:
            if not self.pairs(name):
                continue
            [pair] = self.pairs(name)
            ends = dict.fromkeys([objectives[0], objectives[-1]])
            strips += [(name, pair, objective) for objective in ends]
            if Subject(vlm, HONEST, pair) in self.subjects:
                strips.append((HONEST, pair, objectives[-1]))
        return [
            paths.filled(
                paths.TRUTH_FILMSTRIP,
                generator=generator,
                vlm=vlm,
                case=case,
                concept=pair,
                objective=objective,
            )
            for generator in self.plan.generators
            for case, pair, objective in strips
        ]

    def examples(self, pattern: str) -> list[str]:
        """Files of what stands in the picture of examples: of each kind of cue the first planted
        VLM, and the first honest one.
        """
        kinds = {_kind(one): name for name, one in reversed(self.shortcuts.items())}
        firsts = [name for name in self.shortcuts if name in kinds.values()]
        subjects = [one for one in self.subjects if one.case in firsts]
        subjects += [one for one in self.subjects if one.case == HONEST][:1]
        generator = self.plan.generators[0]
        return [paths.filled(pattern, generator=generator, **one._asdict()) for one in subjects]

    def natural(self) -> str | list[str]:
        """How much the probes' attributes vary by themselves, where there are probes."""
        return paths.NATURAL if self.config["probes"] else []

    # inputs of jobs

    def names(self, wildcards: Wildcards) -> list[str]:
        """Pairs of words that a job's vectors are fitted for."""
        return self.pairs(_case(wildcards))

    def models(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """The generator and the explained VLM; a planted one is made by a rule."""
        kind = "generators"
        generator = self.plan.files(kind, "{generator}")(wildcards)
        return {"generator": generator, "vlm": self._vlm_files(wildcards)}

    def _vlm_files(self, wildcards: Wildcards) -> list[str]:
        shortcut = shortcut_name(_case(wildcards))
        if shortcut not in self.shortcuts:
            return self.plan.files("vlms", "{vlm}")(wildcards)
        names = {"vlm": dict(wildcards.items())["vlm"], "shortcut": shortcut}
        return [paths.filled(paths.PLANTED, **names)]

    def vlm(self, wildcards: Wildcards) -> dict[str, Any]:
        """The explained VLM's settings: a planted one's differ in its folder."""
        settings = self.plan.of("vlms", "{vlm}")(wildcards)
        if shortcut_name(_case(wildcards)) not in self.shortcuts:
            return settings
        [folder] = self._vlm_files(wildcards)
        return {**settings, "path": folder}

    def hidden(self, wildcards: Wildcards) -> list[str]:
        """The words that a job may not ask about."""
        name = _case(wildcards)
        if name not in self.withheld:
            return []
        pair = pair_of(self.shortcuts[shortcut_name(name)], self._contrasts)
        return sorted(Case.named(name, pair, self.shortcuts, self.plan.world).hidden)

    def edits(self, wildcards: Wildcards) -> dict[str, str]:
        """The one-word edits that a look-up asks about, and the VLM's tokens of them: a planted
        VLM's eyes are the honest one's.
        """
        places = {"edits": paths.EDITS, "edits_reencoded": paths.EDITS_REENCODED}
        names = dict(wildcards.items())
        return {kind: paths.filled(place, **names) for kind, place in places.items()}

    def coupling(self, wildcards: Wildcards) -> str | list[str]:
        """The honest VLM's coupling, if vectors are fitted through it: a shortcut leaves a VLM's
        eyes as they are.
        """
        by_phi = self.bank["strengths"] == "answer_gap" or self.bank["logits"]["path"] == "phi"
        return self.plan.trained_coupling(wildcards) if by_phi else []

    def captioned(self, wildcards: Wildcards) -> str:
        """The readings that a filmstrip's caption is from: all strips of a pair show the same, one
        that the first planted VLM can flip in.
        """
        names = dict(wildcards.items())
        planted = [name for name in self.shortcuts if self.pairs(name) == [names["concept"]]]
        case = planted[0] if planted else names["case"]
        return paths.filled(paths.TRUTH_READINGS, **{**names, "case": case})


def _kind(shortcut: Shortcut) -> str:
    """What sort of cue it is: an attribute, a condition on some, or a function's name."""
    if shortcut.attributes is None:
        return shortcut.cue
    return next((sign for sign in "+|" if sign in shortcut.cue), "attribute")


def _case(wildcards: Wildcards) -> str:
    return dict(wildcards.items())["case"]

"""Concepts by name."""

from __future__ import annotations

from collections.abc import Mapping

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.pipeline.project import nearest
from transporter.support.errors import UserError


def known_concept(concept: Concept | str, known: Mapping[str, Concept]) -> Concept:
    """A concept, or the one of that name.

    Raises:
        UserError: there is none of that name.
    """
    if isinstance(concept, Concept):
        return concept
    if concept not in known:
        raise UserError(
            f"concept: expected one of {', '.join(known) or 'none yet'}, got"
            f" {concept!r}{nearest(concept, list(known))}; or give a Concept"
        )
    return known[concept]


def fitted_concept(
    concept: Concept | str, concepts: Mapping[str, Concept], bank: ConceptBank
) -> Concept:
    """The concept, if it is in the bank, and with these words.

    Raises:
        UserError: it is not.
    """
    concept = known_concept(concept, concepts)
    if concept.name not in bank.vectors:
        raise UserError(
            f"concept {concept.name}: expected one of the bank"
            f" ({', '.join(bank.vectors) or 'which is empty'}); fit it first, or load a"
            " bank"
        )
    known = concepts.get(concept.name, concept)
    if (known.source, known.target) != (concept.source, concept.target):
        raise UserError(
            f"concept {concept.name}: expected the words it was fitted on, {known.source!r} and"
            f" {known.target!r}, got {concept.source!r} and {concept.target!r}; choose another"
            " name"
        )
    return concept

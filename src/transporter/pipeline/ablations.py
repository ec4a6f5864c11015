"""Ablations: variants of the experiment, each a few settings of the coupling or the bank laid over
the base.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from transporter.support.errors import UserError

AFTER_TRAINING = ("output", "log_every", "save_every", "literal_steps", "processes")
"""Settings of the coupling by which trained weights do not differ."""
OWN_ROWS = ("base", "baseline", "prompt_interpolation", "random")
"""Rows that the table of ablations has of itself, so that no ablation is named so."""


def variant(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """All settings of one ablation: `ablations.<name>` laid over the rest, key by key.

    Raises:
        UserError: there is no ablation of that name.
    """
    known = config["ablations"]
    if name not in known:
        raise UserError(f"expected a name from ablations ({', '.join(known)}), got {name!r}")
    return laid_over(config, known[name])


def trained_as(config: Mapping[str, Any], name: str) -> str | None:
    """Whose trained coupling an ablation uses: None the base's, a name that ablation's, its own
    where no earlier one has the same.

    So an ablation of the output or the bank trains no coupling, and two that differ in those alone
    share one.
    """
    own = _training(variant(config, name))
    if own == _training(config):
        return None
    return next(other for other in config["ablations"] if _training(variant(config, other)) == own)


def _training(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config["coupling"].items() if key not in AFTER_TRAINING}


def laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `changes` laid over them, key by key at every depth; neither is changed."""
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        result[key] = laid_over(base[key], value) if both else copy.deepcopy(value)
    return result

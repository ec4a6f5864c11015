"""Keys of the settings about the method itself, its ablations and its sweeps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Le, MaxLen, MinLen
from pydantic import WrapValidator, with_config
from typing_extensions import TypedDict

from transporter.concepts.settings import Bank
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.setting_types import Partial, Sample, Seeds, Strength, some_keys
from transporter.support.settings import RULES, Count, Distinct, Whole, section


@section
class Coupling(CouplingSettings):
    """The network Phi from the generator's latents to the VLM's tokens, and its training."""

    literal_steps: Whole = 150
    """Steps by which rho-OT as the paper has it is trained on the same parts, for its row in the
    report; 0 leaves the row out.
    """
    processes: Annotated[Count, Le(8)] = 1
    """Processes that train Phi, each on a GPU of its own; they share the passes of a step, so
    `accumulate` is a multiple.
    """


@section
class EditSettings:
    """Captions with one word changed, which the objectives `answers` and `logits` learn from."""

    captions: Sample = 64
    """Training captions that are edited, each in every word that the table of concepts knows others
    for.
    """


@with_config(RULES)
class Variant(TypedDict, total=False):
    """What an ablation has otherwise than the rest of the settings."""

    coupling: Annotated[Coupling, WrapValidator(some_keys), Partial]
    """Keys of `coupling` that the variant has otherwise."""
    bank: Annotated[Bank, WrapValidator(some_keys), Partial]
    """Keys of `bank` that the variant has otherwise."""


def variants() -> dict[str, Any]:
    """The rows of the paper's table and a few more; banks are of vectors, as in the paper, and take
    a fifth of the steps, also that of `full`, with which all are compared.
    """
    short = {"form": "vector", "steps": 60, "lr": 0.03}
    literal = {"aggregate": "plans", "values": "z1"}
    couplings = {
        "full": {},
        "inference_only": {"output": "plain"},
        "phi_1": {"output": "phi_1"},
        "phi_2": {"output": "phi_2"},
        "mean": {"output": "mean"},
        "sliced_gromov": {"transport": {"aggregate": "gromov", "values": "z1"}},
        "literal": {"transport": literal},
        "p_50": {"projections": 50},
        "p_200": {"projections": 200},
        "p_400": {"projections": 400},
        "scaling_0": {"transport": {"scaling_steps": 0}},
        "scaling_5": {"transport": {"scaling_steps": 5}},
        "entropic": {"transport": {"solver": "entropic"}},
        "exact": {"transport": {"solver": "exact"}},
    }
    banks = {"kl": {"divergence": "kl"}, "js": {"divergence": "js"}, "vocab": {"support": "vocab"}}
    made = {
        name: ({"coupling": keys} if keys else {}) | {"bank": dict(short)}
        for name, keys in couplings.items()
    }
    return made | {name: {"bank": keys | short} for name, keys in banks.items()}


@section
class GenerationSettings:
    """The phi sweeps."""

    phi: Annotated[tuple[Strength, ...], MinLen(2), MaxLen(1000)] = (0, 0.25, 0.5, 0.75, 1)
    """Concept strengths in rising order; 0 (source) and 1 (target) must be among them."""
    spacing_rounds: Whole = 2
    """How often strengths are tried for each clip, so that at the stops of `phi` the VLM's log-odds
    have gone such shares of their way; 0 takes `phi` as it is.
    """
    seeds: Seeds = 8
    """Videos (seed and caption) per concept."""
    methods: Annotated[
        tuple[Literal["transporter", "random", "prompt_interpolation"], ...], MinLen(1), Distinct
    ] = ("transporter", "random", "prompt_interpolation")
    """The method and the controls it is compared with."""

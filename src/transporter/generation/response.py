"""How a VLM's answer responds to a concept, measured before any clip of a run is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.captions import Pair
from transporter.generation.spacing import Response
from transporter.generation.sweeps import full_change, sweep
from transporter.generators.base import Sampling

STRENGTHS = 9
"""Evenly spaced ones at which the answer is asked for."""
FIRST_NOISE = 800_000
"""Of a seed's noises: no clip of a run has the noise of one that its strengths were chosen by."""


@torch.no_grad()
def measure_response(
    concept: Concept,
    pairs: Sequence[Pair],
    reader: Reader,
    bank: ConceptBank,
    sampling: Sampling,
    seed: int = 0,
) -> Response:
    """The response to a concept in some captions, each in a noise of its own; clips are decoded and
    encoded again.
    """
    phi = np.linspace(0, 1, STRENGTHS)
    generator = reader.generator
    minus, change = full_change("transporter", concept, pairs, generator, bank, seed)
    log_odds = []
    for number in range(len(pairs)):
        row = slice(number, number + 1)
        noise = [FIRST_NOISE + seed + number]
        z_xi = sweep(generator, minus[row], change[row], phi.tolist(), noise, sampling)[0]
        log_odds.append(reader.log_odds(reader.reencoded(z_xi), concept).cpu().numpy())
    return Response.of_log_odds(phi, np.stack(log_odds))

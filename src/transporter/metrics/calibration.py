"""Does a model know how often it is right?"""

from __future__ import annotations

import torch


def expected_calibration_error(probabilities: torch.Tensor, labels: torch.Tensor, bins: int = 15) -> float:
    """Mean distance of confidence from accuracy over `bins` equal bins of confidence, in [0, 1] (Guo et al. 2017, eq. 3).

    `probabilities` `(n, K)` over K answers, `labels` `(n,)` the right one; the answer given is the likeliest.

    >>> expected_calibration_error(torch.tensor([[0.75, 0.25]] * 4), torch.tensor([0, 0, 0, 1]))
    0.0
    >>> expected_calibration_error(torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]))
    0.25
    """
    confidence, answer = probabilities.max(-1)
    gap = (answer == labels).double() - confidence.double()
    places = (confidence * bins).ceil().clamp(1, bins).long() - 1
    summed = torch.zeros(bins, dtype=torch.double, device=gap.device).index_add(0, places, gap)
    return float(summed.abs().sum() / len(gap))

"""rho-OT against POT's solvers, against one POT Sinkhorn per projection and against all P x N x N
plans at once: processor time and peak memory.

Run: python benchmarks/transport.py [projections] [rounds] [tokens ...]. Every call has a process of
its own (Linux) and one core; forms take turns. Prints medians, and ratios to the default form.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ot
import torch
import torch.nn.functional as F

from transporter.coupling.settings import TransportSettings
from transporter.coupling.solvers import scaled_plan
from transporter.coupling.transport import RhoOT

COUNTS, DIM, EPSILON, SCALING_STEPS = (256, 1024), 64, 0.1, 1
TOLERANCE = 1e-6
"""Error of the marginals at which POT stops; far more scalings than rho-OT's one."""

AT_LEAST = 0.2
"""Seconds over which short calls are repeated."""

Plan = Callable[[RhoOT, torch.Tensor, torch.Tensor], torch.Tensor]


def projected(rho: RhoOT, z1: torch.Tensor, z2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens `(1, N, D)` on every line: `(P, N)` each."""
    return F.normalize(rho.p1, dim=-1) @ z1[0].T, F.normalize(rho.p2, dim=-1) @ z2[0].T


def all_at_once(rho: RhoOT, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
    """The definition of `plans`, in P x N x N numbers."""
    a, b = projected(rho, z1, z2)
    cost = (a[:, :, None] - b[:, None, :]).square()
    return scaled_plan(-cost / EPSILON, SCALING_STEPS).mean(0)


def looped_pot(rho: RhoOT, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
    """One Sinkhorn per projection, each to its end; in double precision, which small eps asks of
    POT's fastest form.
    """
    count = z1.shape[1]
    uniform, total = torch.full((count,), 1 / count, dtype=torch.double), torch.zeros(count, count)
    for a, b in zip(*projected(rho, z1, z2), strict=True):
        cost = (a[:, None] - b[None, :]).square().double()
        total = (
            total
            + ot.sinkhorn(
                uniform, uniform, cost, EPSILON, numItermax=1000, stopThr=TOLERANCE, warn=False
            ).float()
        )
    return total * count / len(rho.p1)


def rho_ot(rho: RhoOT, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
    return rho.plan(z1, z2)[0]


FORMS: dict[str, tuple[dict[str, str], Plan]] = {
    "rho-OT, costs": ({"aggregate": "costs"}, rho_ot),
    "entropic, costs": ({"aggregate": "costs", "solver": "entropic"}, rho_ot),
    "exact, costs": ({"aggregate": "costs", "solver": "exact"}, rho_ot),
    "rho-OT, plans": ({"aggregate": "plans"}, rho_ot),
    "exact, plans": ({"aggregate": "plans", "solver": "exact"}, rho_ot),
    "rho-OT, gromov": ({"aggregate": "gromov"}, rho_ot),
    "plans, P x N x N": ({"aggregate": "plans"}, all_at_once),
    "POT, one by one": ({"aggregate": "plans"}, looped_pot),
}
"""Row -> its settings, and what makes its plan. Not `entropic` with `plans`: its gradients keep a
thousand scalings of each plan, 67 GB with 1,024 tokens.
"""


def call(form: str, count: int, projections: int, backward: bool) -> None:
    """Plan and barycentre of one clip, and their gradients."""
    form_settings, plan = FORMS[form]
    torch.manual_seed(0)
    settings = TransportSettings(
        **form_settings, values="z1", epsilon=EPSILON, scaling_steps=SCALING_STEPS
    )
    rho = RhoOT(DIM, projections, settings)
    z1, z2 = (torch.randn(1, count, DIM, requires_grad=backward) for _ in range(2))
    with torch.set_grad_enabled(backward):
        merged = plan(rho, z1, z2).T @ z1[0]
        if backward:
            merged.square().sum().backward()


def resident(key: str) -> float:
    """MiB that the process holds (`VmRSS`), or the most it has held (`VmHWM`)."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key)
    )
    return int(line.split()[1]) / 1024


def measure(form: str, count: int, projections: int, backward: bool) -> tuple[float, float]:
    """Processor seconds of a call and MiB on top of what was held before, in the process that this
    runs in.
    """
    call(form, 8, 2, backward)  # what a first call alone loads and sets up
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, start, calls = resident("VmRSS"), time.process_time(), 0
    while (passed := time.process_time() - start) < AT_LEAST:
        call(form, count, projections, backward)
        calls += 1
    return passed / calls, resident("VmHWM") - before


def apart(*arguments: object) -> tuple[float, float]:
    """`measure` in a fresh process."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(measure, arguments)


def main(projections: int = 32, rounds: int = 3, *counts: int) -> None:
    torch.set_num_threads(1)
    for count in counts or COUNTS:
        for backward in (False, True):
            print(
                f"N {count}, P {projections}, {'forward and backward' if backward else 'forward'}"
            )
            taken = [
                {form: apart(form, count, projections, backward) for form in FORMS}
                for _ in range(rounds)
            ]
            for form in FORMS:
                seconds, peak = (
                    statistics.median(round[form][i] for round in taken) for i in (0, 1)
                )
                ratios = [
                    statistics.median(round[form][i] / round["rho-OT, costs"][i] for round in taken)
                    for i in (0, 1)
                ]
                print(
                    f"  {form:17} {seconds:8.3f} s {peak:7.0f} MiB, ratios {ratios[0]:6.1f}"
                    f" {ratios[1]:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""The methods: which parameters, and which terms beside the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from transporter.baselines.parametrisations import Parametrisation, Phase, Pixels, mean_magnitude
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import InversionTarget
from transporter.baselines.terms import Moment, Term, coherence, l2, patch_prior, priming
from transporter.baselines.verifier import Verifier

Shape = tuple[int, int, int, int]
"""(T, C, H, W)"""


@dataclass(frozen=True)
class Method:
    """How an inversion starts, and what it minimises beside the target's negative score."""

    start: Callable[[torch.Generator], Parametrisation]
    """What is optimised, as the generator, on the CPU, draws it."""
    terms: Mapping[str, Term]
    identity: str
    """Tells methods, and the clips that they were given, apart: a checkpoint of another one is not
    resumed.
    """


def activation_maximisation(shape: Shape, settings: InversionSettings) -> Method:
    """AM (Simonyan et al. 2014): pixels and an L2 penalty; clips of `shape` (T, C, H, W)."""
    return Method(_pixels(shape, settings), _l2(settings), "AM")


def gradvit(
    target: InversionTarget, shape: Shape, verifier: Verifier, settings: InversionSettings
) -> Method:
    """GradViT (CVPR 2022) with the target in place of its gradients: the target alone first, then
    with both priors.
    """
    begins = settings.prior_from
    terms = {
        **_l2(settings),
        "statistics": Term(_distance(target, verifier, 0.0), settings.statistics, begins),
        "patch_prior": Term(
            lambda at: patch_prior(at.video, settings.patch), settings.patch_prior, begins
        ),
    }
    return Method(_pixels(shape, settings), terms, f"GradViT {_sum(_running(verifier))}")


def maco(clips: Iterable[torch.Tensor], width: int) -> Method:
    """MACO (NeurIPS 2023): the phase alone, its magnitude the mean of real `clips` `(T, C, H, W)`,
    all W = `width` wide.

    Raises:
        UserError: no clip.
    """
    magnitude = mean_magnitude(clips)
    return Method(
        lambda generator: Phase(magnitude, width, generator), {}, f"MACO {_sum([magnitude])}"
    )


def leaps(
    target: InversionTarget, stimulus: torch.Tensor, verifier: Verifier, settings: InversionSettings
) -> Method:
    """LEAPS (ICCV 2023): pixels primed by the `stimulus` `(T, C, H, W)`, a real clip of the target;
    it is read only once.
    """
    with torch.no_grad():
        response = target.respond(stimulus[None].to(target.device))
    primed = {name: feature.mean() for name, feature in response.features.items()}
    first = settings.first_layer
    terms = {
        **_l2(settings),
        "priming": Term(lambda at: priming(at.response, primed, first), settings.priming),
        "coherence": Term(
            lambda at: coherence(at.response.frames, settings.margin), settings.coherence
        ),
        "statistics": Term(_distance(target, verifier, first), settings.statistics),
    }
    identity = f"LEAPS {_sum(primed.values())} {_sum(_running(verifier))}"
    return Method(_pixels(tuple(stimulus.shape), settings), terms, identity)


def _pixels(
    shape: Shape, settings: InversionSettings
) -> Callable[[torch.Generator], Parametrisation]:
    return lambda generator: Pixels(shape, settings.noise, generator)


def _distance(
    target: InversionTarget, verifier: Verifier, first: float
) -> Callable[[Moment], torch.Tensor]:
    """A network that verifies itself is not run twice."""
    if set(verifier.layers) <= set(target.layers):
        return lambda at: verifier.distance(
            {name: at.response.features[name] for name in verifier.running}, first
        )
    return lambda at: verifier.distance(verifier.read(at.video), first)


def _l2(settings: InversionSettings) -> dict[str, Term]:
    return {"l2": Term(lambda at: l2(at.video), settings.l2)}


def _sum(tensors: Iterable[torch.Tensor]) -> float:
    """Of all their values, to tell clips and networks apart by."""
    return sum(float(tensor.double().sum()) for tensor in tensors)


def _running(verifier: Verifier) -> Iterable[torch.Tensor]:
    """Means and variances `(C,)` of all layers."""
    return (
        tensor
        for running in verifier.running.values()
        for tensor in (running.mean, running.variance)
    )

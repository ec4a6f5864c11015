"""How close the coupling network comes to the VLM's own tokens on held-out clips, as numbers and as
the language model reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F

from transporter.clips.stored import at_once, portions
from transporter.coupling.network import Coupling, Pairs
from transporter.coupling.relations import gram
from transporter.statistics.divergences import hellinger
from transporter.statistics.wasserstein import directions, sliced_wasserstein
from transporter.vlms.base import VLM

ROWS = {"full": "transport", "phi_1": "phi_1", "phi_2": "phi_2", "mean": "mean", "plain": "plain"}
"""Row of the report -> `output` setting."""
PARTS = {"sliced_full": "transport", "sliced_phi_1": "phi_1", "sliced_phi_2": "phi_2"}
"""Column of the sliced Wasserstein distance from z~, z1 and z2 -> `output` setting."""
CLOUDS = ("sliced_omega", *PARTS)
"""Columns of sliced Wasserstein distances, first of that from the VLM's own tokens."""
DIRECTIONS = 50
"""Of the sliced Wasserstein distances."""
Network = tuple[Coupling, str]
"""A network and its `output`."""


@torch.no_grad()
def log_answers(
    vlm: VLM, tokens: torch.Tensor, questions: Sequence[str], batch: int = 32
) -> torch.Tensor:
    """The VLM's log-distributions over its vocabulary after each question: `(n, N, D)` to
    `(n, questions, V)`.
    """
    parts = tokens.to(vlm.device).split(batch)
    read = ([vlm.logits(part, question) for question in questions] for part in parts)
    return torch.cat([torch.stack(logits, 1).log_softmax(-1) for logits in read])


@torch.no_grad()
def tokens_of(coupling: Coupling, pairs: Pairs, output: str, batch: int = 64) -> torch.Tensor:
    """`z_tilde` `(n, N, D)` of one `output`, in raw units on the network's device."""
    parts = (part.to(coupling.omega_mean.device) for part in pairs.batches(batch))
    return torch.cat(
        [coupling.raw(coupling.parts(p.z_xi, p.pi, p.z_reencoded).output(output)) for p in parts]
    )


def token_errors(coupling: Coupling, tokens: torch.Tensor, true: torch.Tensor) -> dict[str, float]:
    """Raw tokens `(n, N, D)` against the true ones.

    `cosine` is that of raw tokens; `relative_error` is `|z - z_omega|^2 / |z_omega - mean|^2` (0
    perfect, 1 as bad as the mean of each position); `gram_error` is
    `|H(z) - H(z_omega)|^2 / |H(z_omega)|^2`; the last two in standardised units.
    """
    z, target = coupling.standardise(tokens), coupling.standardise(true)
    relations = gram(target)
    return {
        "cosine": float(F.cosine_similarity(tokens, true, dim=-1).mean()),
        "relative_error": float(
            (z - target).square().sum() / (target - coupling.omega_positions).square().sum()
        ),
        "gram_error": float((gram(z) - relations).square().sum() / relations.square().sum()),
    }


def cloud_distances(
    networks: Mapping[str, Network], coupling: Coupling, pairs: Pairs, batch: int = 64
) -> pd.DataFrame:
    """Sliced Wasserstein distances of each network's tokens of a clip, as a cloud without order,
    from other clouds of that clip: means over clips, in standardised units.

    Returns:
        A row per network, indexed by its name, and the columns `CLOUDS`: the distance from the
        VLM's own tokens, and from z~, z1 and z2 of `coupling`.
    """
    along = directions(pairs.z_omega.shape[-1], DIRECTIONS)
    sums = pd.DataFrame(0.0, index=list(networks), columns=list(CLOUDS))
    parts = {name: (coupling, output) for name, output in PARTS.items()}
    for some in pairs.batches(batch):
        some = some.to(coupling.omega_mean.device)
        clouds = {"sliced_omega": coupling.standardise(some.z_omega)}
        clouds |= _standardised(parts, coupling, some)
        for name, tokens in _standardised(networks, coupling, some).items():
            for column, cloud in clouds.items():
                sums.loc[name, column] += float(sliced_wasserstein(tokens, cloud, along).sum())
    return sums / len(pairs)


@torch.no_grad()
def _standardised(
    networks: Mapping[str, Network], coupling: Coupling, pairs: Pairs
) -> dict[str, torch.Tensor]:
    """What each network gives out `(n, N, D)`, in the units of `coupling`; one pass of each."""
    different = {network for network, _ in networks.values()}
    inputs = (pairs.z_xi, pairs.pi, pairs.z_reencoded)
    stages = {network: network.parts(*inputs) for network in different}
    return {
        name: coupling.standardise(network.raw(stages[network].output(output)))
        for name, (network, output) in networks.items()
    }


def answer_errors(
    answers: torch.Tensor, swapped: torch.Tensor, reference: torch.Tensor
) -> dict[str, float]:
    """Log-distributions `(n, questions, V)` of the VLM's answers on a network's tokens, and on its
    tokens under other clips' conditions, against those on the true tokens.
    """
    return {
        "hellinger": float(hellinger(answers, reference).mean()),
        "same_answer": float((answers.argmax(-1) == reference.argmax(-1)).float().mean()),
        "hellinger_other_condition": float(hellinger(swapped, reference).mean()),
    }


def _answers_on_both(
    vlm: VLM, tokens: torch.Tensor, swapped: torch.Tensor, questions: Sequence[str], batch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """`log_answers` on tokens and on those under other clips' conditions, asked once where both are
    equal.
    """
    answers = log_answers(vlm, tokens, questions, batch)
    if torch.equal(tokens, swapped):
        return answers, answers
    return answers, log_answers(vlm, swapped, questions, batch)


def report(
    coupling: Coupling,
    vlm: VLM,
    questions: Sequence[str],
    held_out: Pairs,
    literal: Coupling | None = None,
    batch: int = 32,
    portion: int | None = None,
) -> pd.DataFrame:
    """One row per variant of the network on held-out clips.

    Args:
        questions: prompts whose next-token distributions are compared.
        literal: a network with `aggregate: plans, values: z1`, for the row of that name.
        portion: clips in memory at once; by default as many as are within `clips.stored.RESIDENT`.

    Returns:
        Columns `variant cosine relative_error gram_error hellinger same_answer
            hellinger_other_condition` and `CLOUDS`: the errors of
        `token_errors`, the Hellinger distance between the VLM's answers on `z_tilde` and on
        `z_omega`, the share of equal most likely answers, both averaged over clips and questions,
        the Hellinger distance when every clip comes with another clip's condition (where that
        one is larger, the tokens tell of the prompt and not only of the video), and
        `cloud_distances`.
    """
    networks: dict[str, Network] = {name: (coupling, output) for name, output in ROWS.items()}
    if literal is not None:
        networks["literal"] = (literal, "transport")
    parts, weights = [], []
    for rows in portions(len(held_out), portion or at_once(*held_out.tensors())):
        pairs = held_out[rows]
        before = torch.arange(rows.start, rows.stop) - 1
        others = replace(pairs, pi=held_out.pi[before % len(held_out)])
        parts.append(_errors(networks, coupling, vlm, questions, pairs, others, batch))
        weights.append(_weights(coupling, pairs))
    errors = parts[0] if len(parts) == 1 else _weighted(parts, weights)
    errors = errors.rename_axis("variant").reset_index()
    return errors.join(cloud_distances(networks, coupling, held_out), on="variant")


def _errors(
    networks: Mapping[str, Network],
    coupling: Coupling,
    vlm: VLM,
    questions: Sequence[str],
    pairs: Pairs,
    others: Pairs,
    batch: int,
) -> pd.DataFrame:
    """A row of errors for each network; `others` are the pairs under other clips' conditions."""
    true = pairs.z_omega.to(coupling.omega_mean.device)
    reference = log_answers(vlm, true, questions, batch)
    rows = {}
    for name, (network, output) in networks.items():
        tokens, swapped = (tokens_of(network, some, output, batch) for some in (pairs, others))
        answers = _answers_on_both(vlm, tokens, swapped, questions, batch)
        rows[name] = token_errors(coupling, tokens, true) | answer_errors(*answers, reference)
    return pd.DataFrame.from_dict(rows, orient="index")


def _weights(coupling: Coupling, pairs: Pairs) -> dict[str, float]:
    """How much a portion counts in each error: what `token_errors` divide by, else its clips."""
    target = coupling.standardise(pairs.z_omega.to(coupling.omega_mean.device))
    return {
        "relative_error": float((target - coupling.omega_positions).square().sum()),
        "gram_error": float(gram(target).square().sum()),
        "clips": float(len(pairs)),
    }


def _weighted(
    parts: Sequence[pd.DataFrame], weights: Sequence[Mapping[str, float]]
) -> pd.DataFrame:
    """The errors of all portions together."""
    columns = {}
    for name in parts[0]:
        shares = [weight.get(name, weight["clips"]) for weight in weights]
        sums = sum(part[name] * share for part, share in zip(parts, shares, strict=True))
        columns[name] = sums / sum(shares)
    return pd.DataFrame(columns)

"""Phi: the coupling network from the generator's space Xi to the VLM's space Omega, in raw units on
both sides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from transporter.clips.stored import Rows, at_once, portions
from transporter.coupling.mixer import Phi1
from transporter.coupling.moments import channel_moments, spread_rows
from transporter.coupling.relations import Phi2
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.transport import RhoOT
from transporter.networks.pretrained import fill, refused_in_one_line
from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.tensors import header_json, read_tensors


@dataclass(frozen=True)
class Pairs:
    """Aligned embeddings of n clips: what the coupling network learns from. Chosen rows are
    tensors, wherever the whole is.
    """

    z_xi: Rows
    """Generator's latents `(n, c, t, h, w)`."""
    pi: Rows
    """Conditions `(n, L, d)`."""
    z_omega: Rows
    """The VLM's tokens of the true clips `(n, N, D)`."""
    z_reencoded: Rows
    """The VLM's tokens of the decoded latents, E_Omega(D_Xi(z_xi)), `(n, N, D)`."""

    def __post_init__(self) -> None:
        counts = [len(tensor) for tensor in self.tensors()]
        if len(set(counts)) > 1 or self.z_omega.shape != self.z_reencoded.shape:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in self.tensors())
            raise UserError(
                "coupling pairs: expected equally many of each, z_omega and z_reencoded"
                " of one shape;"
                f" got {shapes}"
            )

    def tensors(self) -> tuple[Rows, ...]:
        """z_xi, pi, z_omega, z_reencoded."""
        return self.z_xi, self.pi, self.z_omega, self.z_reencoded

    def __len__(self) -> int:
        return len(self.z_xi)

    def __getitem__(self, rows: torch.Tensor | slice) -> Pairs:
        return Pairs(*(tensor[rows] for tensor in self.tensors()))

    def to(self, device: torch.device | str) -> Pairs:
        """Chosen rows on `device`."""
        return Pairs(*(tensor.to(device) for tensor in self.tensors()))

    def batches(self, size: int) -> Iterator[Pairs]:
        """Consecutive parts of at most `size` clips, fewer where clips are large
        (`clips.stored.RESIDENT`).
        """
        parts = portions(len(self), min(size, at_once(*self.tensors())))
        return (self[part] for part in parts)


@dataclass(frozen=True)
class Parts:
    """Every stage's tokens `(B, N, D)`, in standardised units."""

    z_1: torch.Tensor
    z_2: torch.Tensor
    plain: torch.Tensor
    transport: torch.Tensor

    def output(self, name: str) -> torch.Tensor:
        """What the network of that `output` setting gives out."""
        if name == "mean":
            return (self.z_1 + self.z_2) / 2
        return {
            "phi_1": self.z_1,
            "phi_2": self.z_2,
            "plain": self.plain,
            "transport": self.transport,
        }[name]


class Coupling(nn.Module):
    """`Phi(z_xi, pi, z_reencoded) -> z_tilde`; the statistics of both spaces are buffers, so every
    argument and result is in raw units.

    Inside, latents, conditions and tokens have mean 0 and deviation 1 per channel, and Phi_1 adds
    to each token position's mean.

    Args:
        latent_shape: `(c, t, h, w)` of `z_xi`.
        condition_shape: `(L, d)` of `pi`.
        tokens_shape: `(N, D)` of the VLM's tokens.
    """

    def __init__(
        self,
        latent_shape: tuple[int, int, int, int],
        condition_shape: tuple[int, int],
        tokens_shape: tuple[int, int],
        settings: CouplingSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings = settings or CouplingSettings()
        self.latent_shape, self.condition_shape = tuple(latent_shape), tuple(condition_shape)
        self.tokens_shape = tuple(tokens_shape)
        self.phi_1 = Phi1(
            self.latent_shape, self.condition_shape, self.tokens_shape, settings.phi_1
        )
        self.phi_2 = Phi2(self.tokens_shape, settings.phi_2)
        self.transport = RhoOT(tokens_shape[1], settings.projections, settings.transport)
        self._statistics("xi", (latent_shape[0], 1, 1, 1))
        self._statistics("pi", (1, condition_shape[1]))
        self._statistics("omega", (1, tokens_shape[1]))
        self.register_buffer("omega_positions", torch.zeros(self.tokens_shape))

    def _statistics(self, name: str, shape: tuple[int, ...]) -> None:
        self.register_buffer(f"{name}_mean", torch.zeros(shape))
        self.register_buffer(f"{name}_std", torch.ones(shape))

    @torch.no_grad()
    def measure(self, pairs: Pairs) -> None:
        """Take the statistics of both spaces from training pairs, of many from some
        (`moments.MEASURED`); a channel without variance is only centred.
        """
        for name, values, channel in (
            ("xi", pairs.z_xi, 1),
            ("pi", pairs.pi, 2),
            ("omega", pairs.z_omega, 2),
        ):
            buffer = getattr(self, f"{name}_mean")
            std, mean = channel_moments(values, channel, buffer.device)
            buffer.copy_(mean.view_as(buffer))
            getattr(self, f"{name}_std").copy_(torch.where(std > 1e-6, std, 1.0).view_as(buffer))
        self.omega_positions.zero_()
        for part, total in spread_rows(pairs.z_omega):
            mean = self.standardise(part.to(self.omega_mean.device)).mean(0)
            self.omega_positions += mean * (len(part) / total)

    def standardise(self, tokens: torch.Tensor) -> torch.Tensor:
        """Raw tokens `(B, N, D)` to mean 0 and deviation 1 per channel."""
        return (tokens - self.omega_mean) / self.omega_std

    def raw(self, tokens: torch.Tensor) -> torch.Tensor:
        """Undo `standardise`."""
        return tokens * self.omega_std + self.omega_mean

    def parts(self, z_xi: torch.Tensor, pi: torch.Tensor, z_reencoded: torch.Tensor) -> Parts:
        """Raw inputs to every stage's tokens in standardised units."""
        z_1 = self.omega_positions + self.phi_1(
            (z_xi - self.xi_mean) / self.xi_std, (pi - self.pi_mean) / self.pi_std
        )
        plain = self.standardise(z_reencoded)
        z_2 = self.phi_2(plain)
        return Parts(z_1, z_2, plain, self.transport(z_1, z_2))

    def forward(
        self, z_xi: torch.Tensor, pi: torch.Tensor, z_reencoded: torch.Tensor
    ) -> torch.Tensor:
        """`z_xi` `(B, c, t, h, w)`, `pi` `(B, L, d)`, `z_reencoded` `(B, N, D)` to `z_tilde`
        `(B, N, D)`; gradients reach all three.
        """
        return self.raw(self.parts(z_xi, pi, z_reencoded).output(self.settings.output))

    def variant(self, **changes: Any) -> Coupling:
        """A copy with the same weights, as frozen as they are, and other settings; the weights'
        shapes must stay.

        `variant(output="phi_2")` and the other outputs are ablations that need no training; another
        rho-OT does.
        """
        other = Coupling(
            self.latent_shape,
            self.condition_shape,
            self.tokens_shape,
            replace(self.settings, **changes),
        )
        other.load_state_dict(self.state_dict())
        for copied, parameter in zip(other.parameters(), self.parameters(), strict=True):
            copied.requires_grad_(parameter.requires_grad)
        return other.to(self.omega_mean.device).train(self.training)

    def take_over(self, start: Coupling) -> None:
        """The statistics and weights of `start`; rho-OT stays as it is where its number of
        projections is another.
        """
        weights = start.state_dict()
        if start.settings.projections != self.settings.projections:
            weights.update(
                {f"transport.{name}": value for name, value in self.transport.state_dict().items()}
            )
        self.load_state_dict(weights)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and statistics as safetensors, shapes and settings as JSON in the
        header.
        """
        shapes = {
            "latent": self.latent_shape,
            "condition": self.condition_shape,
            "tokens": self.tokens_shape,
        }
        header = {"coupling": json.dumps({"shapes": shapes, "settings": self.settings.as_dict()})}
        with written_whole(path) as partial:
            save_file(
                {
                    name: value.detach().cpu().contiguous()
                    for name, value in self.state_dict().items()
                },
                partial,
                header,
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Coupling:
        """Read what `save` wrote, frozen and in evaluation mode.

        Raises:
            UserError: no such file, one that is damaged, or a file of something else.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"{path}: expected a coupling network (.safetensors), found no such file; train it"
                " first"
            )
        weights, header = read_tensors(path, "a coupling network")
        made = header_json(header, "coupling", path, "a coupling network")
        settings = CouplingSettings.from_mapping(made.get("settings", {}), f"{path}, header")
        with refused_in_one_line(path, "a coupling network's header"):
            shapes = [tuple(made["shapes"][name]) for name in ("latent", "condition", "tokens")]
            coupling = cls(*shapes, settings)
        fill(coupling, weights, path)
        return coupling.to(device).eval().requires_grad_(False)

"""How slowly a layer's attention mixes: the second eigenvalue of its matrix, a Markov chain.

The paper keeps layers in which the mean over heads is above 0.7 (CogVideoX) or 0.75
(HunyuanVideo). The matrix is never made: Arnoldi's iteration asks only for its products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.networks.hooks import Layer

Product = Callable[[torch.Tensor], torch.Tensor]
KRYLOV = 32
"""Products of the matrix; fewer where it is smaller."""


def second_eigenvalue(
    product: Product, start: torch.Tensor, products: int = KRYLOV
) -> torch.Tensor:
    """The second largest modulus of eigenvalues of matrices `(N, N)`, `(B, H)`.

    Args:
        product: from vectors `(B, H, N, 1)` to the matrices' products with them.
        start: where the iteration starts, `(B, H, N, 1)`.
    """
    products = min(products, start.shape[2])
    basis = start / start.norm(dim=2, keepdim=True)
    columns = []
    for step in range(products):
        new = product(basis[..., step : step + 1])
        column = start.new_zeros(*start.shape[:2], products + 1, 1)
        for _ in range(2):  # once is not enough in single precision
            part = basis.mT @ new
            new, column[..., : step + 1, :] = new - basis @ part, column[..., : step + 1, :] + part
        size = new.norm(dim=2, keepdim=True)
        column[..., step + 1 : step + 2, :] = size
        columns.append(column)
        basis = torch.cat([basis, new / size.clamp_min(torch.finfo(size.dtype).eps)], 3)
    hessenberg = torch.cat(columns, -1)[..., :products, :]
    moduli = torch.linalg.eigvals(hessenberg).abs()
    return moduli.topk(min(2, products), dim=-1).values[..., -1]


class _SquareAttention(TorchFunctionMode):
    """Tells of every attention in which as many rows attend as are attended to."""

    def __init__(self, tell: Callable[[Product, torch.Tensor], None]) -> None:
        super().__init__()
        self._tell = tell

    def __torch_function__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | kwargs
            q, k, mask = given["query"], given["key"], given.get("attn_mask")
            if q.shape[2] == k.shape[2]:
                q, k = q.detach().float(), k.detach().float()
                self._tell(lambda x: function(q, k, x, attn_mask=mask), q)
        return function(*args, **kwargs)


@contextmanager
def _inside(layers: Sequence[Layer]) -> Iterator[list[int]]:
    """The number of the block that runs, at the end of the list; none outside of blocks."""
    running: list[int] = []
    with ExitStack() as stack:
        for number, layer in enumerate(layers):
            module = layer.module
            enter = module.register_forward_pre_hook(lambda *_, n=number: running.append(n))
            leave = module.register_forward_hook(lambda *_: _forget(running))
            stack.callback(enter.remove)
            stack.callback(leave.remove)
        yield running


def _forget(running: list[int]) -> None:
    """The block that ends; a hook must return nothing."""
    running.pop()


@torch.no_grad()
def layer_eigenvalues(
    generator: Generator, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
) -> torch.Tensor:
    """The second eigenvalue of every block's square attention (among the image's tokens, or joint
    with the text) in one pass: its mean over clips and heads, `(layers,)`.
    """
    layers = generator.blocks()
    found = [torch.nan] * len(layers)
    draws = torch.Generator().manual_seed(0)
    with _inside(layers) as running:

        def tell(product: Product, q: torch.Tensor) -> None:
            if running:
                start = torch.randn(*q.shape[:3], 1, generator=draws).to(q)
                found[running[-1]] = float(second_eigenvalue(product, start).mean())

        with _SquareAttention(tell):
            generator.velocity(z_t, sigma, condition)
    return torch.tensor(found)


def layers_above(eigenvalues: torch.Tensor, least: float) -> tuple[int, ...]:
    """Numbers of the layers that mix slowly enough to count."""
    return tuple((eigenvalues > least).nonzero()[:, 0].tolist())

"""What the libraries of networks offer to run them in less memory, and how they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from transporter.support.errors import UserError


@contextmanager
def asked_for(key: str, value: str) -> Iterator[None]:
    """Whatever a library says about a key becomes a `UserError` of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of every kind, as of a package that is not there
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"running.{key}: expected what gives {value}, got: {words}") from error


def quantised(kind: type[nn.Module], asked: str | None) -> dict[str, Any]:
    """Arguments of `from_pretrained` of a network of `diffusers` or `transformers`: a package and a
    precision, as `torchao_int8`, or None.

    Raises:
        UserError: the package is not there.
    """
    if asked is None:
        return {}
    with asked_for("quantisation", asked):
        return {"quantization_config": _configuration(kind, asked)}


def _configuration(kind: type[nn.Module], asked: str) -> Any:
    library = kind.__module__.partition(".")[0]
    if library == "diffusers":
        from diffusers import BitsAndBytesConfig, TorchAoConfig
    else:
        from transformers import BitsAndBytesConfig, TorchAoConfig
    if asked.startswith("bitsandbytes"):
        import bitsandbytes  # noqa: F401

        return BitsAndBytesConfig(**{f"load_in_{asked.rpartition('_')[2]}": True})
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig

    made = Int8WeightOnlyConfig if asked.endswith("int8") else Float8WeightOnlyConfig
    return TorchAoConfig(made())

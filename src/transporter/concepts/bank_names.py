"""Which concepts a saved bank holds, read from its header alone: a list of them needs no torch."""

from __future__ import annotations

import os

from safetensors import SafetensorError, safe_open

from transporter.support.errors import UserError


def bank_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the vectors of a saved `concepts.bank.ConceptBank`.

    Raises:
        UserError: there is no such file, or it is none that holds tensors.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: expected a concept bank, could not read it ({error})") from None

"""Which concepts a saved bank holds, read from its header alone: a list of them needs no torch."""

from __future__ import annotations

import os

from safetensors import SafetensorError, safe_open

from transporter.support.errors import UserError


def bank_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the vectors and maps of a saved `concepts.bank.ConceptBank`; the tensors of a map
    have a slash behind its name.

    Raises:
        UserError: there is no such file, or it is none that holds tensors.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name.partition("/")[0] for name in file.keys()]  # noqa: SIM118
            return list(dict.fromkeys(names))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: expected a concept bank, could not read it ({error})") from None

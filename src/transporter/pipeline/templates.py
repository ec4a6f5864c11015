"""Settings that are code: Snakemake runs the Python in a YAML file that has the key `__use_yte__`,
even in a dry run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from transporter.support.errors import UserError

MARK = "__use_yte__"


def refuse_code(path: str | os.PathLike[str]) -> None:
    """Refuse a file of settings in which Snakemake would find code; the file is only read.

    Raises:
        UserError: the file has the key, or tags of YAML, behind which it can be hidden.
    """
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.constructor.ConstructorError as error:
        raise UserError(f"{path}: expected YAML without tags, got: {error.problem}") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        # what Snakemake cannot read either
        return
    if isinstance(settings, dict) and MARK in settings:
        raise UserError(
            f"{path}: {MARK}: expected settings, got a file that lets Snakemake run Python; read"
            " what stands in it, and delete the key"
        )


def exit_on_code(paths: Iterable[str | os.PathLike[str]]) -> None:
    """End Snakemake with one line for settings that are code."""
    try:
        for path in paths:
            refuse_code(path)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    exit_on_code(sys.argv[1:])

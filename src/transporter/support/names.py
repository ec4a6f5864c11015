"""What generators, VLMs, concepts and ablations may be called; their names also name files."""

from __future__ import annotations

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
NAME_IN_WORDS = "letters, digits, '_', '.' and '-', a letter or digit first"

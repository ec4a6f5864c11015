"""Text that a person gives: words, names, questions."""

from __future__ import annotations

import unicodedata

from transporter.support.errors import UserError

REFUSED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what no one sees and what breaks lines."""
JOINERS = "\u200c\u200d"
"""Invisible, yet part of how words are written in some scripts."""


def refuse_control(text: str, where: str) -> None:
    """Refuse text with characters that would not be seen, or would be taken for a command by what
    shows them.

    Raises:
        UserError: `where`, and which character is the first.
    """
    for letter in text:
        if unicodedata.category(letter) in REFUSED and letter not in JOINERS:
            name = unicodedata.name(letter, "a control character")
            raise UserError(
                f"{where}: expected text without control characters, got {ascii(text)[:80]}, in"
                f" which U+{ord(letter):04X} is {name}"
            )

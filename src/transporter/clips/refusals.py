"""The error of a clip that cannot be read or written."""

from __future__ import annotations

from transporter.support.errors import UserError


class VideoError(UserError):
    """A clip that cannot be read; the message names the file and the reason."""

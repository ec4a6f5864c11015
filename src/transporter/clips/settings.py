"""Settings of how clips are read."""

from __future__ import annotations

from typing import Literal

Fit = Literal["crop", "pad", "stretch"]
"""What is done about other proportions: `crop` cuts off what is beyond the model's, centred; `pad`
keeps all of it between black bars; `stretch` distorts it.
"""

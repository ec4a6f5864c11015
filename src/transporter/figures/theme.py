"""How all figures look: colours, fonts, widths and resolution."""

from __future__ import annotations

SOURCE, TARGET = "#4f6375", "#a82a72"
"""Slate and reddish purple, the two words' colours in the gallery too: no hue that a colour word
names.
"""
SOURCE_GROUND, TARGET_GROUND = "#e4e9ee", "#f6e3ee"
"""Both, pale enough to write on."""
INK, QUIET, RULE = "#1c1f24", "#6b7178", "#d8dbde"
"""Words, what stands back behind them, and lines that only part things."""
FAILED = "#d55e00"
"""Vermilion: what failed, and what a VLM is known to go by."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", SOURCE)
"""Okabe and Ito's colours, which colour-blind people tell apart; no series rests on its colour
alone.
"""
METHODS = {
    "transporter": ("concept vector", "o", COLOURS[0]),
    "prompt_interpolation": ("swapped word", "s", COLOURS[1]),
    "random": ("random direction", "^", COLOURS[2]),
}
"""By method of a sweep: its name, its mark and its colour; no method rests on its colour alone."""
MAP = "cividis"
"""A map that reads the same to colour-blind eyes and in grey."""

DPI = 200
COLUMN, PAGE = 3.35, 6.9
"""Widths in inches of one column of a paper and of a page."""
MARGIN, GAP = 0.138, 0.05
"""Inches at the page's edges, and between two stills."""
LINE = 0.13
"""Height of a line of the caption in inches."""

SCREEN = {"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK}
"""To be readable on a screen, where a filmstrip is seen; use as `with rc_context(SCREEN):`."""
PAPER = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "transporter",
    "pdf.fonttype": 42,
}
"""To be readable at the width of a `COLUMN`; use as `with rc_context(PAPER):`."""

SILENT = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Producer": None}}
"""What a file leaves out of itself, by its suffix, so that equal input gives equal bytes."""

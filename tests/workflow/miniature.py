"""What the settings of the miniature ask for, and how its tables are read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml
from pipeline import ROOT

SETTINGS = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
SPLITS, CONCEPTS = SETTINGS["clips"]["splits"], SETTINGS["run"]["concepts"]
PHI, SEEDS = SETTINGS["generation"]["phi"], SETTINGS["generation"]["seeds"]
PAIR = "microworld/qwen2_vl"


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")

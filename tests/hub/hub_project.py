"""A project whose models are checkpoints in the hub's layouts, in bfloat16, and whose clips are as
people have them.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from odd_clips import odd_clips
from pipeline import ROOT, copy_project

from transporter.pipeline.ablations import laid_over

CONFIG = "config/hub.yaml"
FILES = ("--configfile", CONFIG)
VLM = "qwen2_5_vl"
CONCEPT = "slowly_quickly"
SETTINGS = {
    "clips": {
        "source": "folder",
        "folder": "my_clips",
        "splits": {"train": 0.6, "validation": 0.15, "held_out": 0.25},
    },
    "generators": {
        "wan": {
            "adapter": "wan",
            "dtype": "bfloat16",
            "frames": 9,
            "height": 32,
            "width": 48,
            "fps": 8,
            # the published 512 take longer than all else here
            "max_tokens": 48,
            "steps": 3,
            "guidance": 5.0,
            "negative_prompt": "blurred details, worst quality",
        }
    },
    "vlms": {
        VLM: {
            "adapter": "qwen_vl",
            "dtype": "bfloat16",
            "frames": 8,
            "max_pixels": 12544,
            "caption_tokens": 6,
        }
    },
    "world": None,
    "probes": None,
    "metrics": {"clip_judge": None},
    # the captions have one `day`, so this one cannot be served
    "run": {"generators": ["wan"], "vlms": [VLM], "concepts": [CONCEPT, "day_night"]},
    "coupling": {"steps": 2, "batch": 4, "literal_steps": 0, "projections": 4},
    "bank": {"form": "vector", "steps": 2, "batch": 2, "control_draws": 1},
    "generation": {
        "phi": [0, 1],
        "spacing_rounds": 0,
        "seeds": 1,
        "methods": ["transporter"],
    },
    "gallery": {"seeds": 1},
    "figures": {
        "several": [[CONCEPT, "day_night"]],
        "injection": {"concepts": ["day_night"]},
        "partial_frames": {"concepts": ["day_night"]},
    },
    "truth": {
        "concepts": "config/concepts.tsv",
        "shortcuts": [],
        "vlms": [VLM],
        "pairs": [CONCEPT, "day_night"],
    },
}
"""Laid over those of the miniature."""


def hub_project(folder: Path, hub: Path) -> Path:
    """A copy of the project with these settings and clips, and models that are in `hub`."""
    project = copy_project(folder)
    odd_clips(project / "my_clips")
    paths = {"wan": {"path": str(hub / "wan")}}, {VLM: {"path": str(hub / VLM)}}
    settings = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
    settings = laid_over(settings, SETTINGS)
    settings = laid_over(settings, dict(zip(("generators", "vlms"), paths, strict=True)))
    text = yaml.safe_dump({**settings, "ablations": {}})
    (project / CONFIG).write_text(text, encoding="utf-8")
    return project

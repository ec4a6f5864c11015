"""List the versions that made the results."""

import platform
from importlib.metadata import version

import pandas as pd

from stage import stage
from transporter.support.files import write_table

LIBRARIES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "safetensors",
    "av",
    "decord",
    "snakemake",
    "numpy",
    "pandas",
    "scipy",
)

with stage(snakemake):
    rows = [("python", platform.python_version()), *((name, version(name)) for name in LIBRARIES)]
    write_table(pd.DataFrame(rows, columns=["library", "version"]), snakemake.output[0])

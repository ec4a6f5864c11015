"""What every command would find out anew: options and plug-ins of Snakemake and DVC, the form of
the settings, and what the modules of the library import. Importing this finds it out, once for all
forks.
"""

from __future__ import annotations

import dvc.repo  # noqa: F401 (these two are imported when they are needed)
import snakemake.report.html_reporter  # noqa: F401
from dvc.cli.parser import get_main_parser
from snakemake.cli import get_argument_parser

from transporter.pipeline import (  # noqa: F401 (what the rules import)
    cases,
    exhibits,
    failed_fits,
    job_memory,
    plan,
    tables,
)
from transporter.pipeline.code_hash import PACKAGES, code_hash
from transporter.pipeline.config import settings_table

get_argument_parser()
get_main_parser()
settings_table()
for package in PACKAGES:
    code_hash(f"{package}.world" if package == "microworld" else f"{package}.cli")

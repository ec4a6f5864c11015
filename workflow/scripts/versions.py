"""List the versions that made the results."""

import pandas as pd

from stage import stage
from transporter.pipeline.libraries import versions
from transporter.support.files import write_table

with stage(snakemake):
    write_table(pd.DataFrame(versions(), columns=["library", "version"]), snakemake.output[0])

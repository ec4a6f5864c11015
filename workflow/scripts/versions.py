"""List the versions that made the results, and VLMs that saw clips by pooled tokens."""

import pandas as pd

from stage import stage
from transporter.pipeline.libraries import versions
from transporter.support.files import write_table

with stage(snakemake):
    pooled = [(f"{name}, tokens pooled to", n) for name, n in snakemake.params.pooled.items()]
    rows = [*versions(), *pooled]
    write_table(pd.DataFrame(rows, columns=["library", "version"]), snakemake.output[0])

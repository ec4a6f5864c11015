"""Draw a figure or a table of the paper, by the module of `transporter.figures` in its row."""

from model_stage import stage

from importlib import import_module
from pathlib import Path

from transporter.figures.exhibit import Exhibit


def paths(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


with stage(snakemake):
    params, inputs = snakemake.params, dict(snakemake.input.items())
    made = import_module(params.module).draw(inputs, params.settings)
    main = snakemake.output.get("tsv", snakemake.output.png)
    settings = snakemake.config if params.provenance is None else params.provenance
    data = [path for name in params.data for path in paths(inputs[name])]
    exhibit = Exhibit.of(main, made.caption, settings, data, params.code)
    made.write(exhibit, Path(main).with_suffix(""))

"""Write the page of all sweeps once more, with maps."""

from model_stage import stage

from pathlib import Path

from safetensors.torch import load_file

from transporter.figures.gallery_maps import PLACES, ConceptMaps, write_mapped_gallery
from transporter.support.files import read_table

with stage(snakemake):
    maps = {}
    for folder in map(Path, snakemake.input.maps):
        generator, vlm, _, concept = folder.parts[-4:]
        index = read_table(folder / "index.tsv", PLACES)
        target = load_file(folder / "maps.safetensors")["target"]
        frames = snakemake.params.frames[generator]
        maps[generator, vlm, concept] = ConceptMaps(index, target, frames)
    write_mapped_gallery(Path(snakemake.output[0]), Path(snakemake.input.gallery), maps)

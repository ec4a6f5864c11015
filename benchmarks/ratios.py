"""What the pipeline saves beside the plain way of the same thing, as a page of `docs/log/`.

Run in a checkout after `make run`: python benchmarks/ratios.py [rounds]
Writes the page of today. One thread, seconds of the processor.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import torch
from paired import Ratio, Way, paired
from phi_sweep import plain_calls, sweep

from transporter.clips.contrast import read_concepts
from transporter.clips.embedding import embed_clips
from transporter.clips.split import SplitClips
from transporter.concepts.contexts import gather_contexts
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.prefork import ADDRESS, Prefork
from transporter.pipeline.project import Project
from transporter.support.files import read_table

CLIPS, CONCEPTS, STEPS = 64, 4, 6
MODELS = "microworld/qwen2_vl"
WHOLE = {"start": 0.0, "seconds": None, "fit": "crop"}
PAGE = """# {when}: ratios

What the pipeline saves beside the plain way of the same thing, side by side in one run
(`benchmarks/ratios.py`, medians of {rounds} rounds, seconds of one core; commit `{commit}`). Above
1 ours takes less.

{table}
"""
MODEL_JOB = """
from types import SimpleNamespace
snakemake = SimpleNamespace(log=["logs/job.log"])
from transporter.pipeline.prefork import run_forked
run_forked()
import torch, torchvision, pandas, diffusers, transformers
"""
SAMPLING = """
import sys, time, torch
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.support.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
torch.set_num_threads(1)
model = load_config("config/config.yaml")["generators"]["microworld"]
generator = load_generator(model)
pi = generator.encode_text(["a red circle moves left on grass"] * 16)
start = time.process_time()
with torch.no_grad():
    generator.decode(generator.sample(pi, range(16), model["steps"], model["guidance"]))
print(time.process_time() - start)
"""


class Ratios:
    """The shipped models, and what a default run has made of them."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.project = Project.open()
        settings = self.project.settings
        self.model = settings["generators"]["microworld"]
        self.generator = load_generator(self.model)
        shape, fps = self.generator.video_shape, self.generator.fps
        self.vlm = load_vlm(settings["vlms"]["qwen2_vl"], shape, fps=fps)

    def sweep(self) -> Ratio:
        arguments = (self.generator, self.model["steps"], self.model["guidance"])
        with torch.no_grad():
            return paired(
                lambda: sweep(*arguments, 0.5), lambda: plain_calls(*arguments, 0.5), self.rounds
            )

    def bank(self) -> Ratio:
        """As many steps of as many clips for each concept, all in one fit or each in its own."""
        coupling = Coupling.load(f"results/coupling/{MODELS}/coupling.safetensors")
        reader = Reader(self.generator, self.vlm, coupling)
        captions = read_table("data/train/captions.tsv", ("clip", "caption"))["caption"][:200]
        z_xi = torch.randn(len(captions), *self.generator.latent_shape)
        concepts = read_concepts(self.project.settings["concepts"])[:CONCEPTS]
        contexts = {
            c.name: gather_contexts(c, captions.tolist(), z_xi, self.generator) for c in concepts
        }
        one = BankSettings(form="vector", steps=STEPS, batch=2, control_draws=1)
        whole = replace(one, batch=2 * CONCEPTS)

        def single() -> None:
            for concept in concepts:
                fit_bank([concept], contexts, reader, one)

        with redirect_stdout(io.StringIO()):
            return paired(lambda: fit_bank(concepts, contexts, reader, whole), single, self.rounds)

    def embedding(self) -> Ratio:
        """The job against the encoder on clips that are in memory already."""
        frames, _, *size = self.generator.video_shape
        clips = SplitClips.of_table("data/train/captions.tsv", "data/train/clips", WHOLE)
        names, files = clips.names[:CLIPS], clips.files[:CLIPS]

        def read(row: int) -> object:
            return clips.read(row, (frames, *size), self.generator.fps)

        videos = torch.stack([read(row).video for row in range(CLIPS)])

        def job() -> None:
            with tempfile.TemporaryDirectory() as folder:
                embed_clips(files, self.generator.encode, Path(folder), read, 16, 16, names=names)

        with torch.no_grad():
            return paired(
                job, lambda: [self.generator.encode(part) for part in videos.split(16)], self.rounds
            )

    def forked(self) -> Ratio:
        with tempfile.TemporaryDirectory() as folder, _prefork() as environment:
            Path(folder, "job.py").write_text(MODEL_JOB)
            cold = {name: value for name, value in environment.items() if name != ADDRESS}
            return paired(
                _process(("job.py",), folder, environment),
                _process(("job.py",), folder, cold),
                self.rounds,
                clock_seconds,
            )

    def memory(self) -> Ratio:
        ways = (_process(("-c", SAMPLING, mode), ".", os.environ) for mode in ("keep", "leave"))
        return paired(*ways, self.rounds, printed_seconds)


CLAIMS: dict[tuple[str, str], Callable[[Ratios], Ratio]] = {
    ("six strengths that differ from half of the steps on, one sweep", "six calls"): Ratios.sweep,
    (f"{CONCEPTS} concept vectors, one fit", "a fit for each"): Ratios.bank,
    ("clips to latents, the job", "the encoder alone"): Ratios.embedding,
    ("a job's imports, forked (by the clock)", "in a process of its own"): Ratios.forked,
    ("16 clips sampled, freed memory kept", "given back"): Ratios.memory,
}


@contextmanager
def _prefork() -> Iterator[dict[str, str]]:
    process = Prefork("diffusers", "transformers")
    process.start()
    try:
        yield dict(os.environ)
    finally:
        process.end()


def _process(
    arguments: Sequence[str], folder: str | os.PathLike[str], environment: Mapping[str, str]
) -> Way:
    """A run of Python with these arguments."""
    command = [sys.executable, *arguments]
    threads = {"OMP_NUM_THREADS": "1"}
    return lambda: subprocess.run(
        command, cwd=folder, env={**environment, **threads}, check=True, stdout=subprocess.PIPE
    )


def clock_seconds(way: Way) -> float:
    """For what another process does the work of."""
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def printed_seconds(way: Way) -> float:
    """Of the processor, as the process that `way` starts has measured them."""
    return float(way().stdout)


def main(rounds: int) -> None:
    torch.set_num_threads(1)
    ratios, rows = Ratios(rounds), []
    for (ours, other), measure in CLAIMS.items():
        rows.append({"ours": ours, "beside": other, **measure(ratios).row()})
        print(rows[-1], flush=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    when = date.today().isoformat()
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    page = PAGE.format(when=when, rounds=rounds, commit=commit, table=table)
    Path("docs", "log", f"{when}-ratios.md").write_text(page)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)

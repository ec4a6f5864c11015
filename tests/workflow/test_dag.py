"""The whole pipeline on a miniature: every stage writes what the next one and a reader need."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from miniature import CONCEPTS, PAIR, PHI, SEEDS, SETTINGS, SPLITS, table
from pipeline import CORES, MINIATURE, copy_project, planned, snakemake

from microworld.attributes import WORDS
from transporter.clips.embeddings import load_embeddings
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.generation.sweeps import INDEX, METHODS
from transporter.metrics.summary import SUMMARY
from transporter.pipeline.open_cases import open_case
from transporter.pipeline.project import Project
from transporter.support.errors import UserError
from transporter.truth.score import score


@pytest.mark.parametrize("split", SPLITS)
def test_clips_and_embeddings(finished: Path, split: str) -> None:
    folder = finished / "data" / split
    captions = table(folder / "captions.tsv")
    assert list(captions.columns) == ["clip", "caption"]
    assert (
        len(captions)
        == len(list((folder / "clips").glob("*.mp4")))
        == len(list((folder / "masks").glob("*.png")))
        == SPLITS[split]
    )
    assert set(WORDS) < set(table(folder / "attributes.tsv").columns)
    embeddings = finished / "results" / "embeddings" / split
    shapes = {
        "generators/microworld": (16, 5, 8, 8),
        "vlms/qwen2_vl/17x64x64@8": (32, 128),
        f"reencoded/{PAIR}": (32, 128),
    }
    for name, shape in shapes.items():
        loaded = load_embeddings(embeddings / name)
        assert loaded.clips == captions["clip"].tolist()
        assert loaded.values.shape == (SPLITS[split], *shape)
        assert list(table(embeddings / name / "failed.tsv").columns) == ["clip", "reason"]


def test_several_jobs_share_an_embedding(finished: Path, tmp_path: Path) -> None:
    folder = copy_project(tmp_path / "project")
    shutil.copytree(finished / "data", folder / "data")
    target = "results/embeddings/validation/generators/microworld"
    asked = (target, *MINIATURE, "--rerun-triggers", "mtime")
    done = snakemake(folder, *CORES, *asked, "--config", "memory={shard: 4, embedding_jobs: 2}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert planned(done.stdout) == {"embed_generator": 1, "embed_generator_part": 2}
    logs = (folder / "logs/embed_generator/validation/microworld").glob("*.log")
    assert ["shard 1/1: 4 of 4 clips" in log.read_text() for log in logs] == [True, True]
    made, expected = load_embeddings(folder / target), load_embeddings(finished / target)
    assert made.clips == expected.clips
    torch.testing.assert_close(made.values, expected.values, atol=1e-4, rtol=1e-4)
    assert not list((folder / "unfinished").rglob("*.safetensors"))


def test_coupling(finished: Path) -> None:
    folder = finished / "results" / "coupling" / PAIR
    assert Coupling.load(folder / "coupling.safetensors").tokens_shape == (32, 128)
    report = table(folder / "report.tsv")
    assert {"variant", "cosine", "relative_error", "gram_error", "hellinger", "same_answer"} <= set(
        report.columns
    )
    assert {"full", "phi_1", "phi_2", "plain", "literal"} <= set(report["variant"])
    assert {"step", "loss"} <= set(table(folder / "curve.tsv").columns)


def test_concepts(finished: Path) -> None:
    folder = finished / "results" / "concepts" / PAIR
    reached = table(folder / "separation.tsv")
    assert list(reached.columns) == ["concept", "answer_gap", "separation", "effect", "status"]
    assert reached["concept"].tolist() == CONCEPTS
    assert set(ConceptBank.load(folder / "bank.safetensors").vectors) == set(CONCEPTS)


@pytest.mark.parametrize("concept", CONCEPTS)
def test_generation(finished: Path, concept: str) -> None:
    folder = finished / "results" / "generation" / PAIR / concept
    index = table(folder / "index.tsv")
    assert list(index.columns) == list(INDEX)
    assert len(index) == len(METHODS) * SEEDS * len(PHI)
    assert all((folder / clip).is_file() for clip in index["clip"])
    seen = set(table(finished / "data" / "train" / "captions.tsv")["caption"])
    assert not seen & set(index["caption"])


def test_evaluation(finished: Path) -> None:
    folder = finished / "results" / "evaluation"
    concepts = table(folder / "concepts.tsv")
    assert list(concepts.columns) == list(SUMMARY)
    assert len(concepts) == len(CONCEPTS) * len(METHODS)
    readings = table(folder / "readings.tsv")
    expected = {
        "concept",
        "kind",
        "generator",
        "vlm",
        "method",
        "caption",
        "seed",
        "phi",
        "log_odds",
        "caption_reencoded",
    }
    assert expected | {"p_source", "p_target", "kept", *WORDS} <= set(readings.columns)
    assert len(readings) == len(CONCEPTS) * len(METHODS) * SEEDS * len(PHI)
    assert readings["log_odds"].notna().all()
    assert "log_odds_phi" not in readings


def test_readings_through_phi(finished: Path) -> None:
    """The concepts' own clips, read alike but for what Phi adds."""
    results = finished / "results"
    through = table(results / "evaluation" / PAIR / "through_phi.tsv")
    plain = table(results / "evaluation" / "readings.tsv").query("method == 'transporter'")
    # other clips stood beside them when they were read, so that the last digits differ
    pd.testing.assert_frame_equal(through[[*plain]], plain.reset_index(drop=True), atol=1e-3)
    assert through[["log_odds_phi", "caption_phi"]].notna().all(axis=None)
    answers = table(results / "coupling" / PAIR / "answers.tsv")
    assert answers["concept"].tolist() == [*CONCEPTS, "all"]
    assert answers["clips"].tolist() == [SEEDS * len(PHI)] * len(CONCEPTS) + [len(through)]


def test_temporal_honesty(finished: Path) -> None:
    temporal = table(finished / "results" / "truth" / "temporal.tsv")
    assert temporal["attribute"].tolist() == list(WORDS)
    assert {
        "vlm",
        "of_time",
        "depends",
        "multi_frame_gain",
        "order_sensitivity_low",
        "frame_disparity_high",
    } <= set(temporal)


def test_figures(finished: Path) -> None:
    for concept in CONCEPTS:
        assert (
            (finished / "results" / "filmstrips" / PAIR / f"{concept}.png")
            .read_bytes()
            .startswith(b"\x89PNG")
        )
    gallery = finished / "results" / "gallery"
    page = (gallery / "index.html").read_text()
    assert "slowly_quickly" in page
    assert f'"attributes":{json.dumps(list(WORDS), separators=(",", ":"))}' in page
    assert list(gallery.rglob("*.mp4"))


def test_the_benchmark_of_explanations(finished: Path) -> None:
    folder = finished / "results" / "truth"
    made = table(folder / "truth.tsv")
    methods = {"velocity", "answers", "logits", "prompt_interpolation", "random"}
    methods |= {"best_swap", "best_swap_per_caption", "best_two_per_caption", "noise"}
    found = {subject: set(rows["method"]) for subject, rows in made.groupby("planted")}
    assert found == {
        "speed_by_colour": methods | {"oracle"},
        "speed_by_colour_withheld": methods | {"oracle"},
        "speed_by_brightness": methods,
        "honest": methods,
        "one_word": methods,
    }
    cues = made.fillna({"cue": ""}).groupby("planted")["cue"].unique().map(list).to_dict()
    assert cues == {
        "speed_by_colour": ["colour"],
        "speed_by_colour_withheld": ["colour"],
        "speed_by_brightness": [""],
        "honest": ["speed"],
        "one_word": ["none"],
    }
    assert made[["log_odds", "flips", "chance", "drift"]].notna().all(axis=None)
    # nobody looks there: nothing flips, so nothing counts
    blind = made[made["planted"] == "one_word"]
    assert blind["flips"].eq(0).all() and blind["named"].eq("none").all()
    for name in ("matrix", "examples"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    # in two steps nothing was learnt, so the planted VLM is no case of the summary
    assert made.loc[made["planted"] == "speed_by_colour", "learnt"].lt(0.9).all()
    assert set(table(folder / "summary.tsv")["vlms"]) == {"honest", "nulls"}
    assert table(folder / "told_apart.tsv").empty
    assert set(table(folder / "reliance.tsv")["planted"]) == {"no", "yes"}
    # one planted VLM by the first and the last objective, and the honest one by the last
    assert len(list((folder / "filmstrips").rglob("*.png"))) == 3
    explained = table(folder / "explained.tsv")
    assert explained["planted"].tolist() == ["speed_by_colour", "speed_by_brightness", "honest"]
    assert explained["clips"].eq(1).all()
    # of a cue that no word says nobody knows whether it changes most
    assert (explained["true"].isna() == (explained["planted"] == "speed_by_brightness")).all()
    edits = table(
        finished / "results" / "embeddings" / "edits" / "generators" / "microworld" / "edits.tsv"
    )
    assert edits["group"].nunique() == SETTINGS["edits"]["captions"]


def test_a_method_of_others_is_scored_on_what_was_read(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    project = Project.open("config/miniature.yaml")
    case = open_case("one_word", project=project)
    row = score(lambda clips, case: clips.flip(-1), case)
    assert row[["flips", "named", "cue", "true"]].tolist() == [0, "none", "none", True]
    assert row["clips"] == len(case.captions) == len(case.z_xi)
    known = r"speed_by_colour \(slowly_quickly\), .*_withheld \(slowly_quickly\), one_word"
    with pytest.raises(UserError, match=rf"expected a case of the benchmark \({known}.*got coin"):
        open_case("coin", project=project)


def test_explained_clips(finished: Path) -> None:
    """Of every concept as many as asked for, each with the page that the index links."""
    folder = finished / "results" / "explanations"
    found = table(folder / "summary.tsv").set_index("concept")
    assert found["clips"].to_dict() == {**dict.fromkeys(CONCEPTS, 1), "all": len(CONCEPTS)}
    weights = finished / "results" / "weights" / "lpips" / "lpips_alexnet.safetensors"
    assert found["lpips"].gt(0).eq(weights.exists()).all()
    links = re.findall(r'href="([^"]+)"', (folder / "index.html").read_text())
    assert len(links) == len(CONCEPTS)
    pages = [folder / link for link in links]
    assert all(page.is_file() and page.with_name("where.mp4").is_file() for page in pages)


def test_every_job_left_a_log_and_a_benchmark(finished: Path) -> None:
    for rule in (
        "world_split",
        "embed_generator",
        "coupling",
        "coupling_literal",
        "concept_maps",
        "concept_maps_report",
        "generation",
        "concept_readings",
        "readings",
        "filmstrips",
    ):
        assert list((finished / "logs" / rule).rglob("*.log"))
        assert list((finished / "logs" / rule).rglob("*.tsv"))
    assert not [path for path in (finished / "unfinished").rglob("*") if path.is_file()]


def test_versions(finished: Path) -> None:
    assert {"python", "torch", "diffusers", "transformers"} <= set(
        table(finished / "results" / "versions.tsv")["library"]
    )

"""The whole pipeline on a miniature: every stage writes what the next one and a reader need."""

from __future__ import annotations

import json
import re
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
import yaml
from pipeline import MINIATURE, ROOT, VARIANT, planned, snakemake

from microworld.attributes import WORDS
from transporter.clips.embeddings import load_embeddings
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.generation.demonstrations import INDEX as CLIPS
from transporter.generation.sweeps import INDEX, METHODS
from transporter.metrics.summary import SUMMARY
from transporter.pipeline.open_cases import open_case
from transporter.pipeline.project import Project
from transporter.support.errors import UserError
from transporter.truth.score import score

SETTINGS = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
SPLITS, CONCEPTS = SETTINGS["clips"]["splits"], SETTINGS["run"]["concepts"]
PHI, SEEDS = SETTINGS["generation"]["phi"], SETTINGS["generation"]["seeds"]
PAIR = "microworld/qwen2_vl"


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def test_nothing_is_left_to_do(finished: Path) -> None:
    assert planned(snakemake(finished, "all", "paper", "--dry-run", *MINIATURE).stdout) == {}


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


def test_tables_of_the_paper(finished: Path) -> None:
    folder = finished / "results" / "paper" / "tables"
    systems = {"maco/w_dw", "leaps/w", "transporter/microworld", "real/clips"}
    for name, numbers in (
        ("main", {"fvd_probe", "clip_score", "delta"}),
        ("similarity", {"cos", "l1", "l2", "kl"}),
    ):
        made = table(folder / f"{name}.tsv")
        assert (
            set(made["system"]) == systems
            and (made["clips"] == SETTINGS["baselines"]["seeds"] * len(CONCEPTS)).all()
        )
        assert made[list(numbers)].notna().all(axis=None)
    assert {"fvd_probe", "clip", "delta"} <= set(table(folder / "main_protocol.tsv")["metric"])
    read = table(finished / "results" / "baselines" / "qwen2_vl" / "captions.tsv")
    assert len(read) == 2 * len(CONCEPTS) and read["log_odds"].notna().all()


def test_the_benchmark_of_explanations(finished: Path) -> None:
    folder = finished / "results" / "truth"
    made = table(folder / "truth.tsv")
    methods = {"velocity", "answers", "logits", "prompt_interpolation", "random"}
    methods |= {"best_swap", "best_swap_per_caption"}
    found = {subject: set(rows["method"]) for subject, rows in made.groupby("planted")}
    assert found == {
        "speed_by_colour": methods | {"oracle"},
        "honest": methods,
        "one_word": methods,
    }
    cues = made.groupby("planted")["cue"].unique().map(list).to_dict()
    assert cues == {"speed_by_colour": ["colour"], "honest": ["speed"], "one_word": ["none"]}
    assert made[["log_odds", "flips", "chance", "drift"]].notna().all(axis=None)
    # nobody looks there: nothing flips, so nothing counts
    blind = made[made["planted"] == "one_word"]
    assert blind["flips"].eq(0).all() and blind["named"].eq("none").all()
    assert (folder / "matrix.png").read_bytes().startswith(b"\x89PNG")
    # in two steps nothing was learnt, so the planted VLM is no case of the summary
    assert made.loc[made["planted"] == "speed_by_colour", "learnt"].lt(0.9).all()
    assert set(table(folder / "summary.tsv")["vlms"]) == {"honest", "nulls"}
    assert set(table(folder / "reliance.tsv")["planted"]) == {"no", "yes"}
    # one planted VLM by the first and the last objective, and the honest one by the last
    assert len(list((folder / "filmstrips").rglob("*.png"))) == 3
    explained = table(folder / "explained.tsv")
    assert explained["planted"].tolist() == ["speed_by_colour", "honest"]
    assert explained["clips"].eq(1).all() and explained["true"].notna().all()
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
    known = r"speed_by_colour \(slowly_quickly\), one_word"
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


def test_report(finished: Path, tmp_path: Path) -> None:
    """All of the paper's exhibits stand in it, with the tables behind them, the tables of results
    as pages, and the page with its clips, which a report of one HTML file cannot hold.
    """
    place = tmp_path / "report.zip"
    done = snakemake(finished, "all", "paper", "truth", "--report", str(place), *MINIATURE)
    assert done.returncode == 0, done.stdout[-3000:]
    pictures = [f"figures/{name}.png" for name in FIGURES]
    tables = ["main", "main_protocol", "similarity", "ablation", "ablation_orders"]
    files = [*pictures, *(f"tables/{name}.tsv" for name in tables)]
    with ZipFile(place) as report:
        names = report.namelist()
        page = report.read("report/report.html").decode()
        [index] = [name for name in names if name.endswith("/index.html")]
        assert report.read(index) == (finished / "results/gallery/index.html").read_bytes()
    assert "From the logits of a video vision-language model" in page
    assert [file for file in files if f"results/paper/{file}" not in page] == []
    assert [file for file in PAGES if f"results/{file}.html" not in page] == []
    folder = index.removesuffix("index.html") + "clips/"
    clips = list((finished / "results" / "gallery").rglob("*.mp4"))
    assert len([name for name in names if name.startswith(folder)]) == len(clips)


PAGES = [
    "evaluation/concepts",
    "versions",
    "truth/temporal",
    "truth/truth",
    "truth/summary",
    "truth/explained",
    "truth/reliance",
    f"concepts/{PAIR}/separation",
    f"coupling/{PAIR}/curve",
    f"coupling/{PAIR}/report",
]


@pytest.mark.parametrize("name", PAGES)
def test_tables_as_pages(finished: Path, name: str) -> None:
    stem = finished / "results" / name
    rows, page = table(stem.with_suffix(".tsv")), stem.with_suffix(".html").read_text()
    assert page.count("</tr>") == len(rows) + 1
    assert [column for column in rows if f">{column}</th>" not in page] == []


FIGURES = [
    "method",
    "objects",
    "actions",
    "scenes",
    "projections",
    "comparison",
    "several",
    "injection",
    "partial_frames",
]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_of_the_paper(finished: Path, figure: str) -> None:
    stem = finished / "results" / "paper" / "figures" / figure
    assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG") and stem.with_suffix(
        ".pdf"
    ).read_bytes().startswith(b"%PDF")


def test_clips_of_modulations(finished: Path) -> None:
    folder = finished / "results" / "modulations" / PAIR
    index = table(folder / "index.tsv")
    assert tuple(index.columns) == CLIPS and index["log_odds"].notna().all()
    figures, strengths = SETTINGS["figures"], len(PHI) - 1
    readings = {
        "several": 2 * (1 + 3 * strengths),
        # none, all of the steps, and each part of them
        "injection": (2 + figures["injection"]["parts"]) * len(CONCEPTS),
        "partial_frames": 4 * 2,
    }
    assert index.groupby("figure").size().to_dict() == {
        figure: figures["seeds"] * count for figure, count in readings.items()
    }
    assert all((folder / clip).is_file() for clip in index["clip"])


def test_tables_for_latex_and_for_a_reader(finished: Path) -> None:
    for name in ("main", "similarity", "ablation"):
        stem = finished / "results" / "paper" / "tables" / name
        text = stem.with_suffix(".tex").read_text()
        assert text.startswith("% config ") and text.rstrip().endswith(r"\end{table}")
        assert text.count(r"\\") >= len(table(stem.with_suffix(".tsv"))) + 1
        assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_rules_of_the_microworld_are_there_where_it_is_the_world(finished: Path) -> None:
    of_world = {"plant", "reliance", "temporal_honesty", "train_models", "train_vae"}
    shares = "splits: {train: 0.6, validation: 0.2, held_out: 0.2}"
    clips = f"clips={{source: folder, folder: data/train, {shares}}}"
    own = ("--config", "world=null", "probes=null", "metrics={clip_judge: null}", clips)

    def rules(*options: str) -> set[str]:
        return set(snakemake(finished, "--list-rules", *MINIATURE, *options).stdout.split())

    assert of_world < rules()
    elsewhere = rules(*own)
    assert not of_world & elsewhere and {"coupling", "own_split", "truth"} < elsewhere


def test_versions(finished: Path) -> None:
    assert {"python", "torch", "diffusers", "transformers"} <= set(
        table(finished / "results" / "versions.tsv")["library"]
    )


def test_an_ablation_is_made_by_the_same_rules(finished: Path) -> None:
    folder = finished / "results" / "ablations" / "p_4"
    assert (
        Coupling.load(folder / "coupling" / PAIR / "coupling.safetensors").settings.projections == 4
    )
    assert set(ConceptBank.load(folder / "concepts" / PAIR / "bank.safetensors").vectors) == set(
        CONCEPTS
    )
    readings = table(finished / VARIANT)
    assert (len(readings), set(readings["phi"]), set(readings["method"])) == (
        len(CONCEPTS) * SEEDS,
        {1},
        {"transporter"},
    )
    base = table(finished / "results" / "evaluation" / PAIR / "readings.tsv").query(
        "phi == 1 and method == 'transporter'"
    )
    assert (
        readings[["concept", "caption", "seed"]].to_numpy().tolist()
        == base[["concept", "caption", "seed"]].to_numpy().tolist()
    )
    assert readings[["caption_phi", "caption_reencoded", "p_target"]].notna().all(axis=None)


def test_a_plain_run_plans_no_ablation(finished: Path) -> None:
    jobs = planned(snakemake(finished, "--dry-run", "--forceall", *MINIATURE).stdout)
    assert "concept_maps" in jobs and "concept_bank" not in jobs
    assert not [rule for rule in jobs if "variant" in rule or "ablation" in rule]


def test_the_table_plans_every_ablation_and_trains_shared_weights_once(finished: Path) -> None:
    jobs = planned(
        snakemake(
            finished, "results/paper/tables/ablation.tsv", "--dry-run", "--forceall", *MINIATURE
        ).stdout
    )
    made = {rule: count for rule, count in jobs.items() if "variant" in rule}
    after = ("concept_bank_of_variant", "generation_of_variant", "readings_of_variant")
    assert made == {"coupling_of_variant": 1, **dict.fromkeys(after, len(SETTINGS["ablations"]))}
    assert (jobs["coupling"], jobs["ablation_table"]) == (1, 1)


def test_a_change_of_an_ablation_redoes_it_alone(finished: Path) -> None:
    def left(change: str) -> dict[str, int]:
        return planned(
            snakemake(
                finished, "all", VARIANT, "--dry-run", *MINIATURE, "--config", f"ablations={change}"
            ).stdout
        )

    after = ("concept_bank_of_variant", "generation_of_variant", "readings_of_variant")
    # what is asked for is p_4's alone, so that of the other nothing is made
    other = "phi_1: {bank: {steps: 3}}"
    assert left(f"{{p_4: {{bank: {{steps: 3}}}}, {other}}}") == dict.fromkeys(after, 1)
    assert left("{p_4: {coupling: {projections: 5}}}") == dict.fromkeys(
        ("coupling_of_variant", *after), 1
    )


def test_models_can_be_trained_from_nothing(finished: Path) -> None:
    jobs = planned(snakemake(finished, "train_models", "--dry-run", *MINIATURE).stdout)
    assert {"train_vae", "train_generator", "train_probes", "train_clip_judge"} <= set(jobs)
    assert jobs["train_vision"] == jobs["train_vlm"] == len(SETTINGS["training"]["vlms"])


def test_a_planted_vlm_can_take_the_place_of_the_shipped_one(finished: Path) -> None:
    planted_vlm = json.dumps(
        {"fast": {"adapter": "qwen_vl", "path": "results/planted/qwen2_vl/speed_by_colour"}}
    )
    jobs = planned(
        snakemake(
            finished,
            "--dry-run",
            *MINIATURE,
            "--config",
            f"vlms={planted_vlm}",
            "run={vlms: [fast]}",
        ).stdout
    )
    assert jobs["embed_vlm"] == 3
    assert "plant" not in jobs  # the benchmark has made it


def test_trained_models_can_take_the_place_of_shipped_ones(finished: Path) -> None:
    trained = json.dumps({"microworld": {"adapter": "wan", "path": "results/models/generator"}})
    jobs = planned(
        snakemake(finished, "--dry-run", *MINIATURE, "--config", f"generators={trained}").stdout
    )
    assert {"train_vae", "train_generator", "embed_generator"} <= set(jobs)
    assert "embed_vlm" not in jobs


def test_another_vlm_in_the_run_leaves_the_first_ones_results(finished: Path) -> None:
    """And of maps it takes the videos too."""

    def jobs(*settings: str) -> dict[str, int]:
        run = ("--config", "run={vlms: [qwen2_vl, gemma3]}", *settings)
        return planned(snakemake(finished, "--dry-run", *MINIATURE, *run).stdout)

    of_maps, of_vectors = jobs(), jobs("bank={form: vector}")
    assert (of_maps["embed_vlm"], of_maps["coupling"], of_maps["concept_maps"]) == (3, 1, 1)
    assert (of_maps["same_generation"], "generation" in of_maps) == (len(CONCEPTS), False)
    assert (of_vectors["generation"], "same_generation" in of_vectors) == (2 * len(CONCEPTS), False)


def test_videos_of_maps_wait_for_captions_alone(finished: Path) -> None:
    folder = f"results/generation/{PAIR}/red_blue"

    def made_before(bank: str) -> set[str]:
        done = snakemake(
            finished, folder, "--dry-run", "--forceall", *MINIATURE, "--config", f"bank={bank}"
        )
        return set(planned(done.stdout))

    assert made_before("{form: map}") == {"world_split", "concept_maps", "generation"}
    assert {"concept_bank", "coupling"} <= made_before("{form: vector}")
    assert {"concept_bank", "coupling"} <= made_before("{objective: answers}")


def test_the_benchmark_wants_a_coupling_only_where_vectors_are_fitted_through_it(
    finished: Path,
) -> None:
    def couplings(bank: str) -> int:
        jobs = planned(
            snakemake(
                finished,
                "truth",
                "--dry-run",
                "--forceall",
                *MINIATURE,
                "--config",
                f"truth={{bank: {bank}}}",
            ).stdout
        )
        return jobs.get("coupling", 0)

    assert couplings("{strengths: unit}") == 0
    assert (
        couplings("{strengths: answer_gap}")
        == couplings("{strengths: unit, logits: {path: phi}}")
        == 1
    )

"""The paper's tables and figures of the miniature, the report that holds them, and ablations."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from miniature import CONCEPTS, PAIR, PHI, SEEDS, SETTINGS, table
from pipeline import MINIATURE, VARIANT, snakemake

from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.generation.demonstrations import INDEX as CLIPS
from transporter.generation.sweeps import METHODS


def test_tables_of_the_paper(finished: Path) -> None:
    folder = finished / "results" / "paper" / "tables"
    systems = {"maco/w_dw", "leaps/w", "real/clips"}
    systems |= {f"{method}/microworld" for method in METHODS}
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
    variants = table(folder / "ablation.tsv")["variant"].tolist()
    assert variants[-3:] == ["base", "prompt_interpolation", "random"]
    assert {"fvd_probe", "clip", "delta"} <= set(table(folder / "main_protocol.tsv")["metric"])
    read = table(finished / "results" / "baselines" / "qwen2_vl" / "captions.tsv")
    assert len(read) == 2 * len(CONCEPTS) and read["log_odds"].notna().all()


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
    "truth/described",
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
        # none, and twice, as concepts act and as words are swapped: alone or together,
        "several": 2 * (1 + 2 * 3 * strengths),
        # all of the steps, and each part of them
        "injection": (1 + 2 * (1 + figures["injection"]["parts"])) * len(CONCEPTS),
        "partial_frames": (1 + 2 * 3) * 2,
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

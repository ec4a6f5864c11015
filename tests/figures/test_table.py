"""The three forms of a table of the paper, and what stands beneath it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from transporter.figures.exhibit import Exhibit
from transporter.figures.table import Column, write_paper_table

FRAME = pd.DataFrame(
    {
        "vlm": ["a_b", "a_b", "c"],
        "method": ["AM", "LEAPS", "AM"],
        "fvd": [30.0, 20.0, 50.0],
        "fvd_low": [25.0, 15.0, float("nan")],
        "fvd_high": [35.0, 25.0, float("nan")],
        "clip": [1.0, 2.0, float("nan")],
        "clips": [8, 8, 8],
    }
)
COLUMNS = [
    Column("fvd", "FVD", better=False, digits=0),
    Column("clip", "CLIP^v", better=True, digits=1),
]
EXHIBIT = Exhibit(
    "main",
    "Methods at φ = 1 & more.",
    "config 1 · data 2 · code 3 · snakemake --cores all main.tsv",
)


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    write_paper_table(
        FRAME, ("vlm", "method"), COLUMNS, EXHIBIT, tmp_path / "tables" / "main", group="vlm"
    )
    return tmp_path / "tables" / "main"


def test_the_table_to_compute_with_holds_everything(stem: Path) -> None:
    pd.testing.assert_frame_equal(
        pd.read_csv(stem.with_suffix(".tsv"), sep="\t"), FRAME, check_dtype=False
    )


def test_latex_marks_the_best_of_each_group_and_escapes_names(stem: Path) -> None:
    text = stem.with_suffix(".tex").read_text()
    assert r"a\_b & LEAPS & \textbf{20 [15, 25]} & \textbf{2.0} \\" in text
    assert r"a\_b & AM & 30 [25, 35] & 1.0 \\" in text
    assert r"c & AM & \textbf{50} & -- \\" in text
    assert r"\caption{Methods at $\varphi$ = 1 \& more.}" in text and r"FVD $\downarrow$" in text
    assert text.count(r"\midrule") == 2 and EXHIBIT.provenance in text


def test_pictures_are_byte_stable(stem: Path, tmp_path: Path) -> None:
    write_paper_table(FRAME, ("vlm", "method"), COLUMNS, EXHIBIT, tmp_path / "again", group="vlm")
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        made = stem.with_suffix(suffix).read_bytes()
        assert (
            made.startswith(magic) and made == (tmp_path / "again").with_suffix(suffix).read_bytes()
        )


def test_provenance_changes_with_settings_and_data(tmp_path: Path) -> None:
    data = tmp_path / "captions.tsv"
    data.write_text("clip\tcaption\n")
    first = Exhibit.of("results/paper/tables/main.tsv", "c", {"seed": 0}, [str(data)], "abc")
    assert first.name == "main" and first.provenance.endswith(
        "code abc · snakemake --cores all results/paper/tables/main.tsv"
    )
    assert (
        Exhibit.of("results/paper/tables/main.tsv", "c", {"seed": 1}, [str(data)], "abc") != first
    )
    data.write_text("clip\tcaption\na\tb\n")
    assert (
        Exhibit.of("results/paper/tables/main.tsv", "c", {"seed": 0}, [str(data)], "abc") != first
    )

"""The three forms of a table of the paper, and what stands beneath it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from transporter.figures.exhibit import Exhibit
from transporter.figures.table import Column, PaperTable

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
TABLE = PaperTable(
    FRAME,
    ("vlm", "method"),
    COLUMNS,
    "Methods at φ = 1 & more.",
    group="vlm",
    extra={"protocol": pd.DataFrame({"metric": ["fvd"]})},
)


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    TABLE.write(EXHIBIT, tmp_path / "tables" / "main")
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


def test_latex_says_what_the_names_are(tmp_path: Path) -> None:
    """Every character that LaTeX would read as a command is written out."""
    names = [
        "50% of $x_1$",
        "a{b}~c",
        r"\input",
        "#1 & 2^3",
        "[2ex] wide",
        "* starred",
        "two\n\nparagraphs",
        "~",
    ]
    table = PaperTable(pd.DataFrame({"name": names}), ("name",), [], "")
    table.write(EXHIBIT, tmp_path / "names")
    lines = (tmp_path / "names.tex").read_text().splitlines()
    start = lines.index(r"\midrule") + 1
    assert lines[start : start + len(names)] == [
        r"50\% of \$x\_1\$ \\",
        r"a\{b\}\textasciitilde{}c \\",
        r"\textbackslash{}input \\",
        r"\#1 \& 2\textasciicircum{}3 \\",
        r"{[}2ex] wide \\",
        r"{*} starred \\",
        r"two paragraphs \\",
        r"\textasciitilde{} \\",
    ]


def test_a_comment_in_latex_stays_in_its_line(tmp_path: Path) -> None:
    exhibit = Exhibit("main", "A\ncaption.", "config 1\n\\input{/etc/passwd}\r\n code 3")
    PaperTable(FRAME, ("vlm",), COLUMNS, exhibit.caption).write(exhibit, tmp_path / "main")
    lines = (tmp_path / "main.tex").read_text().splitlines()
    assert lines[0] == r"% config 1 \input{/etc/passwd} code 3"
    assert lines[1] == r"\begin{table}"


def test_latex_is_a_table_of_rows_in_groups(stem: Path) -> None:
    lines = stem.with_suffix(".tex").read_text().splitlines()
    assert lines[0] == f"% {EXHIBIT.provenance}"
    assert (lines[1], lines[-1]) == (r"\begin{table}", r"\end{table}")
    rows = [line for line in lines if line.endswith(r"\\")]
    assert {row.count("&") for row in rows} == {3}
    # the second rule parts the two VLMs
    assert [row.startswith(r"\midrule c") for row in rows] == [False, False, False, True]


def test_further_tables_stand_beside(stem: Path) -> None:
    assert stem.with_name("main_protocol.tsv").read_text() == "metric\nfvd\n"


def test_pictures_are_byte_stable(stem: Path, tmp_path: Path) -> None:
    TABLE.write(EXHIBIT, tmp_path / "again")
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

"""Which fits of a run failed, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from transporter.concepts import outcomes
from transporter.pipeline.failed_fits import FAILED, OK, failed_fits, failed_line
from transporter.support.files import write_table


def table(folder: Path, vlm: str, statuses: dict[str, str]) -> str:
    path = folder / "results" / "concepts" / "wan" / vlm / "separation.tsv"
    write_table(pd.DataFrame(statuses.items(), columns=["concept", "status"]), path)
    return str(path)


def test_failures_are_told_by_name(tmp_path: Path) -> None:
    good = table(tmp_path, "one", {"red_blue": "ok", "up_down": "ok"})
    bad = table(tmp_path, "two", {"red_blue": "failed: effect 0.001", "up_down": "ok"})
    assert failed_fits([good, bad]) == {("wan", "two", "red_blue"): "effect 0.001"}
    assert failed_line([good]) is None
    assert failed_line([good, str(tmp_path / "nothing.tsv")]) is None
    assert failed_line([good, bad]) == (
        "fits failed, and their clips do not show what the VLM goes by: red_blue of two (effect"
        " 0.001)"
    )


def test_many_are_counted(tmp_path: Path) -> None:
    path = table(tmp_path, "one", {f"c{index}": "failed: effect 0" for index in range(5)})
    line = failed_line([path])
    assert "c2 of one" in line and "c3" not in line and line.endswith(" and 2 more")


def test_words_are_those_of_the_fit() -> None:
    assert (outcomes.OK, f"{outcomes.FAILED}: ") == (OK, FAILED)

"""The tables that a report shows as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from transporter.pipeline import paths
from transporter.pipeline.config import check_config
from transporter.pipeline.plan import Plan
from transporter.pipeline.tables import Table, tables
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def rows(**changes: Any) -> dict[str, list[Table]]:
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    return tables(Plan(check_config({**base, **changes}, [("test", changes)])))


def test_every_table_has_a_page_beside_it_and_a_caption() -> None:
    for table in [table for some in rows().values() for table in some]:
        assert Path(table.page).with_suffix(".tsv") == Path(table.path)
        caption = Path(f"workflow/report/{table.caption}.rst").read_text()
        assert caption.count("\n") == 1 and caption.endswith(".\n")


def test_tables_of_models_are_there_once_for_every_pair_and_say_which() -> None:
    found = rows(run={"vlms": ["qwen2_vl", "gemma3"], "concepts": ["red_blue"]})["table_pages"]
    bank = [table for table in found if table.caption == "separation"]
    assert [table.labels["vlm"] for table in bank] == ["qwen2_vl", "gemma3"]
    assert [table.path.split("/")[-2] for table in bank] == ["qwen2_vl", "gemma3"]
    assert len({tuple(table.labels.items()) for table in found}) == len(found)


def test_a_run_without_shortcuts_has_no_table_of_reliance() -> None:
    with_it = {table.caption for table in rows()["truth_pages"]}
    without = {table.caption for table in rows(truth={"shortcuts": []})["truth_pages"]}
    assert with_it - without == {"reliance"}


def test_real_clips_are_scored_where_there_is_a_folder_of_them(tmp_path: Path) -> None:
    def pages(folder: Path | None) -> dict[str, str]:
        masks = {"masks": {"folder": None if folder is None else str(folder)}}
        return {table.caption: table.page for table in rows(saliency=masks)["saliency_pages"]}

    page = pages(tmp_path)["masked"]
    assert page == "results/saliency/microworld/masked.html"
    assert Path("workflow/report/masked.rst").is_file()
    assert "masked" not in pages(None)
    with pytest.raises(UserError, match=r"saliency\.masks\.folder: expected a folder of clips"):
        pages(tmp_path / "nowhere")


def test_prompts_are_read_where_a_table_is_named(tmp_path: Path) -> None:
    def pages(table: object) -> dict[str, str]:
        found = rows(saliency={"prompts": {"table": table}})["saliency_pages"]
        return {some.caption: some.page for some in found}

    assert pages("config/prompts.tsv")["prompts"] == "results/saliency/microworld/prompts.html"
    assert Path("workflow/report/prompts.rst").is_file()
    assert "prompts" not in pages(None)
    assert "prompts" in pages(paths.IMAP_PROMPTS)  # a rule makes it
    with pytest.raises(UserError, match=r"saliency\.prompts\.table: expected a table of prompts"):
        pages(str(tmp_path / "nowhere.tsv"))
    (tmp_path / "wrong.tsv").write_text("prompt\tthings\n")
    with pytest.raises(UserError, match=r"wrong\.tsv: expected columns prompt, things, motions"):
        pages(str(tmp_path / "wrong.tsv"))

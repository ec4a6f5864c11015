"""The rows of the paper's figures and tables."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from transporter.pipeline.config import check_config
from transporter.pipeline.exhibits import Row, exhibits, projections
from transporter.pipeline.plan import Plan

METHODS = ("activation_maximisation", "gradvit", "maco", "leaps")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def rows(**changes: Any) -> dict[str, Row]:
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    config = check_config({**base, **changes}, [("test", changes)])
    return {row.name: row for row in exhibits(Plan(config))}


def test_every_row_has_a_module_that_draws_it_a_test_and_a_caption() -> None:
    for row in rows().values():
        module = import_module(row.code)
        assert list(inspect.signature(module.draw).parameters) == ["inputs", "settings"]
        caption = Path(f"workflow/report/{row.caption}.rst").read_text()
        assert caption.count("\n") == 1 and caption.endswith(".\n")


def test_tables_come_in_four_forms_and_figures_in_two() -> None:
    made = rows()
    folder = "results/paper/tables"
    assert made["main"].files() == [
        f"{folder}/main.{form}" for form in ("tsv", "tex", "pdf", "png")
    ]
    assert made["main"].outputs()["protocol"] == f"{folder}/main_protocol.tsv"
    assert made["ablation"].outputs()["orders"] == f"{folder}/ablation_orders.tsv"
    assert list(made["method"].outputs()) == ["pdf", "png"]
    assert (made["main"].rule, made["method"].rule) == ("main_table", "figure_method")


def test_a_run_without_a_kind_of_concept_lacks_its_figure() -> None:
    made = rows(run={"concepts": ["red_blue", "green_yellow"]})
    assert "objects" in made and not {"actions", "scenes", "several"} & set(made)
    assert made["objects"].settings["names"] == ["red_blue", "green_yellow"]
    assert "comparison" not in rows(baselines={"methods": {key: [] for key in METHODS}})
    assert "projections" not in rows(ablations={"kl": {"bank": {"divergence": "kl"}}})


def test_concepts_and_protocols_are_no_data_of_an_exhibit() -> None:
    sources = {name: row.sources for name, row in rows().items()}
    assert sources["main"] == ["clips", "vectors"]
    assert sources["ablation"] == ["base", "controls", "variants", "baseline"]
    assert sources["objects"] == ["readings", "generated"]
    assert sources["comparison"] == ["inverted", "generated"]
    assert sources["method"] == []


def test_readings_of_variants_stand_beside_the_names_of_their_variants() -> None:
    ablations = {"p_4": {"coupling": {"projections": 4}}, "p_8": {"coupling": {"projections": 8}}}
    row = rows(ablations=ablations, run={"vlms": ["qwen2_vl", "gemma3"]})["ablation"]
    found = [path.split("/")[2] for path in row.inputs["variants"]]
    assert found == row.settings["variants"] == ["p_4", "p_4", "p_8", "p_8"]


def test_projections_of_the_whole_method_and_of_those_that_change_it() -> None:
    config = {"coupling": {"projections": 100}}
    changes = {"p_50": {"coupling": {"projections": 50}}, "kl": {"bank": {}}}
    assert projections({**config, "ablations": changes}) == {"base": 100, "p_50": 50}
    full = {"full": {}, **changes}
    assert projections({**config, "ablations": full}) == {"full": 100, "p_50": 50}

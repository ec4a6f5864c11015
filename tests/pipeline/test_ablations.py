"""The rows of the paper's ablation table as settings, and which of them need a training of their
own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from transporter.concepts.fitting import BankSettings
from transporter.coupling.settings import CouplingSettings
from transporter.figures.ablation import BASE, BASELINE, CONTROLS, FULL, LABELS
from transporter.pipeline.ablations import OWN_ROWS, trained_as, variant
from transporter.pipeline.config import check_config
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TABLE = yaml.safe_load("""
inference_only: {coupling: {output: plain}}
phi_1: {coupling: {output: phi_1}}
phi_2: {coupling: {output: phi_2}}
mean: {coupling: {output: mean}}
sliced_gromov: {coupling: {transport: {aggregate: gromov, values: z1}}}
p_50: {coupling: {projections: 50}}
p_200: {coupling: {projections: 200}}
p_400: {coupling: {projections: 400}}
kl: {bank: {divergence: kl}}
js: {bank: {divergence: js}}
""")
NO_TRAINING = {"inference_only", "phi_1", "phi_2", "mean", "kl", "js"}


def settings(ablations: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Checked and completed settings of an experiment whose models lie nowhere."""
    models = {
        "generators": {"a": {"adapter": "wan", "path": "b/a"}},
        "vlms": {"b": {"adapter": "qwen_vl", "path": "b/b"}},
    }
    made = {
        **models,
        "run": {"generators": ["a"], "vlms": ["b"]},
        "probes": None,
        "ablations": ablations,
        **others,
    }
    made |= {table: str(ROOT / "config" / f"{table}.tsv") for table in ("concepts", "shortcuts")}
    return check_config(made, [("mine.yaml", made)])


def test_a_variant_is_the_rest_with_its_own_keys() -> None:
    config = settings(TABLE, coupling={"transport": {"scaling_steps": 4}, "steps": 7})
    made = variant(config, "sliced_gromov")
    assert made["coupling"]["transport"] == {
        **config["coupling"]["transport"],
        "aggregate": "gromov",
        "values": "z1",
    }
    assert (made["coupling"]["transport"]["scaling_steps"], made["coupling"]["steps"]) == (4, 7)
    assert {key for key in config if made[key] != config[key]} == {"coupling"}
    assert config == settings(TABLE, coupling={"transport": {"scaling_steps": 4}, "steps": 7}), (
        "the base stays as it is"
    )


@pytest.mark.parametrize("name", TABLE)
def test_rows_of_the_paper_are_settings_of_the_library(name: str) -> None:
    made = variant(settings(TABLE), name)
    coupling = dict(made["coupling"])
    for key in ("literal_steps", "processes"):
        coupling.pop(key)
    read = CouplingSettings.from_mapping(coupling), BankSettings.from_mapping(made["bank"], seed=0)
    assert read != (CouplingSettings(), BankSettings())


def test_the_default_settings_have_every_row_and_the_whole_method_with_equal_banks() -> None:
    bare = settings(TABLE)
    del bare["ablations"]
    config = check_config(bare, [("mine.yaml", bare)])
    default = {name: variant(config, name) for name in config["ablations"]}
    assert set(default) >= {*TABLE, FULL}
    for name, row in TABLE.items():
        expected = variant({**config, "ablations": {name: row}}, name)
        expected["bank"] |= {key: default[FULL]["bank"][key] for key in ("form", "steps", "lr")}
        assert {key: default[name][key] for key in ("coupling", "bank")} == {
            key: expected[key] for key in ("coupling", "bank")
        }
    assert default[FULL]["coupling"] == config["coupling"]
    assert set(default) <= set(LABELS)


def test_only_another_transport_is_trained_anew() -> None:
    config = settings(TABLE)
    assert {name: trained_as(config, name) for name in TABLE} == {
        name: None if name in NO_TRAINING else name for name in TABLE
    }


def test_equal_trainings_are_shared() -> None:
    gromov = TABLE["sliced_gromov"]
    both = {
        "first": gromov,
        "other_bank": {**gromov, "bank": {"support": "vocab"}},
        "same_as_base": {"coupling": {"projections": 100}},
    }
    config = settings(both)
    assert {name: trained_as(config, name) for name in both} == {
        "first": "first",
        "other_bank": "first",
        "same_as_base": None,
    }


@pytest.mark.parametrize(
    ("ablations", "message"),
    [
        (
            {"p": {"coupling": {"projektions": 5}}},
            r"ablations\.p\.coupling\.projektions: .*did you mean projections\?",
        ),
        (
            {"p": {"coupling": {"transport": {"aggregate": "sum"}}}},
            r"transport\.aggregate: expected one of costs, plans, gromov",
        ),
        (
            {"p": {"bank": {"divergence": 3}}},
            r"ablations\.p\.bank\.divergence: expected one of hellinger, kl, js",
        ),
        (
            {"p": {"generation": {"seeds": 1}}},
            r"ablations\.p\.generation: expected one of the keys coupling, bank",
        ),
        ({"p": {}}, r"ablations\.p: expected at least 1 entry, got \{\}"),
        ({"p": {"bank": {}}}, r"ablations\.p\.bank: expected at least 1 entry, got \{\}"),
        ({"random": {"bank": {"steps": 1}}}, r"ablations\.random: expected another name than base"),
        ({"p/q": {"bank": {"steps": 1}}}, "expected names of letters, digits"),
    ],
)
def test_refusals_name_the_key(ablations: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"mine\.yaml: .*{message}"):
        settings(ablations)


def test_rows_of_the_table_are_its_own() -> None:
    assert {*OWN_ROWS} == {BASE, BASELINE, *CONTROLS}


def test_an_unknown_ablation() -> None:
    with pytest.raises(
        UserError, match=r"expected a name from ablations \(inference_only, .*\), got 'p_3'"
    ):
        variant(settings(TABLE), "p_3")

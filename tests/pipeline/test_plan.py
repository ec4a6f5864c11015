"""What a run makes, and what its jobs are made from, by the settings alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from transporter.pipeline import paths
from transporter.pipeline.checks import CHECKS, check_places, check_splits
from transporter.pipeline.config import check_config, read_sources
from transporter.pipeline.model_files import model_files
from transporter.pipeline.plan import PAGE, SAMPLING, VIDEO, Plan

ROOT = Path(__file__).resolve().parents[2]
ABLATIONS = {
    "phi_1": {"coupling": {"output": "phi_1"}},
    "p_4": {"coupling": {"projections": 4}, "bank": {"steps": 2}},
    "p_4_kl": {"coupling": {"projections": 4}, "bank": {"divergence": "kl"}},
}
PAIR = {"generator": "microworld", "vlm": "gemma3"}


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def settings(**changes: Any) -> dict[str, Any]:
    """The default settings with some parts replaced."""
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    return check_config({**base, **changes}, [("test", changes)])


def plan(**changes: Any) -> Plan:
    return Plan(settings(**changes))


def test_a_plain_run_makes_the_page_and_a_filmstrip_of_every_concept() -> None:
    run = {"vlms": ["qwen2_vl", "gemma3"], "concepts": ["red_blue", "day_night"]}
    assert plan(run=run).final_outputs() == [
        "results/gallery",
        "results/evaluation/concepts.tsv",
        "results/evaluation/captions.tsv",
        "results/versions.tsv",
        "results/coupling/microworld/qwen2_vl/report.tsv",
        "results/coupling/microworld/gemma3/report.tsv",
        "results/coupling/microworld/qwen2_vl/answers.tsv",
        "results/coupling/microworld/gemma3/answers.tsv",
        "results/filmstrips/microworld/qwen2_vl/red_blue.png",
        "results/filmstrips/microworld/qwen2_vl/day_night.png",
        "results/filmstrips/microworld/gemma3/red_blue.png",
        "results/filmstrips/microworld/gemma3/day_night.png",
    ]


def test_settings_of_a_wildcard() -> None:
    made = plan()
    vlm = made.of("vlms", "{vlm}")
    assert vlm(PAIR) == made.config["vlms"]["gemma3"] != vlm({"vlm": "qwen2_vl"})
    generator = made.config["generators"]["microworld"]
    video = made.of("generators", "{generator}", only=VIDEO)(PAIR)
    assert list(video) == list(VIDEO) and video["fps"] == generator["fps"]
    encoder = made.of("generators", "{generator}", without=SAMPLING)(PAIR)
    assert set(generator) - set(encoder) == set(SAMPLING)
    with pytest.raises(KeyError):
        vlm({"vlm": "nobody"})


def test_a_job_of_an_ablation_has_its_settings() -> None:
    made = plan(ablations=ABLATIONS)
    steps = made.of("bank", "steps")
    assert steps({**PAIR, "variant": "p_4"}) == 2 != steps(PAIR)
    assert made.of("coupling", "output")({**PAIR, "variant": "phi_1"}) == "phi_1"


def test_weights_are_trained_once_for_all_that_share_them() -> None:
    made = plan(ablations=ABLATIONS)
    place = "results/{}coupling/microworld/gemma3/coupling.safetensors"
    owners = {"phi_1": "", "p_4": "ablations/p_4/", "p_4_kl": "ablations/p_4/"}
    for name, owner in owners.items():
        assert made.trained_coupling({**PAIR, "variant": name}) == place.format(owner)
    assert made.trained_coupling(PAIR) == place.format("")


def test_pairs_are_of_one_shape_and_several_splits() -> None:
    inputs = plan().pairs("train", "validation")(PAIR)
    assert inputs == {
        "z_xi_train": "results/embeddings/train/generators/microworld",
        "z_xi_validation": "results/embeddings/validation/generators/microworld",
        "z_omega_train": "results/embeddings/train/vlms/gemma3/17x64x64@8",
        "z_omega_validation": "results/embeddings/validation/vlms/gemma3/17x64x64@8",
        "z_reencoded_train": "results/embeddings/train/reencoded/microworld/gemma3",
        "z_reencoded_validation": "results/embeddings/validation/reencoded/microworld/gemma3",
        "captions_train": "data/train/captions.tsv",
        "captions_validation": "data/validation/captions.tsv",
    }


def test_a_bank_wants_edits_where_its_objective_asks_the_vlm() -> None:
    made = plan(bank={"objective": "velocity"}, ablations={"a": {"bank": {"objective": "answers"}}})
    assert made.edits(PAIR) == {}
    assert made.edits({**PAIR, "variant": "a"}) == {
        "edits": "results/embeddings/edits/generators/microworld",
        "edits_reencoded": "results/embeddings/edits/reencoded/microworld/gemma3",
    }
    assert set(made.edits({**PAIR, "case": "honest"})) == {"edits", "edits_reencoded"}


def test_the_training_split_goes_first_and_the_page_before_what_it_does_not_wait_for() -> None:
    splits = ("train", "validation", "held_out", "edits")
    priorities = [plan().priority({"split": split}) for split in splits]
    assert priorities == [3, 2, 0, 0] and max(priorities) < PAGE
    # vectors are fitted through Phi: videos wait for the embeddings of what it is trained on
    vectors = plan(bank={"form": "vector"})
    before_the_page = [vectors.priority({"split": split}) > PAGE for split in splits]
    assert before_the_page == [True, True, False, False]


def test_the_code_of_a_job_is_that_of_its_own_models_and_world() -> None:
    made = plan(run={"vlms": ["qwen2_vl", "gemma3"]})
    assert made.adapters(PAIR, "generators", "vlms") == [
        "transporter.generators.wan",
        "transporter.vlms.gemma3",
    ]
    assert made.adapters({}, "vlms") == ["transporter.vlms.gemma3", "transporter.vlms.qwen_vl"]
    module = "transporter.truth.table"
    bare, of_world = made.code(module)({}), made.code(module, world=True)({})
    assert bare != of_world == made.code(module, "microworld.world")({})
    elsewhere = plan(world=None, clips={"source": "folder", "folder": "tests"} | SPLITS)
    assert elsewhere.code(module, world=True)({}) == bare


SPLITS = {"splits": {"train": 1, "validation": 1, "held_out": 1}}


@pytest.fixture(autouse=True)
def own_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of clips are taken to be there."""
    others = [check for check in CHECKS if check not in (check_places, check_splits)]
    monkeypatch.setattr("transporter.pipeline.config.CHECKS", others)


def test_only_the_microworld_says_whether_answers_need_time() -> None:
    assert plan().temporal_table() == paths.TEMPORAL
    own = {"source": "folder", "folder": "tests"} | SPLITS
    assert plan(clips=own).temporal_table() == []
    assert plan(clips=own, world=None).shortcuts == []


def test_baselines_stand_in_the_order_of_the_papers_rows() -> None:
    methods = {"maco": ["w_dw"], "leaps": ["w", "w_dw"]}
    methods |= {"activation_maximisation": [], "gradvit": []}
    made = plan(baselines={"methods": methods})
    assert made.inverted(["red_blue", "day_night"]) == [
        "results/baselines/{vlm}/leaps/w/red_blue",
        "results/baselines/{vlm}/leaps/w/day_night",
        "results/baselines/{vlm}/maco/w_dw/red_blue",
        "results/baselines/{vlm}/maco/w_dw/day_night",
        "results/baselines/{vlm}/leaps/w_dw/red_blue",
        "results/baselines/{vlm}/leaps/w_dw/day_night",
    ]
    assert made.inversion_verifier() == []
    without = plan(metrics={**made.config["metrics"], "clip_judge": None})
    assert without.inversion_verifier() == ["results/weights/i3d"]


def test_a_model_is_its_weights_and_not_what_tells_of_them(tmp_path: Path) -> None:
    kept = ["config.json", "vae/model.safetensors"]
    for name in (*kept, "card.json", "card.md", "curve.tsv", "examples.png", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert model_files(str(tmp_path)) == [str(tmp_path / name) for name in kept]
    assert model_files("results/models/generator") == ["results/models/generator"]
    assert model_files(None) == model_files("somebody/some-model") == []


def test_settings_come_from_files_and_then_the_command_line() -> None:
    found = read_sources([Path("config/miniature.yaml").resolve()], {"bank": {"steps": "5"}})
    assert [name for name, _ in found] == ["config/miniature.yaml", "--config"]
    assert found[1][1] == {"bank": {"steps": 5}}
    assert [name for name, _ in read_sources(["config/config.yaml"], {})] == ["config/config.yaml"]

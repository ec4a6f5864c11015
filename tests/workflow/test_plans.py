"""What is planned in a folder where the miniature has run, when something is asked for anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from miniature import CONCEPTS, PAIR, SETTINGS
from pipeline import MINIATURE, VARIANT, copy_project, planned, snakemake


def test_nothing_is_left_to_do(finished: Path) -> None:
    assert planned(snakemake(finished, "all", "paper", "--dry-run", *MINIATURE).stdout) == {}


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


def test_one_command_trains_the_models_and_explains_them(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    shutil.rmtree(project / "models")
    both = (*MINIATURE, "config/scratch.yaml")
    output = snakemake(project, "--dry-run", *both, "--", "all", "paper", "truth").stdout
    jobs = planned(output)
    trained = ("vae", "generator", "probes", "clip_judge", "vision", "vlm")
    assert {f"train_{model}" for model in trained} <= set(jobs)
    assert {"embed_generator", "embed_vlm", "plant", "generation", "main_table"} <= set(jobs)


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


def test_without_a_withheld_case_tables_alone_are_made_anew(finished: Path) -> None:
    told = ("--config", "truth={withheld: []}")
    jobs = planned(snakemake(finished, "truth", "--dry-run", *MINIATURE, *told).stdout)
    assert jobs["truth_table"] == 1
    made_once = {"plant", "edits", "truth_bank", "truth_controls", "truth_readings", "reliance"}
    assert not jobs.keys() & made_once

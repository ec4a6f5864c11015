"""The one object on the shipped models, at two sampling steps; what it gives is checked against the
models themselves.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from microworld.attributes import WORDS
from transporter import Concept, ConceptBank, Coupling, Explainer, Explanation, Sampling, UserError
from transporter.clips.reading import read_video
from transporter.clips.split import Reading, SplitClips
from transporter.clips.world import World
from transporter.clips.writing import write_video
from transporter.concepts import untold
from transporter.concepts.contexts import gather_contexts
from transporter.concepts.fitting import fit_bank
from transporter.concepts.maps import ConceptMap
from transporter.coupling.settings import CouplingSettings
from transporter.explainer.clip_sources import as_clip, captioned_clips
from transporter.explainer.fits import Fit
from transporter.support.files import write_table

SETTINGS = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
CAPTION = "a red circle moves left on grass during the day"
FEW = {"count": 3, "steps": 2, "verbose": False}


def states(explainer: Explainer, *captions: str) -> torch.Tensor:
    """The text encoder's, `(B, L, d)`."""
    return explainer.generator.encode_text(captions).embeddings


@pytest.fixture(scope="module")
def models() -> Explainer:
    """Both models alone, whatever runs were made here."""
    explainer = Explainer.from_pretrained(SETTINGS)
    explainer.sampling = Sampling(2, explainer.sampling.guidance)
    explainer.coupling, explainer.bank = None, ConceptBank({})
    return explainer


def copied(models: Explainer) -> Explainer:
    return Explainer(
        models.generator,
        models.vlm,
        models.sampling,
        concepts=dict(models.concepts),
        settings=models.settings,
        clips=models.clips,
    )


@pytest.fixture(scope="module")
def fit(models: Explainer) -> tuple[Explainer, Fit]:
    explainer = copied(models)
    return explainer, explainer.fit("day_night", **FEW)


@pytest.fixture(scope="module")
def explainer(fit: tuple[Explainer, Fit]) -> Explainer:
    return fit[0]


@pytest.fixture(scope="module")
def explanation(explainer: Explainer) -> Explanation:
    return explainer.sweep(CAPTION, "day_night", phi=[1, 0])


def change(explainer: Explainer, name: str = "day_night") -> torch.Tensor:
    """What a concept adds to the caption, `(L, d)`."""
    pi = explainer.generator.encode_text([CAPTION])
    return explainer.bank.change(name, pi).embeddings[0]


def test_a_fit_tells_how_little_went_into_it(fit: tuple[Explainer, Fit]) -> None:
    _, made = fit
    [row] = made.table.to_dict("records")
    assert row["concept"] == "day_night"
    assert row["contexts"] == 3
    assert "velocity, maps\n" in str(made)


def test_a_fit_is_the_librarys_on_the_training_clips(
    fit: tuple[Explainer, Fit], models: Explainer
) -> None:
    explainer, made = fit
    concept, world = models.concepts["day_night"], models.clips
    rendered = ((caption, video) for caption, video in world.clips(0) if concept.pair(caption))
    captions, videos = zip(*(next(rendered) for _ in range(3)), strict=True)
    z_xi = models.generator.encode(torch.stack(videos)).detach()
    contexts = {"day_night": gather_contexts(concept, captions, z_xi, models.reader.generator)}
    bank, _ = fit_bank([concept], contexts, models.reader, made.settings)
    library = bank.change("day_night", models.generator.encode_text([CAPTION])).embeddings[0]
    torch.testing.assert_close(change(explainer), library)


def test_a_vector_points_from_one_word_to_the_other(explainer: Explainer) -> None:
    vector = change(explainer).flatten()
    edited = CAPTION.replace("day", "night"), CAPTION.replace("red", "blue")
    minus, night, blue = states(explainer, CAPTION, *edited).flatten(1)
    own, other = (torch.cosine_similarity(vector, pi - minus, dim=0) for pi in (night, blue))
    assert own > 0.5
    assert own > other + 0.3


def test_fitting_another_concept_keeps_the_first(explainer: Explainer) -> None:
    later = copied(explainer)
    later.bank = explainer.bank
    later.fit(Concept("sky", "scene", "night", "day", "what time is it ?"), **FEW)
    assert set(later.bank.vectors) == {"day_night", "sky"}
    assert set(later.bank.settings["fits"]) == {"day_night", "sky"}
    assert later.concepts["sky"].source == "night"


def test_a_fit_to_answers_asks_which_words_move_them(
    models: Explainer, capsys: pytest.CaptureFixture[str]
) -> None:
    """An honest VLM's answer about the time hangs on the time."""
    explainer = copied(models)
    explainer.sampling = Sampling(6, models.sampling.guidance)
    made = explainer.fit("day_night", objective="answers", count=4, steps=1)
    assert "concept day_night: day to night moves" in capsys.readouterr().out
    assert made.settings.objective == "answers"
    assert made.table["contexts"].item() % 2 == 0
    assert "day_night" in explainer.bank.vectors


def test_a_fit_to_log_odds_needs_no_word_that_moves_them(
    models: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient makes a map of nothing, in the captions that the VLM answers by the source."""
    monkeypatch.setattr(untold, "is_told", lambda moves: False)
    explainer = copied(models)
    explainer.sampling = Sampling(6, models.sampling.guidance)
    made = explainer.fit("day_night", objective="logits", count=4, steps=1)
    assert made.settings.logits.untold.steps == 1
    assert made.table["contexts"].item() > 0
    assert isinstance(explainer.bank.vectors["day_night"], ConceptMap)


def test_a_sweep_has_the_shapes_that_it_says(
    explanation: Explanation, explainer: Explainer
) -> None:
    assert explanation.phi == (0, 1)
    assert explanation.video.shape == (2, *explainer.generator.video_shape)
    assert explanation.z_xi.shape == (2, *explainer.generator.latent_shape)
    assert 0 <= explanation.video.min() < explanation.video.max() <= 1
    assert explanation.log_odds.shape == explanation.shares.shape == (2,)
    assert explanation.through_phi is None


@pytest.mark.parametrize("phi", [0, 1])
def test_a_sweep_holds_what_is_generated_alone(
    explanation: Explanation, explainer: Explainer, phi: int
) -> None:
    alone = explainer.generate(CAPTION, {"day_night": phi} if phi else None)
    torch.testing.assert_close(explanation.video[phi], alone, atol=1e-3, rtol=0)


def test_log_odds_are_the_vlms(explanation: Explanation, explainer: Explainer) -> None:
    tokens = explainer.vlm.encode(explanation.video)
    scores = explainer.vlm.logits(tokens, "what time is it ?").log_softmax(-1)
    ids = [explainer.vlm.processor.tokenizer(w).input_ids[0] for w in ("day", "night")]
    expected = scores[:, ids[1]] - scores[:, ids[0]]
    torch.testing.assert_close(explanation.log_odds, expected.detach(), atol=1e-3, rtol=1e-3)


def test_a_caption_with_the_target_word_begins_at_the_source(explainer: Explainer) -> None:
    turned = explainer.sweep(CAPTION.replace("day", "night"), "day_night", phi=[0])
    assert turned.caption == CAPTION


def test_captions_are_read_as_people_write_them(
    explainer: Explainer, explanation: Explanation
) -> None:
    written = explainer.sweep(f"{CAPTION.capitalize()}.", "day_night", phi=[0])
    assert written.caption == CAPTION
    torch.testing.assert_close(written.video[0], explanation.video[0], atol=1e-3, rtol=0)


def test_with_a_coupling_the_sweep_is_read_through_phi_too(explainer: Explainer) -> None:
    coupled = copied(explainer)
    coupled.bank = explainer.bank
    generator = coupled.generator
    torch.manual_seed(0)
    coupled.coupling = Coupling(
        generator.latent_shape,
        generator.condition_shape,
        coupled.vlm.tokens_shape,
        CouplingSettings(projections=4),
    ).eval()
    read = coupled.sweep(CAPTION, "day_night", phi=[0, 1])
    pi = states(coupled, CAPTION, CAPTION)
    with torch.no_grad():
        tokens = coupled.coupling(read.z_xi, pi, coupled.vlm.encode(read.video))
        expected = coupled.reader.log_odds(tokens, read.concept)
    torch.testing.assert_close(read.through_phi, expected, atol=1e-3, rtol=1e-3)
    assert "through_phi" in read.readings
    assert repr(coupled) == "Explainer(WanGenerator, QwenVL, with Phi, bank: day_night)"


def test_own_clips_in_a_folder_and_in_memory_give_one_vector(
    models: Explainer, tmp_path: Path
) -> None:
    assert models.clips is not None
    world: World = models.clips
    own = [clip for _, clip in zip(range(6), world.clips(5), strict=False)]
    (tmp_path / "clips").mkdir()
    for number, (_, video) in enumerate(own):
        write_video(tmp_path / "clips" / f"{number}.mp4", video, 8)
    names = [f"{number}.mp4" for number in range(6)]
    captions = [caption for caption, _ in own]
    table = pd.DataFrame({"clip": names, "caption": captions})
    write_table(table, tmp_path / "captions.tsv")
    read = [read_video(tmp_path / "clips" / name, *_size(models)) for name in names]
    colour = next(word for word in captions[0].split() if word in WORDS["colour"])
    concept = Concept("mine", "object", colour, "green" if colour != "green" else "red", "what ?")
    vectors = []
    for clips in (tmp_path, zip(captions, read, strict=True)):
        explainer = copied(models)
        explainer.fit(concept, clips=clips, **FEW)
        vectors.append(change(explainer, "mine"))
    torch.testing.assert_close(*vectors)


def test_own_clips_are_read_at_the_window_of_the_settings(
    models: Explainer, tmp_path: Path
) -> None:
    """As the jobs of a run read them; spread over the clip, or from its start, they are others."""
    video = torch.linspace(0, 1, 48).view(-1, 1, 1, 1).expand(-1, 3, 64, 96)
    write_video(tmp_path / "clips" / "long.mp4", video, 8)
    write_table(pd.DataFrame({"clip": ["long.mp4"], "caption": ["red"]}), tmp_path / "captions.tsv")
    part = {"start": 2, "seconds": 3, "fit": "pad"}
    reading = Reading.of_settings(part)
    concept, shape = (
        Concept("mine", "object", "red", "blue", "what ?"),
        models.generator.video_shape,
    )
    found = captioned_clips([concept], tmp_path, 1, 0, shape, 8, reading)
    [(_, clip)] = found["mine"]
    expected = SplitClips.of_table(tmp_path / "captions.tsv", tmp_path / "clips", part)
    assert torch.equal(clip, expected.read(0, _size(models), 8).video)
    assert not torch.allclose(clip, as_clip(tmp_path / "clips" / "long.mp4", shape, 8), atol=0.1)
    settings = yaml.safe_load(SETTINGS.read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings | {"clips": part}))
    explainer = Explainer.from_pretrained(tmp_path / "mine.yaml")
    assert explainer.reading == reading


def _size(models: Explainer) -> tuple[int, int, int]:
    frames, _, height, width = models.generator.video_shape
    return frames, height, width


def test_the_vlm_is_asked_about_tensors_and_files(models: Explainer, tmp_path: Path) -> None:
    assert models.clips is not None
    caption, video = next(clip for clip in models.clips.clips(0) if "night" in clip[0])
    write_video(tmp_path / "clip.mp4", video, 8)
    for clip in (video, tmp_path / "clip.mp4"):
        assert models.ask(clip, "what time is it ?") == "night"
        assert models.ask(clip, models.concepts["day_night"]) == "night"
    assert set(models.ask(video).split()) & set(caption.split())


def test_a_saved_bank_is_loaded_beside_what_is_there(explainer: Explainer, tmp_path: Path) -> None:
    explainer.bank.save(tmp_path / "bank.safetensors")
    other = copied(explainer)
    other.load_bank(tmp_path / "bank.safetensors")
    torch.testing.assert_close(change(other), change(explainer))
    ConceptBank({"x": torch.zeros(3, 5)}).save(tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="this bank is of another generator"):
        other.load_bank(tmp_path / "other.safetensors")


def test_a_runs_coupling_and_bank_are_taken(
    models: Explainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where a run leaves them; with other weights of the VLM they are left where they are."""
    root = SETTINGS.parents[1]
    for name in ("config", "models", "Snakefile"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    generator, places = models.generator, Path("results")
    shapes = (generator.latent_shape, generator.condition_shape, models.vlm.tokens_shape)
    Coupling(*shapes).save(places / "coupling/microworld/qwen2_vl/coupling.safetensors")
    bank = ConceptBank({"day_night": torch.ones(generator.condition_shape)})
    bank.save(places / "concepts/microworld/qwen2_vl/bank.safetensors")
    found = Explainer.from_pretrained()
    assert found.coupling is not None
    assert list(found.bank.vectors) == ["day_night"]
    other = Explainer.from_pretrained(weights="models/vlms/qwen2_vl")
    assert other.coupling is None
    assert not other.bank.vectors


@pytest.mark.parametrize(
    ("caption", "concept", "phi", "message"),
    [
        ("an elephant", "day_night", [0], "got 'an'"),
        (CAPTION, "day_nigth", [0], "did you mean day_night"),
        (CAPTION, "red_blue", [0], r"concept red_blue: expected one of the bank \(day_night\)"),
        (CAPTION, "day_night", [], "phi: expected different numbers"),
        (CAPTION, "day_night", [0, 0], "phi: expected different numbers"),
        (CAPTION, "day_night", [float("nan")], "phi: expected different numbers"),
    ],
)
def test_bad_sweeps_are_refused(
    explainer: Explainer, caption: str, concept: str, phi: list[float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        explainer.sweep(caption, concept, phi)


def test_other_words_under_a_known_name_are_refused(explainer: Explainer) -> None:
    other = Concept("day_night", "scene", "red", "blue", "what ?")
    with pytest.raises(UserError, match="expected the words it was fitted on, 'day' and 'night'"):
        explainer.sweep(CAPTION, other)


def test_bad_fits_are_refused(models: Explainer) -> None:
    explainer = copied(models)
    with pytest.raises(UserError, match="at least one concept, clip and step"):
        explainer.fit()
    with pytest.raises(UserError, match="whose captions hold 'day' or 'night', found none"):
        explainer.fit("day_night", clips=[("nothing", torch.zeros(17, 3, 64, 64))])
    with pytest.raises(UserError, match="at least 17 frames, got 3"):
        explainer.fit("day_night", clips=[("a day", torch.zeros(3, 3, 64, 64))])
    explainer.clips = None
    with pytest.raises(UserError, match="give them by `clips`"):
        explainer.fit("day_night")
    with pytest.raises(UserError, match=r"video: expected \(T, 3, H, W\)"):
        explainer.ask(torch.zeros(17, 64, 64))

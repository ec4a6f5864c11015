"""One-word edits, and the pairs that a VLM of known cue answers differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.clips.embedding import embed_latents
from transporter.concepts.answered import all_answered_pairs, answered_pairs
from transporter.concepts.contexts import gather_contexts
from transporter.concepts.edits import Edits, plan_edits, sample_edits
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.outcomes import with_refused
from transporter.coupling.reader import Reader
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
CONCEPTS = [
    Concept("red_blue", "object", "red", "blue", "what colour ?"),
    Concept("green_blue", "object", "green", "blue", "what colour ?"),
    SPEED,
]
LOOKS = (("red", "slowly"), ("green", "quickly"), ("blue", "slowly"), ("blue", "quickly"))
CAPTIONS = [
    f"a {colour} {shape} moves {speed}"
    for shape in ("dot", "star", "disk")
    for colour, speed in LOOKS
]
WORDS = sorted({word for caption in CAPTIONS for word in caption.split()})
L, D = 5, 4


class _Words:
    """A generator whose clip says which words its caption holds, `(n, words, 1, 1, 1)`, and whose
    velocity is minus the caption.
    """

    device, condition_shape = torch.device("cpu"), (L, D)
    dtype = torch.float32

    def __init__(self) -> None:
        self.noises: dict[int, list[int]] = {}
        self.table = torch.randn(len(WORDS), D, generator=torch.Generator().manual_seed(0))

    def encode_text(self, captions: Sequence[str]) -> Condition:
        places = [[WORDS.index(word) for word in caption.split()] for caption in captions]
        return Condition(self.table[torch.tensor(places)])

    def sample(
        self, condition: Condition, seeds: Sequence[int], steps: int, guidance: float
    ) -> torch.Tensor:
        words = condition.embeddings.flatten(0, 1)
        near = torch.cdist(words, self.table).view(len(condition), L, -1) < 1e-4
        for row, seed in enumerate(seeds):
            self.noises.setdefault(seed, []).append(row)
        return near.any(1).float().view(len(condition), -1, 1, 1, 1)

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return -condition.embeddings.flatten(1).mean(1).view(-1, 1, 1, 1, 1).expand_as(z_t)


class _Reader(Reader):
    """Says *quickly* of what is `cue`; tokens are the words that the clip holds."""

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        return 6 * tokens[:, 0, WORDS.index(self.vlm)] - 3

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.flatten(1)[:, None]

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        odds = self.log_odds(tokens, concept) / 2
        return torch.stack([-odds, odds], -1).log_softmax(-1)


def sampled(folder: Path, generator: _Words, groups: int = 12) -> Edits:
    table = plan_edits(CAPTIONS, CONCEPTS, groups)
    sample_edits(table, generator, Sampling(2, 1.0, 4), 1, folder / "edits")
    embed_latents(
        folder / "edits", lambda z_xi: z_xi.flatten(1)[:, None], folder / "reencoded", 4, 100
    )
    return Edits.load(folder / "edits", folder / "reencoded")


def test_every_word_is_edited_in_as_many_captions_as_asked() -> None:
    table = plan_edits(["nothing known", *CAPTIONS, CAPTIONS[0]], CONCEPTS, 2)
    assert table["caption"].tolist() == [
        "a red dot moves slowly",
        "a blue dot moves slowly",
        "a green dot moves slowly",
        "a red dot moves quickly",
        "a green dot moves quickly",
        "a red dot moves quickly",
        "a blue dot moves quickly",
        "a green dot moves slowly",
    ]
    assert table["clip"].is_unique and table["group"].tolist() == [0] * 4 + [1] * 4
    assert len(plan_edits(CAPTIONS, CONCEPTS, 99)["group"].unique()) == len(CAPTIONS)
    with pytest.raises(
        UserError, match="expected captions that hold a word of the concepts, got none in 1"
    ):
        plan_edits(["nothing known"], CONCEPTS, 2)


def test_a_group_shares_its_noise_and_no_other_does(tmp_path: Path) -> None:
    generator = _Words()
    edits = sampled(tmp_path, generator)
    assert sorted(generator.noises) == [1_500_003 + group for group in range(12)]
    assert {len(rows) for rows in generator.noises.values()} == {4}
    assert torch.equal(edits.z_xi.flatten(1), edits.z_reencoded[:, 0])


def test_pairs_are_all_versions_in_one_respect(tmp_path: Path) -> None:
    pairs = sampled(tmp_path, _Words(), groups=1).pairs()
    found = {(row.source, row.target): (row.word, row.instead) for row in pairs.itertuples()}
    colours = {(a, b) for a in (0, 1, 2) for b in (0, 1, 2) if a != b}
    assert set(found) == colours | {(0, 3), (3, 0)}
    assert (
        found[1, 2] == ("blue", "green")
        and found[3, 0] == ("quickly", "slowly")
        and found[0, 1] == ("red", "blue")
    )


@pytest.mark.parametrize(
    ("cue", "swaps"), [("quickly", {"slowly to quickly"}), ("red", {"blue to red", "green to red"})]
)
def test_answered_pairs_differ_in_the_cue_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cue: str, swaps: set[str]
) -> None:
    generator = _Words()
    pairs = answered_pairs(SPEED, sampled(tmp_path, generator), _Reader(generator, cue, None))
    plus, minus = (
        x.embeddings.flatten(0, 1) @ torch.linalg.pinv(generator.table)
        for x in (pairs.pi_plus, pairs.pi_minus)
    )
    first, second = pairs.pi_minus.embeddings.chunk(2)
    assert len(pairs) > 0 and torch.equal(first, second)
    # both captions' clips are contexts: those without the cue, then those with it
    shown = pairs.z_xi.flatten(1)[:, WORDS.index(cue)]
    assert shown.tolist() == [0.0] * (len(pairs) // 2) + [1.0] * (len(pairs) // 2)
    assert ((plus - minus).abs().view(len(pairs), L, -1).amax(-1) > 1e-3).sum(1).eq(1).all()
    said = capsys.readouterr().out
    assert all(f"concept slowly_quickly: {swap} moves " in said for swap in swaps)
    assert said.count("concept") == len(swaps)


def test_one_lucky_clip_makes_no_swap_telling(tmp_path: Path) -> None:
    generator = _Words()
    edits = sampled(tmp_path, generator)
    lucky = edits.pairs().query("word == 'red' and instead == 'green'")["target"].iloc[0]
    edits.z_reencoded[lucky, 0, WORDS.index("quickly")] = 2.0
    kept = answered_pairs(SPEED, edits, _Reader(generator, "quickly", None))
    # the lucky clip's own speed is still a pair's target; its colour is none
    assert ((kept.pi_plus - kept.pi_minus).embeddings.abs().amax(-1) > 1e-3)[:, 1].sum() == 0


@pytest.mark.parametrize(
    ("cue", "message"),
    [
        (
            "moves",
            "expected edits of captions whose clips the VLM answers by 'slowly', got none of 48; "
            "turn the pair round",
        ),
        (
            "star",
            "expected a swap of words that moves the VLM's answer towards 'quickly', got none of 8;"
            " add concepts",
        ),
    ],
)
def test_a_vlm_that_no_edit_moves_is_refused(tmp_path: Path, cue: str, message: str) -> None:
    generator = _Words()
    edits = sampled(tmp_path, generator)
    with pytest.raises(UserError, match=f"concept slowly_quickly: {message}"):
        answered_pairs(SPEED, edits, _Reader(generator, cue, None))


class _Deaf(_Reader):
    """Says the target of one concept whatever it sees."""

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        odds = super().log_odds(tokens, concept)
        return odds if concept == SPEED else odds.abs() + 1


def test_others_go_on_without_a_concept_that_no_edit_moves(tmp_path: Path) -> None:
    generator = _Words()
    reader, edits = _Deaf(generator, "quickly", None), sampled(tmp_path, generator)
    other = replace(SPEED, name="other")
    contexts, refused = all_answered_pairs([other, SPEED], edits, reader)
    assert list(contexts) == [SPEED.name]
    assert refused["other"].startswith("expected edits of captions whose clips the VLM answers by")
    with pytest.raises(UserError, match="concept other: expected edits"):
        all_answered_pairs([other], edits, reader)
    settings = BankSettings(form="vector", objective="answers", steps=2, batch=2)
    bank, table = fit_bank([SPEED], contexts, reader, settings)
    whole, rows = with_refused(bank, table, [other, SPEED], refused, generator.table.shape[1])
    assert list(whole.vectors) == rows["concept"].tolist() == ["other", SPEED.name]
    assert rows["status"][0] == f"failed: {refused['other']}"
    pi = generator.encode_text(CAPTIONS[:2])
    assert not whole.change("other", pi).embeddings.any()
    assert torch.equal(
        whole.change(SPEED.name, pi).embeddings, bank.change(SPEED.name, pi).embeddings
    )
    same, unchanged = with_refused(bank, table, [SPEED], {}, generator.table.shape[1])
    assert same is bank and unchanged is table


@pytest.mark.parametrize("objective", ["velocity", "answers"])
def test_answers_find_the_cue_that_velocity_does_not(tmp_path: Path, objective: str) -> None:
    """Of a VLM that says *quickly* of red: fitted to answers, the vector turns other colours red,
    not *slowly* into *quickly*.
    """
    generator = _Words()
    reader, edits = _Reader(generator, "red", None), sampled(tmp_path, generator)
    if objective == "answers":
        contexts = answered_pairs(SPEED, edits, reader)
    else:
        contexts = gather_contexts(
            SPEED, edits.table["caption"].tolist(), edits.z_xi, reader.generator
        )
    settings = BankSettings(
        form="vector", objective=objective, strengths="unit", steps=200, batch=16, lr=0.02
    )
    bank, _ = fit_bank([SPEED], {SPEED.name: contexts}, reader, settings)
    word = {
        name: generator.table[WORDS.index(name)].mean()
        for name in ("red", "green", "blue", "slowly", "quickly")
    }
    # a caption's five words have one mean; a third of all colours to be changed are green, two
    # thirds blue
    expected = word["quickly"] - word["slowly"]
    if objective == "answers":
        expected = word["red"] - (word["green"] + word["blue"]) / 2
    assert float(bank[SPEED.name].mean(-1).sum()) == pytest.approx(float(expected), abs=0.05)


def test_an_edit_that_could_not_be_embedded_is_in_no_pair(tmp_path: Path) -> None:
    generator = _Words()
    sampled(tmp_path, generator, groups=1)
    index = pd.read_csv(tmp_path / "reencoded" / "index.tsv", sep="\t")
    index[index["clip"] != "0000-00"].to_csv(
        tmp_path / "reencoded" / "index.tsv", sep="\t", index=False
    )
    pairs = Edits.load(tmp_path / "edits", tmp_path / "reencoded").pairs()
    assert set(zip(pairs["word"], pairs["instead"], strict=True)) == {
        ("blue", "green"),
        ("green", "blue"),
    }

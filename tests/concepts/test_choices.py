"""A choice of edits by caption: where the answer hangs on different words, each caption gets its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.answered import answered_pairs, best_edit
from transporter.concepts.bank import ConceptBank
from transporter.concepts.choices import EditChoice
from transporter.concepts.edits import Edits, plan_edits, widened
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition

SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
TABLE = [
    Concept("red_blue", "object", "red", "blue", "what colour ?"),
    Concept("circle_square", "object", "circle", "square", "what shape ?"),
    SPEED,
]
WORLD = {
    "colour": ("red", "blue", "green"),
    "shape": ("circle", "square", "triangle"),
    "speed": ("slowly", "quickly"),
}
CAPTIONS = [" ".join(("a", *words, "moves")) for words in product(*WORLD.values())]
WORDS = ["a", *(word for group in WORLD.values() for word in group), "moves"]
L, D = 6, 16


class _World:
    """How captions are made of words, some of which may be left out."""

    words = WORLD

    def caption(self, words: Mapping[str, str | None]) -> str:
        held = [word for name in WORLD if (word := words[name])]
        return " ".join(("a", *held, "moves"))


class _Words:
    """A text encoder whose token is its word; a clip says which words its caption holds."""

    device, dtype, condition_shape = torch.device("cpu"), torch.float32, (L, D)

    def __init__(self) -> None:
        self.table = torch.randn(len(WORDS), D, generator=torch.Generator().manual_seed(0))

    def encode_text(self, captions: Sequence[str]) -> Condition:
        states = torch.zeros(len(captions), L, D)
        for state, caption in zip(states, captions, strict=True):
            places = [WORDS.index(word) for word in caption.split()]
            state[: len(places)] = self.table[places]
        return Condition(states)

    def read(self, condition: Condition) -> list[str]:
        """The words at the tokens; what comes in stands behind the others."""
        tokens = condition.embeddings.norm(dim=-1) > 0.1
        near = torch.cdist(condition.embeddings.flatten(0, 1), self.table).argmin(-1).view(-1, L)
        rows = [row[held].tolist() for row, held in zip(near, tokens, strict=True)]
        return [" ".join(map(WORDS.__getitem__, row)) for row in rows]

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return -condition.embeddings.flatten(1).mean(1).view(-1, 1, 1, 1, 1).expand_as(z_t)


class _Planted(Reader):
    """Says *quickly* of clips that hold all words of `vlm`; tokens are a clip's words."""

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        held = tokens[:, 0, [WORDS.index(word) for word in self.vlm]].prod(-1)
        return 8 * held - 4

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.flatten(1)[:, None]

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        odds = self.log_odds(tokens, concept) / 2
        return torch.stack([-odds, odds], -1).log_softmax(-1)


def _edits(captions: Sequence[str] = CAPTIONS, world: _World | None = None) -> Edits:
    table = plan_edits(captions, widened(TABLE, WORLD), len(captions), world)
    held = [[float(word in caption.split()) for word in WORDS] for caption in table["caption"]]
    tokens = torch.tensor(held)[:, None]
    return Edits(table, tokens.view(len(table), -1, 1, 1, 1), tokens)


def _changed(
    cue: Sequence[str],
    captions: Sequence[str],
    planted: type[_Planted] = _Planted,
    edits: Edits | None = None,
    world: _World | None = None,
) -> list[str]:
    """What a bank fitted to the answers makes of some captions."""
    generator = _Words()
    reader = planted(generator, list(cue), None)
    pairs = answered_pairs(SPEED, edits or _edits(), reader, world=world)
    settings = BankSettings(objective="answers", ridge=1e-4, batch=4)
    bank, _ = fit_bank([SPEED], {SPEED.name: pairs}, reader, settings)
    pi = generator.encode_text(captions)
    return generator.read(pi + bank.change(SPEED.name, pi))


def test_a_world_adds_the_words_that_the_table_lacks() -> None:
    added = widened(TABLE, WORLD)[len(TABLE) :]
    assert [(one.source, one.target, one.question) for one in added] == [
        ("red", "green", "what colour ?"),
        ("circle", "triangle", "what shape ?"),
    ]
    assert widened(TABLE, {}) == TABLE


def test_whatever_it_is_it_becomes_a_square() -> None:
    captions = ["a red circle slowly moves", "a blue triangle quickly moves"]
    assert _changed(["square"], captions) == [
        "a red square slowly moves",
        "a blue square quickly moves",
    ]


def test_each_caption_gets_the_word_that_it_lacks() -> None:
    """Of a VLM that says *quickly* of red circles alone: no one edit does for all."""
    captions = ["a red square slowly moves", "a green circle quickly moves"]
    assert _changed(["red", "circle"], captions) == [
        "a red circle slowly moves",
        "a red circle quickly moves",
    ]


def test_a_caption_that_lacks_both_words_gets_both() -> None:
    captions = ["a blue square slowly moves", "a green triangle quickly moves"]
    assert _changed(["red", "circle"], captions) == [
        "a red circle slowly moves",
        "a red circle quickly moves",
    ]


def test_a_word_comes_into_captions_that_have_none_of_its_kind() -> None:
    """Of a VLM that says *quickly* of red things: a map of swaps alone would leave them."""
    world = _World()
    some = [caption.replace("blue ", "") for caption in CAPTIONS]
    edits = _edits(list(dict.fromkeys(some)), world)
    captions = ["a circle slowly moves", "a green triangle quickly moves", "a square quickly moves"]
    assert _changed(["red"], captions, edits=edits, world=world) == [
        "a circle slowly moves red",
        "a red triangle quickly moves",
        "a square quickly moves red",
    ]
    both = _changed(["red", "circle"], ["a square slowly moves"], edits=edits, world=world)
    assert both == ["a circle slowly moves red"]


def test_words_that_were_put_in_are_no_contexts() -> None:
    """A vector is one for all captions, whose words stand at the same places on both sides."""
    world = _World()
    edits = _edits(["a circle slowly moves", *CAPTIONS], world)
    reader = _Planted(_Words(), ["red"], None)
    pairs = answered_pairs(SPEED, edits, reader, world=world)
    lengths = [
        side.embeddings.norm(dim=-1).gt(0).sum(1) for side in (pairs.pi_minus, pairs.pi_plus)
    ]
    assert torch.equal(*lengths)
    unedited = edits.table["caption"].tolist().index("a circle slowly moves")
    assert pairs.moves[unedited].tolist() == [8.0]


class _Either(_Planted):
    """Says *quickly* of clips that hold one of the words of `vlm`."""

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        held = tokens[:, 0, [WORDS.index(word) for word in self.vlm]].amax(-1)
        return 8 * held - 4


def test_of_two_words_that_do_alike_a_caption_gets_one() -> None:
    captions = ["a blue square slowly moves", "a green triangle quickly moves"]
    for before, after in zip(captions, _changed(["red", "circle"], captions, _Either), strict=True):
        changed = sum(map(str.__ne__, before.split(), after.split()))
        assert changed == 1 and {"red", "circle"} & {*after.split()}


def test_the_best_edit_is_one_for_all_captions() -> None:
    reader = _Planted(_Words(), ["square"], None)
    assert best_edit(SPEED, _edits(), reader) == ("what shape ?", "square")
    assert best_edit(SPEED, _edits(), _Planted(_Words(), ["a"], None)) is None


def test_a_choice_comes_back_from_its_file(tmp_path: Path) -> None:
    reader = _Planted(_Words(), ["red", "circle"], None)
    pairs = answered_pairs(SPEED, _edits(), reader)
    choice = EditChoice.fit(pairs, 1e-4, 8, reader.generator.device)
    bank = ConceptBank({SPEED.name: choice})
    bank.save(tmp_path / "bank.safetensors")
    pi = reader.generator.encode_text(CAPTIONS[:4])
    again = ConceptBank.load(tmp_path / "bank.safetensors")
    assert torch.equal(
        again.change(SPEED.name, pi).embeddings, bank.change(SPEED.name, pi).embeddings
    )
    again.check((L, D), "bank")


def test_moves_are_those_of_all_captions() -> None:
    pairs = answered_pairs(SPEED, _edits(), _Planted(_Words(), ["square"], None))
    assert list(pairs.edits) == ["what shape ? square"]
    assert pairs.moves.shape == (len(pairs.states), 1)
    moves = pairs.moves[:, 0]
    # in a clip that an edit of another word made, nobody has tried the word for a square
    assert set(moves[~moves.isnan() & (pairs.before < 0)].tolist()) == {8.0}
    assert set(moves[~moves.isnan() & (pairs.before > 0)].tolist()) == {0.0}
    assert 0 < int(moves.isnan().sum()) < len(moves)

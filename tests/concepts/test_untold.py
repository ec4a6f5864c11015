"""Maps that a gradient makes of nothing, where no swap of words tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn.functional import pad

from transporter.clips.contrast import Concept
from transporter.concepts.answered import edit_moves
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts
from transporter.concepts.edits import Edits
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.settings import LogitsSettings, UntoldSettings
from transporter.concepts.untold import (
    LowRankMaps,
    Untold,
    is_told,
    state_directions,
    untold_contexts,
)
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition

SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
OTHER = Concept("other", "action", "slowly", "quickly", "how ?")
COLUMNS = ["clip", "group", "about", "word", "instead", "caption"]
WORDS = ["red", "blue", "dot", "slowly", "quickly"]
D = 4


class _Words:
    """A generator whose clip is the sum of its caption's words, one velocity away."""

    device, condition_shape, dtype = torch.device("cpu"), (3, D), torch.float32

    def __init__(self) -> None:
        self.table = torch.randn(len(WORDS), D, generator=torch.Generator().manual_seed(0))

    def encode_text(self, captions: Sequence[str]) -> Condition:
        texts = [caption.split() for caption in captions]
        places = [[WORDS.index(word) for word in words] for words in texts]
        return Condition(torch.stack([self._padded(self.table[row]) for row in places]))

    def _padded(self, states: torch.Tensor) -> torch.Tensor:
        return pad(states, (0, 0, 0, 3 - len(states)))

    def unconditional(self) -> Condition:
        return Condition(torch.zeros(1, 3, D))

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return -condition.embeddings.sum(1).view(-1, D, 1, 1, 1)


class _Reader(Reader):
    """Says *quickly* of what lies in one direction of the clip, red's."""

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        return tokens @ self.generator.table[0] - 6

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.flatten(1)

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        odds = self.log_odds(tokens, concept) / 2
        return torch.stack([-odds, odds], -1).log_softmax(-1)


def edits_of(generator: _Words, rows: Sequence[tuple[int, str, str, str]]) -> Edits:
    """Edits in a table of group, word, instead and caption; each clip has its caption's words."""
    cells = [
        (f"{number:02d}", group, "what ?" if word else "", word, instead, caption)
        for number, (group, word, instead, caption) in enumerate(rows)
    ]
    table = pd.DataFrame(cells, columns=COLUMNS)
    states = generator.encode_text(table["caption"].tolist()).embeddings.sum(1)
    return Edits(table, states.view(-1, D, 1, 1, 1), states)


ROWS = (
    (0, "", "", "blue dot slowly"),
    (0, "blue", "red", "red dot slowly"),
    (0, "slowly", "quickly", "blue dot quickly"),
    (1, "", "", "blue dot"),
    (1, "blue", "red", "red dot"),
)


@pytest.fixture
def generator() -> _Words:
    return _Words()


@pytest.fixture
def edits(generator: _Words) -> Edits:
    return edits_of(generator, ROWS)


@pytest.mark.parametrize(("move", "told"), [(4.6, True), (4.4, False)])
def test_a_swap_tells_if_it_makes_up_most_of_what_answers_lack(move: float, told: bool) -> None:
    swap = {"about": "what ?", "word": "blue", "instead": "red"}
    rows = [{**swap, "before": -6.0, "moves": move}] * 8
    # neither a lucky clip, nor what is answered by the target as it is
    lucky = {**swap, "instead": "green", "before": -6.0, "moves": 5.0}
    answered = {**swap, "word": "red", "instead": "blue", "before": 3.0, "moves": 99.0}
    assert is_told(pd.DataFrame([*rows, lucky, answered])) is told


def test_nothing_is_told_where_no_clip_can_flip() -> None:
    swap = {"about": "what ?", "word": "blue", "instead": "red", "before": 3.0, "moves": 9.0}
    assert not is_told(pd.DataFrame([swap]))


def test_contexts_are_the_captions_answered_by_the_source_but_for_hidden_edits(
    generator: _Words, edits: Edits
) -> None:
    edits = Edits(edits.table, edits.z_xi, edits.z_reencoded, frozenset(["red", "blue"]))
    moves = {SPEED.name: edit_moves(SPEED, edits, _Reader(generator, None))}
    assert set(moves[SPEED.name]["word"]) == {"slowly", "quickly"}
    contexts = untold_contexts([SPEED], edits, generator, moves)[SPEED.name]
    wanted = generator.encode_text(["blue dot slowly", "blue dot quickly"]).embeddings
    assert torch.equal(contexts.pi_minus.embeddings, wanted)
    assert torch.equal(contexts.pi_plus.embeddings, wanted)
    assert torch.equal(contexts.z_xi, edits.z_xi[[0, 2]])


def test_what_a_swap_tells_is_left_to_it(generator: _Words, edits: Edits) -> None:
    moves = {SPEED.name: edit_moves(SPEED, edits, _Reader(generator, None))}
    told = moves[SPEED.name].assign(before=-1.0, moves=9.0)
    assert untold_contexts([SPEED], edits, generator, {SPEED.name: told}) == {}
    never = moves[SPEED.name].assign(before=1.0)
    assert untold_contexts([SPEED], edits, generator, {SPEED.name: never}) == {}


def test_directions_are_those_in_which_the_states_of_tokens_vary(generator: _Words) -> None:
    captions = ["blue dot slowly", "red dot", "red dot quickly"]
    states = generator.table[[WORDS.index(word) for text in captions for word in text.split()]]
    directions = state_directions(captions, generator)
    spread = directions @ torch.cov(states.T, correction=0) @ directions.T
    torch.testing.assert_close(directions @ directions.T, torch.eye(D))
    torch.testing.assert_close(spread, spread.diag().diag(), atol=1e-5, rtol=0)
    assert (spread.diag().diff() <= 1e-6).all()


def test_maps_of_a_bank_are_what_was_learnt(tmp_path: Path, generator: _Words) -> None:
    directions = torch.linalg.qr(torch.randn(D, D))[0][:2]
    learnt = LowRankMaps(2, directions, 3, 0)
    pi = generator.encode_text(["blue dot slowly", "red dot"])
    which = torch.tensor([1, 0])
    assert not learnt.change(which, pi).any()
    with torch.no_grad():
        learnt.weights.copy_(torch.randn(learnt.weights.shape))
    change = learnt.change(which, pi).detach()
    torch.testing.assert_close(change @ directions.T @ directions, change)
    assert change.abs().sum() > 0 and not change[1, 2].any()  # nothing at padding
    ConceptBank(dict(zip("ab", learnt.maps(), strict=True))).save(tmp_path / "bank")
    loaded = ConceptBank.load(tmp_path / "bank")
    for row, name in enumerate("ba"):
        torch.testing.assert_close(loaded.change(name, pi).embeddings[row], change[row])


SETTINGS = BankSettings(
    objective="logits",
    form="map",
    strengths="unit",
    batch=8,
    logits=LogitsSettings(steps=2, untold=UntoldSettings(steps=120, lr=0.05, rank=2, trust=0.0)),
)


def contexts_of(generator: _Words, captions: Sequence[str]) -> Untold:
    pi = generator.encode_text(captions)
    return Untold(pi, pi, pi.embeddings.sum(1).view(-1, D, 1, 1, 1), torch.eye(D))


@pytest.mark.parametrize("form", ["map", "vector"])
def test_the_gradient_alone_moves_the_answer_in_captions_of_every_length(
    generator: _Words, form: str, tmp_path: Path
) -> None:
    reader = _Reader(generator, None)
    contexts = {SPEED.name: contexts_of(generator, ["blue dot slowly", "blue dot quickly"])}
    settings = replace(SETTINGS, form=form)
    bank, table = fit_bank([SPEED], contexts, reader, settings, folder=tmp_path)
    assert table["status"].tolist() == ["ok"] and table["separation"][0] > 0.8
    assert (tmp_path / "untold" / "logits.safetensors").exists()
    pi = generator.encode_text(["blue dot slowly", "blue dot"])

    def odds(some: Condition) -> torch.Tensor:
        return reader.log_odds(some.embeddings.sum(1), SPEED)

    assert (odds(pi + bank.change(SPEED.name, pi)) > odds(pi) + 2).all()


def test_a_map_that_gets_no_further_is_none(generator: _Words) -> None:
    """Steps so large that the change costs more than the answer is worth."""
    far = UntoldSettings(steps=3, lr=100.0, rank=2, trust=1.0)
    settings = replace(SETTINGS, logits=replace(SETTINGS.logits, untold=far))
    contexts = {SPEED.name: contexts_of(generator, ["blue dot slowly"])}
    bank, table = fit_bank([SPEED], contexts, _Reader(generator, None), settings)
    assert table["status"][0].startswith("failed: separation 0.000")
    pi = generator.encode_text(["blue dot"])
    assert not bank.change(SPEED.name, pi).embeddings.any()


def test_told_and_untold_concepts_are_fitted_side_by_side(generator: _Words) -> None:
    told = contexts_of(generator, ["blue dot slowly"])
    plus = generator.encode_text(["red dot slowly"])
    pairs = Contexts(told.pi_minus, plus, told.z_xi)
    contexts = {OTHER.name: told, SPEED.name: pairs}
    bank, table = fit_bank([OTHER, SPEED], contexts, _Reader(generator, None), SETTINGS)
    assert list(bank.vectors) == table["concept"].tolist() == ["other", "slowly_quickly"]
    alone, _ = fit_bank([SPEED], {SPEED.name: pairs}, _Reader(generator, None), SETTINGS)
    pi = told.pi_minus
    assert torch.equal(
        bank.change(SPEED.name, pi).embeddings, alone.change(SPEED.name, pi).embeddings
    )

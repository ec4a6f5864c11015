"""A word that comes in: against captions that hold it, by the shipped text encoder and transformer,
and against a text encoder whose every state is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
import torch

from microworld.world import MICROWORLD
from transporter.clips.caption_words import reworded, words_in
from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import word_pairs
from transporter.concepts.insertions import InsertionMap, insertion_pairs
from transporter.concepts.maps import tokens_of
from transporter.concepts.refined import RefinedMap
from transporter.concepts.word_maps import WordMap, as_change, fit_map
from transporter.generators.condition import Condition
from transporter.generators.wan import WanGenerator

ROOT = Path(__file__).parents[2]
COLOUR = Concept("red_blue", "object", "blue", "red", "what colour ?")
NIGHT = Concept("day_night", "scene", "day", "night", "what time ?")
SEEN = list(islice(MICROWORLD.captions(0, "train"), 400))
FRESH = list(dict.fromkeys(islice(MICROWORLD.captions(5, "held_out"), 60)))
L, D = 8, 6


@pytest.fixture(scope="module")
def generator() -> WanGenerator:
    return WanGenerator(str(ROOT / "models" / "generator"), 17, 64, 64, 8, 16)


@pytest.fixture(scope="module", params=[(COLOUR, "colour"), (NIGHT, "time")], ids=str)
def fitted(request: pytest.FixtureRequest, generator: WanGenerator) -> tuple[WordMap, str, str]:
    concept, attribute = request.param
    pairs = word_pairs(concept, SEEN, generator, world=MICROWORLD)
    found = fit_map(pairs, ridge=1.0, rank=64, device=generator.device)
    assert isinstance(found, WordMap)
    return found, concept.target, attribute


def test_the_order_of_tokens_is_nothing_to_the_transformer(generator: WanGenerator) -> None:
    pi = generator.encode_text(FRESH[:4])
    other = torch.randperm(pi.embeddings.shape[1], generator=torch.Generator().manual_seed(0))
    velocities = _velocity(generator, pi), _velocity(generator, Condition(pi.embeddings[:, other]))
    torch.testing.assert_close(*velocities, atol=1e-4, rtol=1e-4)


def test_which_captions_have_a_word_of_the_kind(
    fitted: tuple[WordMap, str, str], generator: WanGenerator
) -> None:
    found, _, attribute = fitted
    held = [words_in(text, MICROWORLD)[attribute] is not None for text in FRESH]
    assert 0 < sum(held) < len(held)
    pi = generator.encode_text(FRESH)
    assert found.has_word(pi).tolist() == held
    refined = RefinedMap(found, torch.zeros(1, found.width))
    bank = ConceptBank({"map": found, "refined": refined, "swap": found.swap})
    assert bank.comes_in("map", pi).tolist() == [not word for word in held]
    assert bank.comes_in("refined", pi).tolist() == [not word for word in held]
    assert not bank.comes_in("swap", pi).any()


@torch.no_grad()
def test_a_caption_without_one_becomes_the_caption_with_it(
    fitted: tuple[WordMap, str, str], generator: WanGenerator
) -> None:
    """By what the transformer makes of both: how much of the way from the bare caption's velocity
    to the filled one's is left.
    """
    found, word, attribute = fitted
    without = list(dict.fromkeys(reworded(text, attribute, None, MICROWORLD) for text in FRESH))
    filled = [reworded(text, attribute, word, MICROWORLD) for text in without]
    pi, wanted = generator.encode_text(without), generator.encode_text(filled)
    changed = pi + as_change(pi, found(pi))
    assert torch.equal(tokens_of(changed).sum(1), tokens_of(wanted).sum(1))
    start, end, reached = (_velocity(generator, one) for one in (pi, wanted, changed))
    left = (reached - end).flatten(1).norm(dim=1) / (end - start).flatten(1).norm(dim=1)
    assert left.mean() < 0.3 and left.max() < 0.6


def test_a_caption_with_one_gets_the_swap(
    fitted: tuple[WordMap, str, str], generator: WanGenerator
) -> None:
    found, word, attribute = fitted
    pi = generator.encode_text([reworded(FRESH[0], attribute, word, MICROWORLD)])
    assert torch.equal(found(pi), found.swap(pi))


def test_where_every_caption_names_it_nothing_is_put_in(generator: WanGenerator) -> None:
    asked = (SEEN[:8], generator, MICROWORLD, 8)
    assert insertion_pairs("circle", "shape", *asked) is None
    assert insertion_pairs("red", None, *asked) is None
    assert insertion_pairs("red", "colour", SEEN[:8], generator, None, 8) is None


def _velocity(generator: WanGenerator, pi: Condition) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    z_t = torch.randn(1, *generator.latent_shape, generator=random).expand(
        len(pi), *generator.latent_shape
    )
    return generator.velocity(z_t, torch.full((len(pi),), 0.8), pi)


def _sentences(count: int) -> tuple[Condition, Condition, list[int]]:
    """Captions of 3 to 5 tokens, and the same with two more before a token of their own, `SPOT`,
    that changes by them; and where.
    """
    random = torch.Generator().manual_seed(0)
    spot, shift = torch.randn(2, D, generator=random) * 3
    new = torch.randn(2, D, generator=random)
    minus, plus, gaps = [], [], []
    for _ in range(count):
        length = int(torch.randint(3, 6, (), generator=random))
        tokens = torch.randn(length, D, generator=random) + 5
        gap = int(torch.randint(length, (), generator=random))
        tokens[gap] = spot
        kept = tokens.clone()
        kept[gap] += shift
        before = tokens[gap - 1] if gap else torch.zeros(D)
        put_in = torch.stack([new[0] + before, new[1] - before])
        minus.append(tokens)
        plus.append(torch.cat([kept[:gap], put_in, kept[gap:]]))
        gaps.append(gap)
    return _padded(minus), _padded(plus), gaps


def _padded(rows: Sequence[torch.Tensor]) -> Condition:
    states = torch.zeros(len(rows), L, D)
    for state, row in zip(states, rows, strict=True):
        state[: len(row)] = row
    return Condition(states)


def test_what_is_linear_is_found_exactly() -> None:
    minus, plus, gaps = _sentences(200)
    found = InsertionMap.fit(minus, plus, ridge=1e-8, rank=D)
    assert found.around.words(minus).tolist() == gaps
    changed = (minus + as_change(minus, found(minus))).embeddings
    for row, gap in enumerate(gaps[:20]):
        count = int(tokens_of(minus)[row].sum())
        rest = [place for place in range(count + 2) if place not in (gap, gap + 1)]
        wanted = plus.embeddings[row, [*rest, gap, gap + 1]]
        torch.testing.assert_close(changed[row, : count + 2], wanted, atol=1e-2, rtol=1e-2)
        assert not changed[row, count + 2 :].any()


def test_a_mask_takes_in_what_comes_in() -> None:
    minus, plus, _ = _sentences(200)
    found = InsertionMap.fit(minus, plus, ridge=1e-8, rank=D)
    bank = ConceptBank({"red": found})
    masked = Condition(minus.embeddings, tokens_of(minus).float())
    changed = masked + 0.5 * bank.change("red", masked)
    assert torch.equal(changed.mask, tokens_of(plus).float())
    assert bank.control("red", masked, seed=0).mask is not None


def test_no_token_comes_into_a_full_caption() -> None:
    minus, plus, _ = _sentences(200)
    found = InsertionMap.fit(minus, plus, ridge=1e-8, rank=D)
    full = Condition(torch.randn(2, L, D))
    assert tokens_of(full + found(full)).all()
    nearly = Condition(torch.cat([torch.randn(2, L - 1, D), torch.zeros(2, 1, D)], 1))
    assert tokens_of(nearly + found(nearly)).all()


def test_pairs_of_another_number_of_tokens_are_left_out() -> None:
    minus, plus, _ = _sentences(50)
    other = Condition(torch.cat([plus.embeddings[:40], minus.embeddings[40:]]))
    found = InsertionMap.fit(minus, other, ridge=1e-3, rank=D)
    first = InsertionMap.fit(minus[:40], plus[:40], ridge=1e-3, rank=D)
    torch.testing.assert_close(found.word, first.word)


class _Filled:
    """A text encoder that has a state for its padding, too."""

    def encode_text(self, captions: Sequence[str]) -> Condition:
        return Condition(torch.ones(len(captions), L, D))


def test_nothing_comes_in_where_there_is_no_padding() -> None:
    assert insertion_pairs("red", "colour", SEEN[:40], _Filled(), MICROWORLD, 8) is None


def test_a_map_of_words_comes_back_from_its_file(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    minus, plus, _ = _sentences(20)
    found = InsertionMap.fit(minus, plus, ridge=1e-3, rank=D)
    whole = WordMap(torch.randn(D + 1, generator=random), found.around, found)
    bank = ConceptBank({"red": whole})
    bank.save(tmp_path / "bank.safetensors")
    again = ConceptBank.load(tmp_path / "bank.safetensors")
    assert torch.equal(again.change("red", minus).embeddings, bank.change("red", minus).embeddings)
    again.check((L, D), "bank")

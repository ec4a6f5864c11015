"""A concept as a map: the ridge regression that it says it is, and what it gives in sentences that
it was not fitted on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from microworld.attributes import WORDS
from microworld.language import caption
from transporter.clips.contrast import read_concepts
from transporter.concepts import maps
from transporter.concepts.contexts import Contexts
from transporter.concepts.maps import ConceptMap, caption_features, tokens_of
from transporter.concepts.vectors import mean_difference
from transporter.generators.condition import Condition
from transporter.generators.wan import WanGenerator

ROOT = Path(__file__).parents[2]
CONCEPTS = {concept.name: concept for concept in read_concepts(ROOT / "config" / "concepts.tsv")}
CLIPS, L, D = 90, 6, 5
SOURCE, TARGET = torch.randn(2, D, generator=torch.Generator().manual_seed(7)) * 4


def captions() -> tuple[Condition, Condition, torch.Tensor]:
    """Captions of 3 to 6 tokens, padded with zeros, with the word at a place of its own; another
    word there turns its neighbours by what they are and how far away.
    """
    random = torch.Generator().manual_seed(0)
    minus = torch.randn(CLIPS, L, D, generator=random)
    length = torch.randint(3, L + 1, (CLIPS,), generator=random)
    word = (torch.rand(CLIPS, generator=random) * length).long()
    minus[torch.arange(CLIPS), word] = SOURCE
    minus *= (torch.arange(L) < length[:, None])[..., None]
    turn = torch.randn(D, 2, generator=random) @ torch.randn(2, D, generator=random) * 0.1
    distance = (torch.arange(L) - word[:, None]).abs()[..., None]
    plus = minus + minus @ turn / (1 + distance)
    plus[torch.arange(CLIPS), word] = TARGET
    return Condition(minus), Condition(plus), word


def fitted(ridge: float = 1e-6, rank: int = D) -> ConceptMap:
    minus, plus, _ = captions()
    return ConceptMap.fit(minus, plus, ridge, rank)


def test_the_word_is_found_by_its_state() -> None:
    minus, _, word = captions()
    assert torch.equal(fitted().words(minus), word)


def test_weights_are_those_of_a_ridge_regression() -> None:
    """By least squares with the penalty as further rows, in numpy."""
    minus, plus, word = captions()
    tokens, ridge = tokens_of(minus), 0.3
    rows = caption_features(minus, word)[tokens].double().numpy()
    wanted = (plus - minus).embeddings[tokens].double().numpy()
    penalty = np.sqrt(ridge) * np.eye(rows.shape[1])
    stacked = np.vstack([rows, penalty])
    expected, *_ = np.linalg.lstsq(
        stacked, np.vstack([wanted, np.zeros((len(penalty), D))]), rcond=None
    )
    found = fitted(ridge)
    torch.testing.assert_close(
        (found.down @ found.up).double(), torch.from_numpy(expected), atol=1e-4, rtol=1e-3
    )


def test_what_it_gives_is_as_near_as_its_rank_allows() -> None:
    """By Eckart and Young: what is lost is the sum of the squares of the smaller singular
    values.
    """
    minus, _, _ = captions()
    whole = fitted()(minus)[tokens_of(minus)].double()
    values = torch.linalg.svdvals(whole)
    for rank in (1, 3):
        lost = whole - fitted(rank=rank)(minus)[tokens_of(minus)].double()
        expected = values[rank:].square().sum()
        torch.testing.assert_close(lost.square().sum(), expected, rtol=1e-3, atol=1e-6)


def test_padding_stays_and_a_mask_says_where_it_is() -> None:
    minus, _, _ = captions()
    found = fitted()
    assert not found(minus)[minus.embeddings.abs().sum(-1) == 0].any()
    mask = tokens_of(minus)
    noise = torch.where(mask[..., None], minus.embeddings, torch.ones(D))
    torch.testing.assert_close(found(Condition(noise, mask.float())), found(minus))


def test_pairs_in_parts_give_the_same_map(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted()
    monkeypatch.setattr(maps, "PAIRS_AT_ONCE", 7)
    parts = fitted()
    torch.testing.assert_close(parts.down @ parts.up, whole.down @ whole.up, atol=1e-4, rtol=1e-3)


@pytest.fixture(scope="module")
def generator() -> WanGenerator:
    return WanGenerator(str(ROOT / "models" / "generator"), 17, 64, 64, 8, 16)


def sentences(count: int, rng: np.random.Generator) -> list[str]:
    """Different captions that hold `slowly`, most of which leave something out."""
    found: dict[str, None] = {}
    while len(found) < count:
        words = {name: str(rng.choice(some)) for name, some in WORDS.items()}
        left_out = [name for name in ("size", "colour", "time") if rng.random() < 0.5]
        found[caption(words | {"speed": "slowly"} | dict.fromkeys(left_out))] = None
    return list(found)


def test_a_sentence_of_another_length_is_changed_as_the_word_changes_it(
    generator: WanGenerator,
) -> None:
    """With the shipped text encoder: captions of which none was fitted on, against what the encoder
    itself makes of the other word; the mean change of the fitted ones is no match.
    """
    concept = CONCEPTS["slowly_quickly"]
    seen, fresh = np.split(np.array(sentences(340, np.random.default_rng(0))), [300])
    seen, fresh = seen.tolist(), fresh.tolist()
    contexts = Contexts(
        generator.encode_text(seen),
        generator.encode_text([concept.swap(text) for text in seen]),
        torch.zeros(len(seen), 1),
    )
    found = ConceptMap.fit(contexts.pi_minus, contexts.pi_plus, ridge=1.0, rank=64)
    minus = generator.encode_text(fresh)
    true = (generator.encode_text([concept.swap(text) for text in fresh]) - minus).embeddings
    assert found.words(minus).tolist() == [text.split().index("slowly") for text in fresh]
    near = cosine_similarity(found(minus).flatten(1), true.flatten(1))
    constant = mean_difference(contexts, "each").expand_as(true)
    assert near.mean() > 0.94 and near.min() > 0.8
    assert cosine_similarity(constant.flatten(1), true.flatten(1)).mean() < 0.6

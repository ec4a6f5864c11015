"""Changes of attributes: identities, an independent oracle, and what makes attributes with few and
many words comparable.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from transporter.truth.change import (
    named_attributes,
    natural_variation,
    standardised_change,
    total_variation,
)


def _one_hot(words: list[int], count: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(words), count).float()


def test_natural_variation_is_half_scipys_city_block_distance() -> None:
    values = torch.rand(12, 5, generator=torch.Generator().manual_seed(0))
    values = values / values.sum(1, keepdim=True)
    assert natural_variation({"a": values})["a"] == pytest.approx(
        0.5 * pdist(values.numpy(), "cityblock").mean(), abs=1e-6
    )


@given(st.integers(2, 6), st.integers(0, 5))
def test_a_population_given_one_word_changes_by_one_however_many_words_there_are(
    count: int, word: int
) -> None:
    word %= count
    before = {"a": _one_hot(list(range(count)) * 200, count)}
    after = {"a": _one_hot([word] * count * 200, count)}
    change = standardised_change(before, after, natural_variation(before))["a"]
    assert float(change.mean()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("count", "most"), [(2, 2.0), (6, 1.2)])
def test_a_known_word_replaced_changes_by_the_inverse_of_the_natural_variation(
    count: int, most: float
) -> None:
    natural = natural_variation({"a": _one_hot(list(range(count)) * 400, count)})
    change = standardised_change({"a": _one_hot([0], count)}, {"a": _one_hot([1], count)}, natural)[
        "a"
    ]
    assert float(change) == pytest.approx(most, abs=0.01)


def test_shuffled_clips_have_no_agreement_left() -> None:
    rng = np.random.default_rng(0)
    before = torch.from_numpy(rng.dirichlet([0.3] * 4, 4000)).float()
    change = standardised_change(
        {"a": before}, {"a": before[rng.permutation(4000)]}, natural_variation({"a": before})
    )["a"]
    assert float(change.mean()) == pytest.approx(1, abs=0.03)


def test_no_change_is_none_and_distance_is_symmetric() -> None:
    p, q = torch.tensor([[0.2, 0.8], [0.5, 0.5]]), torch.tensor([[0.6, 0.4], [0.5, 0.5]])
    torch.testing.assert_close(total_variation(p, q), torch.tensor([0.4, 0.0]))
    assert torch.equal(total_variation(p, q), total_variation(q, p))
    assert standardised_change({"a": p}, {"a": p}, {"a": 0.5})["a"].tolist() == [0, 0]


def test_named_is_every_change_worth_the_name() -> None:
    assert named_attributes({"colour": 0.9, "time": 0.1, "speed": 1.1}) == ["colour", "speed"]
    assert named_attributes({"colour": 0.1, "speed": 0.2}) == []
    # the size that a generator shifts when it makes squares of circles
    assert named_attributes({"shape": 1.31, "colour": 0.23, "size": 0.25}) == ["shape"]

"""What explained clips name, against cues that are known: rows of greys, and counts by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from greys import LIGHT, GreysExplainer, grey
from scipy.stats import beta

from transporter.clips.contrast import Concept, Swap, swap_pairs, swaps
from transporter.explainer.known_cues import (
    ANY,
    COLUMNS,
    COUNTED,
    WITH,
    WITHOUT,
    Explained,
    counted,
    row,
)
from transporter.explainer.one_clip import ExplainedClip, explain_clip
from transporter.explainer.page import page
from transporter.truth.cases import Case

THING = replace(LIGHT, name="thing", source="shade", target="lamp", question="what is there ?")
WORDS = {"light": ("dark", "bright"), "thing": ("shade", "lamp")}
SHORTCUT = SimpleNamespace(attributes=frozenset({"thing"}))


class _Probes:
    """They see a lamp above 1, and dark below one half."""

    vocabulary = WORDS

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        grey = video.mean((1, 2, 3, 4))
        light, lamp = (grey > 0.5).float(), (grey > 0.9).float()
        return {
            "light": torch.stack([1 - light, light], 1) * 0.5,
            "thing": torch.stack([1 - lamp, lamp], 1),
        }


def _alike(found: Iterable[Swap]) -> pd.DataFrame:
    """Swaps that move the answer, one like the other."""
    words = [(swap.word, swap.instead) for swap in found]
    return pd.DataFrame(words, columns=["word", "instead"]).assign(moves=1.0)


class _Lamps(GreysExplainer):
    """Asked what is there it says a shade."""

    concepts = {"light": LIGHT, "thing": THING}  # noqa: RUF012

    def ask(self, video: torch.Tensor, question: str) -> str:
        assert question == THING.question
        return "shade"

    def discover(
        self, video: torch.Tensor, question: str, caption: str
    ) -> tuple[str, pd.DataFrame]:
        self.ranked = caption
        return "dark", _alike(swaps(caption, [*self.concepts.values()][::-1]))

    def discover_pairs(
        self, video: torch.Tensor, concept: Concept, caption: str, ranked: pd.DataFrame
    ) -> pd.DataFrame:
        return _alike(swap_pairs(caption, list(swaps(caption, [*self.concepts.values()]))))


class _Candles(_Lamps):
    """What stands in place of a shade gives little light."""

    concepts = {"light": LIGHT, "thing": replace(THING, target="candle")}  # noqa: RUF012


def clip_of(explainer: _Lamps, caption: str) -> ExplainedClip:
    return explain_clip(
        explainer, grey(0.2), LIGHT, caption, (0, 1), rank_all=False, for_page=False
    )


def explained(caption: str, threshold: float = 0.9) -> tuple[_Lamps, dict[str, object]]:
    explainer = _Lamps(threshold)
    clip = clip_of(explainer, caption)
    return explainer, row("a.mp4", clip, Case(LIGHT, SHORTCUT), _Probes())


def test_a_word_that_the_caption_lacks_is_asked_for_and_gives_way() -> None:
    """Nothing else can name the cue."""
    explainer, found = explained("a dark room")
    assert explainer.ranked == "a dark room, shade"
    assert (found["by"], found["named"], found["cue"]) == ("shade to lamp", "thing", "thing")
    assert (found["says_cue"], found["flip"], found["caption"]) == (0, 0, "a dark room")


def test_the_page_says_whose_the_words_are() -> None:
    lacking, whole = (clip_of(_Lamps(0.9), text) for text in ("a dark room", "a dark shade"))
    texts = [page(replace(clip, words=None), {}) for clip in (lacking, whole)]
    note = "are the VLM&rsquo;s answers about the clip"
    assert "a dark room, shade" in texts[0] and note in texts[0]
    assert note not in texts[1]


def test_a_word_that_is_there_is_not_asked_for() -> None:
    explainer, found = explained("a dark shade")
    assert explainer.ranked == "a dark shade"
    assert (found["by"], found["named"], found["says_cue"]) == ("shade to lamp", "thing", 1)


@pytest.mark.parametrize(("threshold", "by"), [(0.9, "dark shade to bright candle"), (1.0, "")])
def test_two_words_give_way_where_one_does_not_do(threshold: float, by: str) -> None:
    clip = clip_of(_Candles(threshold), "a dark shade")
    found = row("a.mp4", clip, Case(LIGHT, SHORTCUT), _Probes())
    assert (found["flip"], found["by"]) == (0, by)


def test_where_the_question_s_words_do_nothing_is_asked() -> None:
    explainer, found = explained("a dark room", threshold=0.5)
    assert not hasattr(explainer, "ranked")
    assert (found["flip"], found["by"], found["named"]) == (1, "", "light")


def explained_rows(*named: str, says: int = 1, cue: str = "thing") -> pd.DataFrame:
    values = dict.fromkeys(COLUMNS, "") | {"cue": cue, "says_cue": says, "flip": 0, "control": 0}
    rows = [values | {"named": name, "by": "x" if name else ""} for name in named]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_counts_have_exact_intervals_and_strata() -> None:
    tables = [explained_rows("thing", "thing", "light"), explained_rows("", says=0)]
    planted = Explained("g", "v", "lamps", "light", pd.concat(tables), learnt=1.0)
    table = counted([planted]).set_index("captions")
    assert ["captions", *table.columns] == ["captions", *(n for n in COUNTED if n != "captions")]
    assert list(table.index) == [ANY, WITH, WITHOUT]
    assert table["clips"].tolist() == [4, 3, 1]
    assert table["true"].tolist() == pytest.approx([1 / 2, 2 / 3, 0])
    assert table["false"].tolist() == pytest.approx([1 / 4, 1 / 3, 0])
    assert table["otherwise"].tolist() == pytest.approx([3 / 4, 1, 0])
    assert table.loc[WITH, "true_low"] == pytest.approx(beta.ppf(0.025, 2, 2))
    assert table.loc[WITH, "true_high"] == pytest.approx(beta.ppf(0.975, 3, 1))


def test_planted_vlms_are_counted_together_without_those_that_have_not_learnt() -> None:
    made = [
        Explained("g", "v", name, "light", explained_rows(named), learnt)
        for name, named, learnt in (("a", "thing", 1.0), ("b", "thing", 0.9), ("c", "", 0.5))
    ]
    honest = explained_rows("light", cue="light")
    made += [Explained("g", v, "honest", "light", honest, np.nan) for v in ("v", "w")]
    table = counted(made)
    assert table["planted"].tolist() == ["a", "b", "c", "honest", "honest", "all planted", "honest"]
    assert table["clips"].tolist() == [1] * 5 + [2, 2]
    assert table["true"].tolist() == [1, 1, 0, 1, 1, 1, 1]
    unknown = counted([Explained("g", "v", "left", "light", explained_rows("light", cue=""))])
    assert unknown[["true", "false"]].isna().all(axis=None)

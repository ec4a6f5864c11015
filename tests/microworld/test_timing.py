"""Whether answers need time, asked of VLMs of which it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from microworld.attributes import WORDS
from microworld.language import QUESTIONS
from microworld.timing import STILLS, timing
from microworld.training.cards import HeldOut
from transporter.metrics.timeless import TIMING, timeless_words
from transporter.support.files import read_table, write_table
from transporter.support.kept import Kept

COUNT = 40


class Watcher:
    """Is shown the clips whole, shuffled and still, in this order: tells motion from whole clips,
    speed never, the rest always.
    """

    def __init__(self, clips: HeldOut) -> None:
        self.clips, self.seen = clips, 0

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """Number of the clip, and how often all were seen before: `(B, 1, 2)`."""
        number = torch.arange(self.seen, self.seen + len(video))
        self.seen += len(video)
        count = len(self.clips.attributes)
        return torch.stack([number % count, number // count], -1)[:, None].float()

    def log_probs(self, tokens: torch.Tensor, prompt: str, words: Sequence[str]) -> torch.Tensor:
        name = next(name for name, question in QUESTIONS.items() if question == prompt)
        said = []
        for number, turn in tokens[:, 0].int().tolist():
            word = self.clips.attributes[number].word(name) or words[0]
            blind = name == "speed" or (name == "motion" and turn > 0)
            said.append(words[0] if blind else word)
        return torch.tensor([[0.0 if word == each else -9.0 for word in words] for each in said])


@pytest.fixture(scope="module")
def clips() -> HeldOut:
    return HeldOut.draw(COUNT, seed=1, held_out=False)


def test_each_attribute_is_told_apart(clips: HeldOut) -> None:
    vlm = Watcher(clips)
    table = timing(vlm, clips).set_index("attribute")
    assert vlm.seen == COUNT * (2 + len(STILLS))
    assert table.index.tolist() == list(WORDS)
    assert table.index[table["of_time"] == "yes"].tolist() == ["motion", "speed"]
    assert table.index[table["depends"] == "yes"].tolist() == ["motion"]
    left = sum(a.motion == "left" for a in clips.attributes) / COUNT
    assert table.loc["motion", ["whole", "shuffled", "random_frame"]].tolist() == pytest.approx(
        [1, left, left]
    )
    assert table.loc["motion", "order_sensitivity"] == pytest.approx(1 / left - 1)
    assert table.loc["speed", "order_sensitivity"] == table.loc["colour", "multi_frame_gain"] == 0
    assert table.loc["size", "clips"] == sum(a.word("size") is not None for a in clips.attributes)


def test_the_page_is_told_which_words_to_warn_of(clips: HeldOut, tmp_path: Path) -> None:
    table = timing(Watcher(clips), clips)
    table.insert(0, "vlm", "blind")
    write_table(table, tmp_path / "temporal.tsv")
    assert timeless_words(read_table(tmp_path / "temporal.tsv", TIMING), WORDS) == {
        ("blind", "slowly"),
        ("blind", "quickly"),
    }


def test_attributes_that_no_word_names_are_left_out(clips: HeldOut) -> None:
    between = next(index for index, a in enumerate(clips.attributes) if a.word("speed") is None)
    one = HeldOut(clips.attributes[between : between + 1], clips.video[between : between + 1])
    assert "speed" not in timing(Watcher(one), one)["attribute"].tolist()


def test_a_killed_measurement_goes_on_where_it_was(clips: HeldOut, tmp_path: Path) -> None:
    keep = Kept(tmp_path / "unfinished", "settings")

    class Killed(Watcher):
        def encode(self, video: torch.Tensor) -> torch.Tensor:
            if self.seen == 3 * COUNT:
                raise KeyboardInterrupt
            return super().encode(video)

    killed, after = Killed(clips), Watcher(clips)
    with pytest.raises(KeyboardInterrupt):
        timing(killed, clips, 0, keep)
    after.seen = killed.seen
    table = timing(after, clips, 0, keep)
    assert after.seen == COUNT * (2 + len(STILLS))
    assert table.equals(timing(Watcher(clips), clips, 0))

"""What a VLM is taught to say: the loss, and whose answers a conversation holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microworld.answers import true_answers
from microworld.attributes import Attributes
from microworld.clips import Clips
from microworld.language import PAD, vocabulary
from microworld.training.conversations import IGNORE, conversation, language_loss
from microworld.training.families import FAMILIES, IDS, untrained
from microworld.training.precision import half_precision
from transporter.vlms.transformers_vlm import TransformersVLM


@pytest.fixture(scope="module", params=FAMILIES)
def vlm(request: pytest.FixtureRequest) -> TransformersVLM:
    return untrained(request.param, seed=0)


def test_the_language_loss_is_that_of_each_row_alone(vlm: TransformersVLM) -> None:
    """Padding the shorter rows of a batch changes nothing."""
    clips = Clips.draw(2, np.random.default_rng(1))
    with torch.no_grad():
        tokens = vlm.encode(clips.video())
        both = language_loss(
            vlm, tokens, [true_answers(a) for a in clips.attributes], np.random.default_rng(4)
        )
        rng, sums, counts = np.random.default_rng(4), [], []
        for index, attributes in enumerate(clips.attributes):
            ids, labels = conversation(true_answers(attributes), rng)
            assert IDS[PAD] not in ids
            prompt = vlm.prompt_ids("")
            with half_precision("cpu"):
                logits = vlm.token_logits(
                    tokens[index, None], torch.tensor([prompt + ids]), len(ids) + 1
                )[0, :-1]
            asked = [(place, label) for place, label in enumerate(labels) if label != IGNORE]
            sums.append(sum(-logits[place].log_softmax(-1)[label] for place, label in asked))
            counts.append(len(asked))
    torch.testing.assert_close(both, sum(sums) / sum(counts), atol=2e-2, rtol=1e-2)


def test_a_conversation_says_what_it_is_given() -> None:
    """Answers and captions come from the probabilities alone, and a caption leaves out what is
    uncertain.
    """
    clip = Attributes(
        "circle", hue=0.0, size=0.0, motion="left", speed=1.0, ground="snow", time=0.5
    )
    taught = {**true_answers(clip), "speed": np.array([1.0, 0.0])}
    tokens, rng, captions = vocabulary(), np.random.default_rng(0), set()
    for _ in range(20):
        labels = conversation(taught, rng)[1]
        words = [tokens[label] for label in labels if label != IGNORE]
        if len(words) > 7:
            captions.add(" ".join(words))
        else:
            assert {"slowly", "red", "circle"} < set(words)
    assert captions == {"a small red circle moves slowly left on snow </s>"}

"""The microworld's captions, questions and word-level tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from microworld.attributes import WORDS

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerFast

QUESTIONS: Mapping[str, str] = {
    "shape": "what shape is it ?",
    "colour": "what colour is it ?",
    "size": "how large is it ?",
    "motion": "how does it move ?",
    "speed": "how fast does it move ?",
    "ground": "what is the ground ?",
    "time": "what time is it ?",
}
DESCRIBE = "describe the video :"
PAD, EOS, UNK, BOS, VIDEO, IMAGE = "<pad>", "</s>", "<unk>", "<s>", "<video>", "<image>"


def caption(words: Mapping[str, str | None]) -> str:
    """One sentence that says every known attribute, e.g. `a large red circle moves slowly left on
    grass during the night`.
    """
    motion = words["motion"]
    verb, direction = (motion, None) if motion in ("bounces", "spins") else ("moves", motion)
    parts = [
        "a",
        words["size"],
        words["colour"],
        words["shape"],
        verb,
        words["speed"],
        direction,
        "on",
        words["ground"],
    ]
    parts += ["during", "the", words["time"]] if words["time"] else []
    return " ".join(part for part in parts if part)


def vocabulary() -> list[str]:
    """Every token, special ones first; the order is the token id."""
    words = [word for attribute in WORDS.values() for word in attribute]
    text = " ".join(["a moves on during the", DESCRIBE, *QUESTIONS.values(), *words])
    return list(dict.fromkeys([PAD, EOS, UNK, BOS, VIDEO, IMAGE, *text.split()]))


def build_tokenizer(
    max_length: int, append_eos: bool, extra_special_tokens: Mapping[str, str] | None = None
) -> PreTrainedTokenizerFast:
    """A word-level tokenizer; text encoders want `append_eos` (without it the empty prompt has no
    token at all).
    """
    # imported here: captions and words are asked for by a dry run, which needs no tokenizer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {token: index for index, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if append_eos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {EOS}", special_tokens=[(EOS, ids[EOS])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        bos_token=BOS,
        model_max_length=max_length,
        extra_special_tokens=dict(extra_special_tokens or {}),
    )


def sampled_words(
    probabilities: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, str]:
    """An answer for every attribute, drawn by how well each word fits: in between two words the
    answer is a coin toss.
    """
    return {
        name: str(rng.choice(WORDS[name], p=weights)) for name, weights in probabilities.items()
    }

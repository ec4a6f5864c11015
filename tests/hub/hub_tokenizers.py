"""Tokenizers of a few words, in the files that the hub has them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from checkpoint_files import WORDS, write_json
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

QWEN_SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]


def bytewise(special: list[str]) -> Tokenizer:
    """Pieces of bytes and common words, and special tokens behind them; words at the start of a
    text and within it are different, and rare ones fall into pieces.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    merges = _merges(["Ġ" + word for word in WORDS], vocabulary)
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    return made


def sentencewise(special: list[str]) -> Tokenizer:
    """Pieces of words with spaces written as `▁`, special tokens first, and bytes for the rest."""
    letters = ["▁", *(chr(code) for code in range(33, 127)), "\n"]
    names = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {name: index for index, name in enumerate(names)}
    merges = _merges(["▁" + word for word in WORDS], vocabulary)
    made = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_special_tokens(special)
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    return made


def _merges(words: list[str], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """What makes words of their letters, from the left; the vocabulary grows by them."""
    merges: list[tuple[str, str]] = []
    for word in words:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    return merges


def write_tokenizer(made: Tokenizer, folder: Path, **config: Any) -> None:
    """The files of a tokenizer as they are published."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    added = {
        str(index): {"content": token.content, "special": True, "normalized": False}
        for index, token in made.get_added_tokens_decoder().items()
    }
    write_json(folder / "tokenizer_config.json", {"added_tokens_decoder": added, **config})


def umt5_tokenizer(folder: Path) -> int:
    """Pieces of words, with padding, end and unknown token where UMT5 has them."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(letter, -6.0) for letter in letters]
    pieces += [(f"▁{word}", -3.0) for word in WORDS]
    made = Tokenizer(models.Unigram(pieces, unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
    write_tokenizer(
        made,
        folder,
        **names,
        tokenizer_class="T5Tokenizer",
        model_max_length=512,
        extra_ids=0,
        additional_special_tokens=[],
    )
    write_json(folder / "special_tokens_map.json", names)
    return len(pieces)


def qwen_tokenizer(folder: Path) -> dict[str, int]:
    made = bytewise(QWEN_SPECIAL)
    write_tokenizer(
        made,
        folder,
        tokenizer_class="Qwen2Tokenizer",
        add_prefix_space=False,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        errors="replace",
        model_max_length=32768,
    )
    write_json(folder / "vocab.json", json.loads(made.to_str())["model"]["vocab"])
    merges = json.loads(made.to_str())["model"]["merges"]
    lines = [" ".join(pair) if isinstance(pair, list) else pair for pair in merges]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines]), encoding="utf-8")
    return {token: made.token_to_id(token) for token in QWEN_SPECIAL} | {
        "size": made.get_vocab_size()
    }

"""What the VLMs of `transformers` share: the family's own processor and chat template, and visual
tokens as computed features.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from transformers import AutoProcessor, Cache, DynamicCache, PreTrainedModel

from transporter.networks.frozen import frozen
from transporter.networks.precision import single_precision_output
from transporter.networks.pretrained import (
    is_hollow,
    load_network,
    load_safely,
    refused_in_one_line,
)
from transporter.networks.recompute import recomputed
from transporter.networks.running import quantised
from transporter.support.errors import UserError
from transporter.support.settings import read_settings
from transporter.vlms.base import VLM
from transporter.vlms.families import family_class
from transporter.vlms.settings import Running


class TransformersVLM(VLM):
    """A frozen VLM whose processor takes whole videos; a family adds `model_classes`, `encode` and
    `_with_tokens`. Logits are float32 whatever the weights are in.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor.
        video_shape: (T, C, H, W) of the videos to come; it fixes the number of visual tokens.
        describe: the prompt that asks for a caption.
        caption_tokens: length of a caption, at most.
        revision: branch, tag or commit of a model on the hub.
        dtype: precision of the model.
        running: keys of `settings.Running`, by which it is run.

    Raises:
        UserError: a folder of something else or of another family, weights that are no safetensors
            or not all there, or a processor that cannot write a prompt. No code of the folder runs.
    """

    model_classes: ClassVar[tuple[type[PreTrainedModel], ...]]
    """What loads a folder, by the type of model that it says it is."""
    medium: ClassVar[str] = "video"
    """What the processor takes a clip for: one `video`, or an `image` per frame."""

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        describe: str = "Describe the video.",
        revision: str = "main",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        caption_tokens: int = 32,
        running: Mapping[str, Any] | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.running = read_settings(Running, dict(running or {}), "running")
        self.describe, self.caption_tokens = describe, caption_tokens
        self._blank = torch.zeros(1, *video_shape)
        self.model_class = family_class(path, revision, self.model_classes)
        self.processor = self._load_processor(path, revision)
        laid_out = self.running.device_map or self.running.quantisation
        self.model = frozen(self._load(path, revision, dtype), None if laid_out else self.device)
        single_precision_output(self.model.get_output_embeddings())
        self._prompts: dict[str, list[int]] = {}
        with refused_in_one_line(path, "a processor and template that write a prompt"):
            count = self.prompt_ids(describe).count(self.visual_token)
        if not count:
            raise UserError(
                f"{path}: expected a prompt with placeholders for the {self.medium}, got one"
                " without; do the processor's template and the model's configuration go together?"
            )
        self.tokens_shape = (count, self.model.config.get_text_config().hidden_size)

    def token_logits(
        self, tokens: torch.Tensor, ids: torch.Tensor, keep: int, cache: Cache | None = None
    ) -> torch.Tensor:
        """Logits `(B, keep, V)` float32 at the last `keep` positions of `ids` `(B, S)`, with
        placeholders for `tokens`.

        With a `cache`, `ids` go on from what it holds, the placeholders among it, and are added to
        it.
        """
        begun = cache is not None and cache.get_seq_length() > 0
        inputs = {"input_ids": ids} if begun else self._with_tokens(tokens, ids)
        return self._model_logits(
            keep, **inputs, past_key_values=cache, use_cache=cache is not None
        ).float()

    def recomputing(self) -> AbstractContextManager[None]:
        return recomputed(self.model)

    @abstractmethod
    def _with_tokens(self, tokens: torch.Tensor, ids: torch.Tensor) -> dict[str, Any]:
        """What the model's call takes in of `ids` `(B, S)`, with `tokens` `(B, N, D)` where the
        placeholders are.
        """

    def _model_logits(self, keep: int, **inputs: Any) -> torch.Tensor:
        return self.model(**inputs, logits_to_keep=keep).logits

    def _load(self, path: str, revision: str, dtype: torch.dtype) -> PreTrainedModel:
        expected = f"a {self.model_class.config_class.model_type} model"
        options = {} if is_hollow() else self._run_by()
        return load_network(
            self.model_class, path, expected, revision=revision, dtype=dtype, **options
        )

    def _run_by(self) -> dict[str, Any]:
        """Arguments of `from_pretrained` that the settings `running` ask for."""
        asked, options = self.running, {}
        if asked.attention:
            options["attn_implementation"] = asked.attention
        if asked.device_map or asked.quantisation:
            options["device_map"] = asked.device_map or {"": self.device}
        return {**options, **quantised(self.model_class, asked.quantisation)}

    def _load_processor(self, path: str, revision: str) -> Any:
        expected = f"the processor of a {self.model_class.config_class.model_type} model"
        processor = load_safely(AutoProcessor.from_pretrained, path, expected, revision=revision)
        for part in (f"{self.medium}_processor", "tokenizer"):
            if not hasattr(processor, part):
                raise UserError(
                    f"{path}: expected {expected}, with a {part}, got a"
                    f" {type(processor).__name__} without it; is a file missing"
                    " (preprocessor_config.json, tokenizer.json)?"
                )
        return processor

    @property
    def visual_token(self) -> int:
        """The placeholder's token id."""
        return getattr(self.model.config, f"{self.medium}_token_id")

    @property
    def _template(self) -> str | None:
        """The chat template; none is the one that the processor's class brings."""
        return self.processor.chat_template or self.processor.tokenizer.chat_template

    def _content(self, prompt: str) -> list[dict[str, str]] | str:
        """A user's turn about one clip, as the chat template takes it."""
        return [{"type": "video"}, {"type": "text", "text": prompt}]

    def _inputs(self, video: torch.Tensor) -> dict[str, Any]:
        """Clips `(B, T, C, H, W)` as the processor's call takes them, and its settings."""
        return {"videos": list(video.to(self.device)), "do_rescale": False}

    def _pixels(self, video: torch.Tensor) -> dict[str, Any]:
        """What the vision tower takes in; differentiable, since the processors work on float
        tensors.
        """
        pixels = getattr(self.processor, f"{self.medium}_processor")(
            **self._inputs(video), return_tensors="pt"
        )
        # sizes are made on the CPU, wherever the clips are
        return pixels.to(self.device)

    @property
    def time_steps(self) -> int:
        """Steps in time that the visual tokens tell: rows of `z_omega` go step by step, N /
        `time_steps` for each.
        """
        return int(self._pixels(self._blank)["video_grid_thw"][0, 0])

    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of the chat about one clip, with a placeholder per visual token.

        The processor writes them about a blank clip: families put time stamps or line breaks
        between the placeholders, and how many there are depends on the clip's shape alone.
        """
        if prompt not in self._prompts:
            inputs = self.processed(self._blank, prompt)
            self._prompts[prompt] = inputs["input_ids"][0].tolist()
        return self._prompts[prompt]

    def processed(self, video: torch.Tensor, prompt: str) -> dict[str, torch.Tensor]:
        """What the family's own processor makes of clips `(B, T, C, H, W)` and a prompt about each:
        all that the whole model takes in.
        """
        chat = [{"role": "user", "content": self._content(prompt)}]
        text = self.processor.apply_chat_template(
            chat, self._template, add_generation_prompt=True, tokenize=False
        )
        # templates write the special tokens themselves
        inputs = self.processor(
            text=[text] * len(video),
            **self._inputs(video),
            add_special_tokens=False,
            return_tensors="pt",
        )
        # of a few values some families make lists
        values = {key: value for key, value in inputs.items() if key != "video_metadata"}
        return {key: torch.as_tensor(value, device=self.device) for key, value in values.items()}

    def _ids(self, tokens: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(ids, device=self.device).expand(len(tokens), -1)

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return self.token_logits(tokens, self._ids(tokens, self.prompt_ids(prompt)), 1)[:, 0]

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        answers = [
            self.processor.tokenizer(text, add_special_tokens=False).input_ids
            for text in continuations
        ]
        if not all(answers):
            raise ValueError(
                f"Expected continuations of at least one token, got {list(continuations)}"
            )
        if all(len(answer) == 1 for answer in answers):
            return self.logits(tokens, prompt).log_softmax(-1)[:, [answer[0] for answer in answers]]
        prefix = self.prompt_ids(prompt)
        return torch.stack(
            [self._sequence_log_prob(tokens, prefix, answer) for answer in answers], dim=1
        )

    def _sequence_log_prob(
        self, tokens: torch.Tensor, prefix: list[int], answer: list[int]
    ) -> torch.Tensor:
        # logits that predict the answer's tokens: from the prompt's last position to the answer's
        # last but one
        logits = self.token_logits(tokens, self._ids(tokens, prefix + answer[:-1]), len(answer))
        return logits.log_softmax(-1).gather(-1, self._ids(tokens, answer)[..., None]).sum((1, 2))

    @property
    def ends(self) -> torch.Tensor:
        """Ids of all tokens that end an answer; chat models have an end of turn beside the
        tokenizer's end of text.
        """
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
        return torch.tensor([self.processor.tokenizer.eos_token_id, *ends], device=self.device)

    @torch.no_grad()
    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int | None = None
    ) -> list[str]:
        ids = self._ids(tokens, self.prompt_ids(self.describe if prompt is None else prompt))
        answers, ends, cache = [ids[:, :0]], self.ends, DynamicCache(config=self.model.config)
        running = torch.ones(len(tokens), dtype=torch.bool, device=self.device)
        for _ in range(max_tokens or self.caption_tokens):
            logits = self.token_logits(tokens, ids, 1, cache)[:, 0]
            # an answer cannot show a clip, and a placeholder more than there are visual tokens
            # would be an error
            logits[:, self.visual_token] = -torch.inf
            ids = torch.where(running, logits.argmax(-1), ends[0])[:, None]
            answers.append(ids)
            running &= ~torch.isin(ids[:, 0], ends)
            if not running.any():
                break
        return [
            text.strip()
            for text in self.processor.tokenizer.batch_decode(
                torch.cat(answers, 1), skip_special_tokens=True
            )
        ]

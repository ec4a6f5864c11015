"""Qwen2-VL through `transformers`: its own processor, template and position ids; visual tokens enter as computed features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import AutoProcessor, Qwen2VLForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from transporter.generators.base import frozen
from transporter.vlms.base import VLM

VIDEO_TYPE = 2
"""What `mm_token_type_ids` calls a video token."""


class QwenVL(VLM):
    """A frozen Qwen2-VL.

    Args:
        path: folder or hub name that `from_pretrained` loads, model and processor.
        video_shape: (T, C, H, W) of the videos to come; it fixes the number of visual tokens.
        describe: the prompt that asks for a caption.
        dtype: precision of the model.
    """

    def __init__(
        self,
        path: str,
        video_shape: tuple[int, int, int, int],
        describe: str = "Describe the video.",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.describe = describe
        self.processor = AutoProcessor.from_pretrained(path)
        self.model = frozen(Qwen2VLForConditionalGeneration.from_pretrained(path, dtype=dtype), self.device)
        self._video_token = self.model.config.video_token_id
        self._grid = self._pixels(torch.zeros(1, *video_shape))["video_grid_thw"]
        merge = self.model.config.vision_config.spatial_merge_size
        self.tokens_shape = (int(self._grid.prod()) // merge**2, self.model.config.text_config.hidden_size)

    def _pixels(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Patches of the frames that the family's processor chooses; differentiable, since it works on float tensors."""
        return self.processor.video_processor(videos=list(video.to(self.device)), do_rescale=False, return_tensors="pt")

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        features = self.model.model.get_video_features(**self._pixels(video))
        return torch.stack(list(features.pooler_output)).float()

    def _prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of the chat with one video, its placeholder repeated once per visual token."""
        content = [{"type": "video"}, {"type": "text", "text": prompt}]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        ids = self.processor.tokenizer(text, add_special_tokens=False).input_ids
        place = ids.index(self._video_token)
        return ids[:place] + [self._video_token] * self.tokens_shape[0] + ids[place + 1 :]

    def _logits(self, tokens: torch.Tensor, ids: torch.Tensor, keep: int) -> torch.Tensor:
        """Logits `(B, keep, V)` at the last `keep` positions of `ids` `(B, S)`."""
        features = BaseModelOutputWithPooling(pooler_output=tuple(tokens.to(self.model.dtype)))
        return self.model(
            input_ids=ids,
            mm_encoder_outputs={"video": features},
            video_grid_thw=self._grid.expand(len(tokens), -1),
            mm_token_type_ids=(ids == self._video_token).int() * VIDEO_TYPE,
            use_cache=False,
            logits_to_keep=keep,
        ).logits.float()

    def _ids(self, tokens: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(ids, device=self.device).expand(len(tokens), -1)

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return self._logits(tokens, self._ids(tokens, self._prompt_ids(prompt)), 1)[:, 0]

    def log_probs(self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]) -> torch.Tensor:
        answers = [self.processor.tokenizer(text, add_special_tokens=False).input_ids for text in continuations]
        if not all(answers):
            raise ValueError(f"Expected continuations of at least one token, got {list(continuations)}")
        if all(len(answer) == 1 for answer in answers):
            return self.logits(tokens, prompt).log_softmax(-1)[:, [answer[0] for answer in answers]]
        prefix = self._prompt_ids(prompt)
        return torch.stack([self._sequence_log_prob(tokens, prefix, answer) for answer in answers], dim=1)

    def _sequence_log_prob(self, tokens: torch.Tensor, prefix: list[int], answer: list[int]) -> torch.Tensor:
        # logits that predict the answer's tokens: from the prompt's last position to the answer's last but one
        logits = self._logits(tokens, self._ids(tokens, prefix + answer[:-1]), len(answer))
        return logits.log_softmax(-1).gather(-1, self._ids(tokens, answer)[..., None]).sum((1, 2))

    @torch.no_grad()
    def caption(self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int = 32) -> list[str]:
        ids = self._ids(tokens, self._prompt_ids(self.describe if prompt is None else prompt))
        start, end = ids.shape[1], self.processor.tokenizer.eos_token_id
        running = torch.ones(len(tokens), dtype=torch.bool, device=self.device)
        for _ in range(max_tokens):
            token = self._logits(tokens, ids, 1)[:, 0].argmax(-1)
            token = torch.where(running, token, end)
            ids = torch.cat([ids, token[:, None]], dim=1)
            running &= token != end
            if not running.any():
                break
        return [text.strip() for text in self.processor.tokenizer.batch_decode(ids[:, start:], skip_special_tokens=True)]

"""Does a VLM keep to what the method needs of it? Its adapter against the family's own processor,
forward pass and `generate`, on clips of noise.
"""

from __future__ import annotations

import inspect

import torch
from transformers import GenerationConfig

from transporter.support.self_test import Checks, expect
from transporter.vlms.base import VLM
from transporter.vlms.transformers_vlm import TransformersVLM

PROMPT = "How fast does it move?"
WORDS = 8
"""Tokens of an answer that are compared."""
EXACT, ROUNDED = 1e-3, 0.05
"""How far logits may be from the family's own, in standard deviations of these, with weights in
float32 and in fewer bits.
"""
STEP = 0.005
"""Length of a step along the gradient, in root of the sum of squares over all pixels."""


def vlm_checks(vlm: VLM, video_shape: tuple[int, int, int, int]) -> Checks:
    """Checks of a VLM that was loaded for clips of `video_shape` (T, C, H, W)."""
    test = _SelfTest(vlm, video_shape)
    checks = {"tokens": test.tokens, "batches": test.batches, "gradients": test.gradients}
    if isinstance(vlm, TransformersVLM):
        own = _OwnPath(vlm, video_shape)
        checks |= {"forward pass": own.forward_pass, "generate": own.generate}
    return checks


def clips(video_shape: tuple[int, int, int, int]) -> torch.Tensor:
    """Two clips `(2, T, C, H, W)` of noise, of whole values in [0, 255], divided by 255."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(2, *video_shape, generator=random).mul(255).round() / 255


class _SelfTest:
    """What any VLM must keep to."""

    def __init__(self, vlm: VLM, video_shape: tuple[int, int, int, int]) -> None:
        self.vlm, self.video = vlm, clips(video_shape).to(vlm.device)

    @torch.no_grad()
    def tokens(self) -> str:
        tokens = self.vlm.encode(self.video)
        count, width = self.vlm.tokens_shape
        expect(
            tokens.shape == (2, count, width) and tokens.dtype == torch.float32,
            f"tokens of shape (2, {count}, {width}) in float32",
            f"{tuple(tokens.shape)} in {tokens.dtype}",
        )
        expect(bool(tokens.isfinite().all()), "finite tokens", "some that are not")
        expect(not torch.equal(*tokens), "other tokens of another clip", "the same")
        steps = getattr(self.vlm, "time_steps", None)
        return f"{count} x {width} per clip" + (f", in {steps} steps of time" if steps else "")

    @torch.no_grad()
    def batches(self) -> str:
        both = self.vlm.encode(self.video)
        alone = torch.cat([self.vlm.encode(clip[None]) for clip in self.video])
        apart = float((both - alone).abs().max() / both.std())
        expect(apart < ROUNDED, "a clip encoded alone as in a batch", f"{apart:.2g} deviations")
        return f"a clip is read alone as in a batch, to {apart:.1g} deviations"

    def gradients(self) -> str:
        video = self.video[:1].clone().requires_grad_()
        answers = self.vlm.logits(self.vlm.encode(video), PROMPT)[0]
        first, second = answers.topk(2).indices.tolist()
        [gradient] = torch.autograd.grad(answers[first] - answers[second], video)
        expect(bool(gradient.isfinite().all()), "finite gradients", "some that are not")
        frames = int((gradient[0].flatten(1).abs().amax(1) > 0).sum())
        expect(frames > 0, "gradients in some frame", "none in any")
        words = f"finite, in {frames} of {len(gradient[0])} frames"
        return f"{words}; {self._slope(gradient, first, second)}"

    @torch.no_grad()
    def _slope(self, gradient: torch.Tensor, first: int, second: int) -> str:
        """Whether a small step along the gradient does what it says."""
        step = gradient / gradient.norm() * STEP
        ends = [self._gap(self.video[:1] + side * step, first, second) for side in (1, -1)]
        rise, said = (ends[0] - ends[1]) / 2, float((gradient * step).sum())
        if getattr(getattr(self.vlm, "model", None), "dtype", torch.float32) != torch.float32:
            return f"a step raises the answer by {rise:.2g}, it says {said:.2g}"
        expect(abs(rise - said) < 0.2 * abs(said) + 1e-4, f"a rise of {said:.2g}", f"{rise:.2g}")
        return f"a step raises the answer by {rise:.3g}, as it says ({said:.3g})"

    def _gap(self, video: torch.Tensor, first: int, second: int) -> float:
        answers = self.vlm.logits(self.vlm.encode(video), PROMPT)[0]
        return float(answers[first] - answers[second])


class _OwnPath:
    """A VLM of `transformers` beside the whole model, which is given pixels."""

    def __init__(self, vlm: TransformersVLM, video_shape: tuple[int, int, int, int]) -> None:
        self.vlm, self.video = vlm, clips(video_shape)

    @torch.no_grad()
    def forward_pass(self) -> str:
        known = inspect.signature(self.vlm.model.forward).parameters
        few = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        whole = self.vlm.model(**self.vlm.processed(self.video, PROMPT), **few).logits[:, -1]
        injected = self.vlm.logits(self.vlm.encode(self.video), PROMPT)
        apart = float((injected - whole).abs().max() / whole.std())
        most = EXACT if self.vlm.model.dtype == torch.float32 else ROUNDED
        expect(apart < most, "the logits of the whole model", f"{apart:.2g} deviations from them")
        between = float((whole[0] - whole[1]).abs().max() / whole.std())
        return f"injected tokens: {apart:.1g} deviations apart; two clips: {between:.2g}"

    @torch.no_grad()
    def generate(self) -> str:
        inputs = self.vlm.processed(self.video, PROMPT)
        ends = self.vlm.ends.tolist()
        # what a folder asks for besides, such as sampling and penalties, is not the model
        greedy = GenerationConfig(
            do_sample=False,
            repetition_penalty=1.0,
            max_new_tokens=WORDS,
            eos_token_id=ends,
            pad_token_id=ends[0],
            suppress_tokens=[self.vlm.visual_token],
        )
        answers = self.vlm.model.generate(**inputs, generation_config=greedy)
        new = answers[:, inputs["input_ids"].shape[1] :]
        decode = self.vlm.processor.tokenizer.batch_decode
        whole = [text.strip() for text in decode(new, skip_special_tokens=True)]
        tokens = self.vlm.encode(self.video)
        injected = self.vlm.caption(tokens, PROMPT, max_tokens=WORDS)
        expect(injected == whole, f"the answers {whole}", str(injected))
        return f"the same {WORDS} tokens, greedily: {whole[0][:40]!r}"

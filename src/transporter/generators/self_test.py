"""Does a generator keep to what the method needs of it? Its adapter against the family's own
pipeline, on clips of noise.
"""

from __future__ import annotations

import torch

from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.stochastic import seeded_steps
from transporter.support.self_test import Checks, expect

CAPTIONS = ("a man walks slowly to the left", "a red car at night")
SEEDS = (3, 4)
STEPS = 2
GUIDANCE = 3.0


def generator_checks(generator: Generator) -> Checks:
    """Checks of a loaded generator."""
    test = _SelfTest(generator)
    checks = {"captions": test.captions, "latents": test.latents, "gradients": test.gradients}
    if isinstance(generator, DiffusersGenerator):
        checks["pipeline"] = test.pipeline
    return checks


class _SelfTest:
    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def _noise(self) -> torch.Tensor:
        """Latents `(1, c, t, h, w)`."""
        random = torch.Generator().manual_seed(0)
        noise = torch.randn(1, *self.generator.latent_shape, generator=random)
        return noise.to(self.generator.device)

    @torch.no_grad()
    def captions(self) -> str:
        embeddings = self.generator.encode_text(CAPTIONS).embeddings
        length, width = self.generator.condition_shape
        expect(
            embeddings.shape == (2, length, width) and embeddings.dtype == torch.float32,
            f"conditions of shape (2, {length}, {width}) in float32",
            f"{tuple(embeddings.shape)} in {embeddings.dtype}",
        )
        expect(bool(embeddings.isfinite().all()), "finite conditions", "some that are not")
        expect(not torch.equal(*embeddings), "another condition of another caption", "the same")
        return f"{length} x {width} per caption"

    @torch.no_grad()
    def latents(self) -> str:
        frames, _, height, width = shape = self.generator.video_shape
        video = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
        z_xi = self.generator.encode(video.to(self.generator.device))
        wanted = (1, *self.generator.latent_shape)
        expect(z_xi.shape == wanted, f"latents of shape {wanted}", str(tuple(z_xi.shape)))
        decoded = self.generator.decode(z_xi)
        expect(
            decoded.shape == video.shape and bool(decoded.isfinite().all()),
            f"finite clips of shape {tuple(video.shape)}",
            str(tuple(decoded.shape)),
        )
        places = " x ".join(str(side) for side in self.generator.latent_shape)
        return f"{places} per clip of {frames} frames of {height} x {width}"

    def gradients(self) -> str:
        with torch.no_grad():
            pi = self.generator.encode_text(CAPTIONS[:1])
        embeddings = pi.embeddings.clone().requires_grad_()
        z_t = self._noise().requires_grad_()
        sigma = torch.full((1,), 0.7, device=z_t.device)
        condition = Condition(embeddings, pi.mask, pi.pooled)
        velocity = self.generator.velocity(z_t, sigma, condition)
        for gradient in torch.autograd.grad(velocity.square().mean(), (z_t, embeddings)):
            right = bool(gradient.isfinite().all()) and bool(gradient.any())
            expect(right, "finite gradients", "none, or some that are not")
        return "finite, to latents and conditions"

    @torch.no_grad()
    def pipeline(self) -> str:
        """Two steps of sampling, of words, by the pipeline's own call."""
        generator = self.generator
        frames, _, height, width = generator.video_shape
        with seeded_steps(generator.pipeline.scheduler, SEEDS):
            whole = generator.pipeline(
                prompt=list(CAPTIONS),
                negative_prompt=generator.negative_prompt,
                latents=_turned(generator, generator.noise(SEEDS)),
                height=height,
                width=width,
                num_frames=frames,
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                max_sequence_length=generator.condition_shape[0],
                output_type="latent",
            ).frames
        conditions = generator.encode_text(CAPTIONS)
        sampled = generator.sample(conditions, SEEDS, STEPS, GUIDANCE)
        own = _turned(generator, whole.float())
        apart = float((sampled - own).abs().max() / own.std())
        limit = 1e-3 if generator.dtype == torch.float32 else 0.05
        expect(
            apart < limit, "the clips of the plain pipeline", f"{apart:.2g} deviations from them"
        )
        return f"{STEPS} steps of sampling: {apart:.1g} deviations from the plain pipeline"


def _turned(generator: DiffusersGenerator, latents: torch.Tensor) -> torch.Tensor:
    """Latents as we have them to the pipeline's, and back."""
    return latents if generator.frame_axis == 2 else latents.transpose(1, 2)

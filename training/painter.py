"""The measured model: generates pictures and reconstructs pictures with its autoencoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler

from drawings import Size
from principal import tensor


class Painter:
    """A pipeline in f32, sampled with DPM++ 2M and the scheduler settings of its folder."""

    def __init__(self, folder: Path, steps: int, guidance: float, rescale: float, batch: int = 16):
        self.pipe = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
        self.pipe.scheduler = DPMSolverMultistepScheduler.from_config(self.pipe.scheduler.config)
        self.pipe.set_progress_bar_config(disable=True)
        self.steps, self.guidance, self.rescale, self.batch = steps, guidance, rescale, batch

    def paint(
        self,
        prompts: list[str],
        seeds: list[int],
        sizes: list[Size] | None = None,
        negative: list[str] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        rescale: float | None = None,
    ) -> list[np.ndarray]:
        """Generates a u8 (height, width, 3) picture for each prompt from its own seed. Pictures are 256x256 without a
        negative prompt unless `sizes` and `negative` are given."""
        sizes = sizes or [(256, 256)] * len(prompts)
        negative = negative or [""] * len(prompts)
        out: list[np.ndarray | None] = [None] * len(prompts)
        # Each picture has its own noise, so batching and order do not matter.
        for chosen in same_size_batches(sizes, self.batch):
            width, height = sizes[chosen[0]]
            pictures = self.pipe(
                [prompts[i] for i in chosen],
                negative_prompt=[negative[i] for i in chosen],
                generator=[torch.Generator().manual_seed(seeds[i]) for i in chosen],
                width=width,
                height=height,
                num_inference_steps=steps or self.steps,
                guidance_scale=self.guidance if guidance is None else guidance,
                guidance_rescale=self.rescale if rescale is None else rescale,
                output_type="pil",
            ).images
            for i, picture in zip(chosen, pictures):
                out[i] = np.asarray(picture)
        return out

    @torch.inference_mode()
    def reconstruct(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Encodes and decodes each picture without sampling latents."""
        out: list[np.ndarray | None] = [None] * len(pictures)
        vae = self.pipe.vae
        for chosen in same_size_batches([picture.shape for picture in pictures], self.batch):
            x = tensor(np.stack([pictures[i] for i in chosen]))
            y = vae.decode(vae.encode(x).latent_dist.mode()).sample
            y = ((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            for i, picture in zip(chosen, y):
                out[i] = picture
        return out


def same_size_batches(sizes: list, batch: int):
    """Groups the indices of `sizes` into batches of at most `batch` pictures of one size."""
    for size in sorted(set(sizes)):
        chosen = [i for i, other in enumerate(sizes) if other == size]
        for start in range(0, len(chosen), batch):
            yield chosen[start : start + batch]

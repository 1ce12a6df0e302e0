"""What the denoiser makes of drawings, for the decoder to learn from:

`python training/redraw.py --drawings DIR --latents DIR --text DIR --unet DIR --out DIR --count 8000`

A decoder that has only seen the exact code of drawings takes each slip of the denoiser for a detail, and draws
patches. So latents of drawings are noised part of the way and denoised as pictures are drawn, with guidance;
they still show the same drawing, but as the denoiser would have it.

Writes, for each size, `redrawn-WxH.npy`, f16 (count, channels, H / 16, W / 16), and `numbers-WxH.npy`, the
drawings that they come from.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from drawings import UNSEEN, Drawings
from export import schedule
from sketchbook.caption import caption

#: Timesteps from which latents are denoised, of 1000: up to where a third of the signal's power is left.
FROM = (50, 600)
#: Timesteps from one call of the denoiser to the next: those of a picture in 12 steps.
STRIDE = 83
GUIDANCE = (2.0, 5.0)
BATCH = 64


class Redrawer:
    def __init__(self, text: Path, unet: Path):
        self._tokenizer = CLIPTokenizer.from_pretrained(text / "tokenizer")
        self._text = CLIPTextModel.from_pretrained(text / "text_encoder").eval()
        self._unet = UNet2DConditionModel.from_pretrained(unet).eval()
        self._alphas = schedule().alphas_cumprod

    def _states(self, words: list[str]) -> torch.Tensor:
        ids = self._tokenizer(
            words, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        )
        return self._text(ids.input_ids).last_hidden_state

    def __call__(self, latents: torch.Tensor, words: list[str], start: int, guidance: float) -> torch.Tensor:
        """Latents (n, channels, height, width), noised to the timestep `start` and denoised again (DDIM,
        Song et al. 2021)."""
        states = torch.cat([self._states([""] * len(words)), self._states(words)])
        x, t = latents, start
        signal, spread = self._alphas[t].sqrt(), (1 - self._alphas[t]).sqrt()
        x = signal * x + spread * torch.randn_like(x)
        while t > 0:
            with torch.autocast("cpu", torch.bfloat16):
                v = self._unet(torch.cat([x, x]), t, states).sample.float()
            v = torch.lerp(*v.chunk(2), guidance)
            clean, noise = signal * x - spread * v, spread * x + signal * v
            t = max(0, t - STRIDE)
            alpha = self._alphas[t] if t > 0 else torch.tensor(1.0)
            signal, spread = alpha.sqrt(), (1 - alpha).sqrt()
            x = signal * clean + spread * noise
        return x


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--latents", type=Path, required=True, help="what principal.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="what train_text.py wrote")
    parser.add_argument("--unet", type=Path, required=True, help="a UNet2DConditionModel folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True, help="of all sizes together")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    drawings, redrawer = Drawings(args.drawings), Redrawer(args.text, args.unet)
    for (width, height), numbers in drawings.sizes.items():
        stored = np.load(args.latents / f"latents-{width}x{height}.npy", mmap_mode="r")
        share = args.count * len(numbers) // len(drawings)
        chosen = rng.sample(range(UNSEEN, len(numbers)), share)
        redrawn = []
        for begin in range(0, share, BATCH):
            batch = chosen[begin : begin + BATCH]
            words = [caption(drawings.scenes[numbers[i]], rng) for i in batch]
            latents = torch.from_numpy(np.stack([stored[i] for i in batch])).float()
            made = redrawer(latents, words, rng.randint(*FROM), rng.uniform(*GUIDANCE))
            redrawn.append(made.numpy().astype(np.float16))
        np.save(args.out / f"redrawn-{width}x{height}.npy", np.concatenate(redrawn))
        np.save(args.out / f"numbers-{width}x{height}.npy", np.array([numbers[i] for i in chosen]))
        print(f"{width}x{height}: {share} drawings", flush=True)


if __name__ == "__main__":
    main()

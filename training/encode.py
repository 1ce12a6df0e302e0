"""Drawings as latents: `python training/encode.py --drawings DIR --vae DIR --out DIR`.

Whitens the latents on the way: each channel's mean and deviation over the drawings are folded into
the autoencoder's 1 x 1 convolutions `quant_conv` and `post_quant_conv`, so that latents have mean 0
and deviation 1 and `scaling_factor` is 1. `--out` receives that autoencoder (`vae`) and for each size
`latents-WxH.npy`, f16 (count, channels, H / 16, W / 16), in the order of the drawings.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from drawings import Drawings
from train_vae import tensor


@torch.no_grad()
def whiten(vae: AutoencoderKL, mean: torch.Tensor, deviation: torch.Tensor) -> None:
    """Makes the latents' channels mean 0 and deviation 1; pictures decode as before."""
    channels = len(mean)
    into, out_of = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - mean) / deviation
    into.bias[channels:] -= 2 * deviation.log()  # the logarithm of the variance
    out_of.bias += out_of.weight[:, :, 0, 0] @ mean
    out_of.weight *= deviation.view(1, -1, 1, 1)


@torch.no_grad()
def encode(vae: AutoencoderKL, drawings: Drawings, numbers: range, batch: int = 32) -> np.ndarray:
    parts = []
    for start in range(0, len(numbers), batch):
        pictures = np.stack([drawings.picture(i) for i in numbers[start : start + batch]])
        with torch.autocast("cpu", torch.bfloat16):
            mean = vae.encode(tensor(pictures)).latent_dist.mean
        parts.append(mean.float().numpy().astype(np.float16))
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    drawings, vae = Drawings(args.drawings), AutoencoderKL.from_pretrained(args.vae).eval()
    args.out.mkdir(parents=True, exist_ok=True)

    samples = [encode(vae, drawings, numbers[:512]) for numbers in drawings.sizes.values()]
    columns = np.concatenate([s.transpose(1, 0, 2, 3).reshape(s.shape[1], -1) for s in samples], 1).astype(
        np.float32
    )
    whiten(vae, torch.from_numpy(columns.mean(1)), torch.from_numpy(columns.std(1)))
    vae.register_to_config(scaling_factor=1.0)
    vae.save_pretrained(args.out / "vae")

    begun, done = time.monotonic(), 0
    for (width, height), numbers in drawings.sizes.items():
        np.save(args.out / f"latents-{width}x{height}.npy", encode(vae, drawings, numbers))
        done += len(numbers)
        print(f"{width}x{height}: {len(numbers)}, {done / (time.monotonic() - begun):.0f}/s", flush=True)


if __name__ == "__main__":
    main()

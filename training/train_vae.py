"""Trains the autoencoder: `python training/train_vae.py --drawings DIR --out DIR --minutes 120`.

AutoencoderKL with 16 pixels to a latent in each direction and 16 channels. The first three channels
are held to twice the mean colour of their 16 x 16 pixels: colours are right from the first minutes,
and the denoising network finds the thumbnail of the picture in plain sight.

Writes `vae` into `--out`. Stops and goes on, see loop.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from drawings import Drawings
from loop import Training, arguments
from muon import optimizers

FACTOR, CHANNELS, CROP = 16, 16, 128
#: Drawings at the start of each size that no training sees.
UNSEEN = 64
#: Drawings that stay decoded, about 200 KB each: decoding would take a tenth of the time.
IN_MEMORY = 20_000


def autoencoder() -> AutoencoderKL:
    widths = [16, 16, 32, 64, 64]
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(widths),
        up_block_types=["UpDecoderBlock2D"] * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=4,
        sample_size=256,
        scaling_factor=1.0,
    )


def tensor(pictures: np.ndarray) -> torch.Tensor:
    """u8 (n, height, width, 3) as f32 (n, 3, height, width) in -1..=1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(
    read: Callable[[int], np.ndarray], numbers: list[int], count: int, rng: random.Random
) -> torch.Tensor:
    cut = []
    for number in rng.sample(numbers, count):
        picture = read(number)
        y, x = (rng.randrange(side - CROP + 1) for side in picture.shape[:2])
        cut.append(picture[y : y + CROP, x : x + CROP])
    return tensor(np.stack(cut))


def slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(model: AutoencoderKL, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    with torch.autocast("cpu", torch.bfloat16):
        code = model.encode(x).latent_dist
        y = model.decode(code.sample()).sample
    y, mean = y.float(), code.mean.float()
    squared = F.mse_loss(y, x)
    edges, a, b = 0.0, x, y
    for _ in range(3):
        edges = edges + sum((p - q).abs().mean() for p, q in zip(slopes(a), slopes(b)))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    thumbnail = F.mse_loss(mean[:, :3], 2 * F.avg_pool2d(x, FACTOR))
    kl = code.kl().mean() / mean[0].numel()
    loss = (y - x).abs().mean() + 4 * squared + 0.5 * edges + 0.2 * thumbnail + 5e-4 * kl
    return loss, {"mse": squared.detach(), "thumbnail": thumbnail.detach(), "kl": kl.detach()}


@torch.no_grad()
def unseen_psnr(model: AutoencoderKL, drawings: Drawings, count: int = 16) -> float:
    """Mean over whole drawings of every size, in dB."""
    model.eval()
    found = []
    for numbers in drawings.sizes.values():
        for number in numbers[: min(count, UNSEEN)]:
            x = tensor(drawings.picture(number)[None])
            y = model.decode(model.encode(x).latent_dist.mean).sample.clamp(-1, 1)
            found.append(-10 * math.log10(F.mse_loss(y / 2, x / 2).item()))
    model.train()
    return float(np.mean(found))


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=16)
    parser.add_argument("--drawings", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    drawings, model = Drawings(args.drawings), autoencoder()
    steppers = [(o, 1.0) for o in optimizers(model, args.lr, 1e-4, ("conv_in", "conv_out", "quant_conv"))]
    training = Training(model, steppers, args, keep=0.999, steady=0.5)

    def save() -> None:
        training.save()
        with training.average.applied():
            training.report(unseen_psnr=unseen_psnr(model, drawings))
            model.save_pretrained(args.out / "vae")

    numbers = [i for of_size in drawings.sizes.values() for i in of_size[UNSEEN:]]
    read = lru_cache(maxsize=IN_MEMORY)(drawings.picture)
    for _ in training:
        loss, figures = loss_of(model, crops(read, numbers, args.batch, training.rng))
        training.learn(loss, {name: value.item() for name, value in figures.items()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

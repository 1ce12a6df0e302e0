"""Trains the autoencoder's decoder and encoder on the latents of principal.py:

`python training/train_vae.py decoder --drawings DIR --code DIR --out DIR --minutes 60`
`python training/train_vae.py encoder --drawings DIR --code DIR --out DIR --minutes 20`

The decoder learns to draw from the exact latents with a little noise, because a denoiser never predicts them
exactly. The encoder learns to predict the latents. Decoder, encoder and denoiser can be trained in any order.
`python training/train_vae.py join --out DIR` combines decoder and encoder into one AutoencoderKL.

`--start` is an AutoencoderKL to continue from, which needs a small `--lr`. `join` copies untrained parts from it.

A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn

from drawings import Drawings
from loop import Training, arguments
from muon import optimizers
from principal import CHANNELS, Code, tensor
from sketchbook.scene import Scene

#: The side of a crop: the shortest side of any drawing. The networks normalise over their whole input, so training
#: on smaller crops works less well on whole pictures.
CROP = 224
#: The noise of the latents while training the decoder, relative to a mean square of 1.
NOISE = 0.1
#: The window in pixels over which the density of strokes is compared.
STROKES = 8
#: Styles that are characterised by fine strokes and paper edges.
FINE_STYLES = ("oil", "papercut")
#: The number of drawings cached in decoded form, about 200 KB each. Decoding would take a tenth of the time.
IN_MEMORY = 20_000


def autoencoder(start: Path | None = None) -> AutoencoderKL:
    """Loads the autoencoder to continue from, or creates a new one."""
    if start:
        return AutoencoderKL.from_pretrained(start, torch_dtype=torch.float32)
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


class Decoder(nn.Module):
    """Maps latents to pictures."""

    def __init__(self, model: AutoencoderKL):
        super().__init__()
        self.post_quant_conv, self.decoder = model.post_quant_conv, model.decoder

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.post_quant_conv(code))

    def loss(self, pictures: torch.Tensor, latents: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16):
            drawn = self(latents + NOISE * torch.randn_like(latents))
        drawn = drawn.float()
        squared = F.mse_loss(drawn, pictures)
        edges, a, b = 0.0, pictures, drawn
        for _ in range(3):
            edges = edges + sum((p - q).abs().mean() for p, q in zip(slopes(a), slopes(b)))
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        rough = sum((p - q).abs().mean() for p, q in zip(roughness(pictures), roughness(drawn)))
        loss = (drawn - pictures).abs().mean() + 4 * squared + 0.5 * edges + 2 * rough
        return loss, {"psnr": decibels(squared.item())}

    def test(self, pictures: torch.Tensor, code: Code) -> float:
        return decibels(F.mse_loss(self(code(pictures)).clamp(-1, 1), pictures).item())


class Encoder(nn.Module):
    """Maps pictures to the mean and log-variance of latents, as in AutoencoderKL."""

    def __init__(self, model: AutoencoderKL):
        super().__init__()
        self.encoder, self.quant_conv = model.encoder, model.quant_conv
        with torch.no_grad():
            # The variance is not trained: it is that of the decoder's training noise.
            self.quant_conv.weight[CHANNELS:] = 0
            self.quant_conv.bias[CHANNELS:] = 2 * math.log(NOISE)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.quant_conv(self.encoder(pictures))[:, :CHANNELS]

    def loss(self, pictures: torch.Tensor, latents: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16):
            given = self(pictures)
        squared = F.mse_loss(given.float(), latents)
        return squared, {"error": squared.item() ** 0.5}

    def test(self, pictures: torch.Tensor, code: Code) -> float:
        return F.mse_loss(self(pictures), code(pictures)).item() ** 0.5


PARTS = {"decoder": Decoder, "encoder": Encoder}


def slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def roughness(x: torch.Tensor) -> list[torch.Tensor]:
    """The local strength of gradients. It differs between a blur and strokes, but not between strokes and slightly
    shifted strokes."""
    return [F.avg_pool2d(slope.abs(), STROKES, STROKES // 2) for slope in slopes(x)]


def decibels(squared: float) -> float:
    """PSNR from the mean squared error in -1..=1."""
    return 10 * math.log10(4 / squared)


def half_fine(scenes: Sequence[Scene], numbers: Iterable[int]) -> list[int]:
    """The numbers of `scenes`, with FINE_STYLES repeated until they are about half of the list."""
    fine, others = [], []
    for number in numbers:
        (fine if scenes[number].style in FINE_STYLES else others).append(number)
    return others + fine * round(len(others) / max(1, len(fine)))


def crops(
    read: Callable[[int], np.ndarray], numbers: list[int], count: int, rng: random.Random
) -> torch.Tensor:
    cut = []
    for number in rng.sample(numbers, count):
        picture = read(number)
        y, x = (rng.randrange(side - CROP + 1) for side in picture.shape[:2])
        cut.append(picture[y : y + CROP, x : x + CROP])
    return tensor(np.stack(cut))


@torch.no_grad()
def tested(part: nn.Module, drawings: Drawings, code: Code, count: int = 24) -> float:
    """The part's mean test error on whole drawings excluded from training."""
    errors = (part.test(tensor(drawings.picture(number)[None]), code) for number in drawings.unseen(count))
    return float(np.mean(list(errors)))


def train(name: str, argv: list[str]) -> None:
    parser = arguments(__doc__, lr=4e-3, batch=5)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--code", type=Path, required=True, help="the output of principal.py")
    parser.add_argument("--start", type=Path)
    args = parser.parse_args(argv)
    out, args.out = args.out, args.out / name
    torch.manual_seed(args.seed)
    drawings, code = Drawings(args.drawings), Code.load(args.code)
    part = PARTS[name](autoencoder(args.start))
    steppers = [(o, 1.0) for o in optimizers(part, args.lr, 1e-4, ("conv_in", "conv_out", "quant_conv"))]
    training = Training(part, steppers, args, keep=0.998, steady=0.5)

    def save() -> None:
        training.save()
        with training.average.applied():
            training.report(unseen=tested(part, drawings, code))
            torch.save(part.state_dict(), out / f"{name}.pt")

    numbers = half_fine(drawings.scenes, drawings.seen())
    read = lru_cache(maxsize=IN_MEMORY)(drawings.picture)
    for _ in training:
        pictures = crops(read, numbers, args.batch, training.rng)
        training.learn(*part.loss(pictures, code(pictures)))
        if training.step % 500 == 0:
            save()
    save()


def join(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path)
    args = parser.parse_args(argv)
    model = autoencoder(args.start)
    for name, part in PARTS.items():
        file = args.out / f"{name}.pt"
        if not args.start or file.exists():
            part(model).load_state_dict(torch.load(file))
    model.save_pretrained(args.out / "vae")


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["--help"]
    if command in PARTS:
        train(command, rest)
    elif command == "join":
        join(rest)
    else:
        print(__doc__)

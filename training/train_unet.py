"""Trains the denoising network on captions that the text encoder understands already:
`python training/train_unet.py --drawings DIR --latents DIR --text DIR --out DIR --minutes 300`.

The network predicts v (Salimans and Ho 2022) under a cosine schedule, all timesteps weighted alike:
what stands where is decided where the noise is strong, and a loss that fades there forgets positions.
One caption in ten is dropped for classifier-free guidance. Captions are worded anew each time.

Some batches are edits: what lies around some boxes is there already, without noise, and only the boxes have to be
denoised. The surroundings are told from noise by their looks alone: latents are far from evenly spread.

Several `--drawings`, with as many `--latents`, count as one. `--start` names a network to go on from, which
needs a small `--lr`.

Writes `unet` into `--out`. Stops and goes on, see loop.py.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer

import crops
from drawings import UNSEEN, Drawings
from export import schedule
from loop import Training, arguments
from muon import optimizers
from principal import CHANNELS
from sketchbook.caption import caption
from sketchbook.scene import Scene

#: How many batches show parts of drawings.
CROPPED = 0.2
#: How many batches are edits.
EDITED = 0.25


def denoiser() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        block_out_channels=[64, 128],
        layers_per_block=1,
        attention_head_dim=4,
        norm_num_groups=16,
        cross_attention_dim=128,
    )


class Samples:
    """Batches of one size of picture each: latents, and the text encoder's states of captions."""

    def __init__(
        self, drawings: list[Path], latents: list[Path], tokenizer: CLIPTokenizer, text: CLIPTextModel
    ):
        self._tokenizer, self._text = tokenizer, text
        #: The scenes of one size and folder each, and their latents.
        self._stored: list[tuple[list[Scene], np.ndarray]] = []
        for folder, coded in zip(drawings, latents, strict=True):
            drawn = Drawings(folder)
            for (width, height), numbers in drawn.sizes.items():
                stored = np.load(coded / f"latents-{width}x{height}.npy", mmap_mode="r")
                self._stored.append((drawn.scenes[numbers.start : numbers.stop], stored))

    def batch(self, count: int, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        [(drawn, stored)] = rng.choices(self._stored, [len(scenes) for scenes, _ in self._stored])
        chosen = rng.sample(range(UNSEEN, len(drawn)), count)
        scenes = [drawn[i] for i in chosen]
        if rng.random() < CROPPED:
            side = rng.choice(crops.SIDES)
            cuts = [crops.window(scene, (stored.shape[3], stored.shape[2]), side, rng) for scene in scenes]
            scenes = [scene for _, _, scene in cuts]
            parts = [stored[i][:, y : y + side, x : x + side] for i, (x, y, _) in zip(chosen, cuts)]
            latents = torch.from_numpy(np.stack(parts)).float()
        else:
            latents = torch.from_numpy(stored[chosen]).float()
        words = ["" if rng.random() < 0.1 else caption(scene, rng) for scene in scenes]
        ids = self._tokenizer(
            words, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            return latents, self._text(ids).last_hidden_state


def surroundings(count: int, height: int, width: int, rng: random.Random) -> torch.Tensor:
    """(count, 1, height, width) bool: True around one or two boxes by chance, no two alike."""
    known = torch.ones(count, 1, height, width, dtype=torch.bool)
    for i in range(count):
        for _ in range(rng.choice((1, 1, 2))):
            high, wide = rng.randint(2, height - 2), rng.randint(2, width - 2)
            top, left = rng.randint(0, height - high), rng.randint(0, width - wide)
            known[i, 0, top : top + high, left : left + wide] = False
    return known


def loss_of(
    unet: UNet2DConditionModel,
    latents: torch.Tensor,
    states: torch.Tensor,
    alphas: torch.Tensor,
    known: torch.Tensor | None = None,
) -> torch.Tensor:
    """The mean squared error of v; `states` are the text encoder's, `alphas` the cumulated products. Latents that
    are `known` have no noise."""
    count = len(latents)
    # One timestep from each stretch of the schedule: the mean over a batch wavers less.
    times = (
        ((torch.arange(count) + torch.rand(count)) / count * len(alphas)).long().clamp(max=len(alphas) - 1)
    )
    signal = alphas[times].sqrt().view(-1, 1, 1, 1)
    spread = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy, wanted = signal * latents + spread * noise, signal * noise - spread * latents
    if known is not None:
        # The v by which the network says of a latent without noise that it is that latent.
        noisy = torch.where(known, latents, noisy)
        wanted = torch.where(known, (signal - 1) / spread * latents, wanted)
    # On the CPU the fused attention's gradient takes twice the time of plain matrix products.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        predicted = unet(noisy, times, states).sample
    return F.mse_loss(predicted.float(), wanted)


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=64)
    parser.add_argument("--drawings", type=Path, nargs="+", required=True)
    parser.add_argument("--latents", type=Path, nargs="+", required=True, help="what principal.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="what train_text.py wrote")
    parser.add_argument("--start", type=Path, help="a network to go on from")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = CLIPTokenizer.from_pretrained(args.text / "tokenizer")
    text = CLIPTextModel.from_pretrained(args.text / "text_encoder").eval().requires_grad_(False)
    unet = UNet2DConditionModel.from_pretrained(args.start, dtype=torch.float32) if args.start else denoiser()
    steppers = [(optimizer, 1.0) for optimizer in optimizers(unet, args.lr, 0.01, ("conv_in", "conv_out"))]
    training = Training(unet, steppers, args, keep=0.9995, steady=0.6)

    def save() -> None:
        training.save()
        with training.average.applied():
            unet.save_pretrained(args.out / "unet")

    alphas = schedule().alphas_cumprod
    samples = Samples(args.drawings, args.latents, tokenizer, text)
    for _ in training:
        latents, states = samples.batch(args.batch, training.rng)
        edited = training.rng.random() < EDITED
        known = surroundings(args.batch, *latents.shape[2:], training.rng) if edited else None
        loss = loss_of(unet, latents, states, alphas, known)
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

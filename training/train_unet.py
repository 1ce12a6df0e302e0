"""Trains the denoising network on captions that the text encoder understands already:
`python training/train_unet.py --drawings DIR --latents DIR --text DIR --out DIR --minutes 300`.

The network predicts v (Salimans and Ho 2022) under a cosine schedule, all timesteps weighted alike:
what stands where is decided where the noise is strong, and a loss that fades there forgets positions.
One caption in ten is dropped for classifier-free guidance. Captions are worded anew each time.

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

#: How many batches show parts of drawings.
CROPPED = 0.2


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

    def __init__(self, drawings: Drawings, latents: Path, tokenizer: CLIPTokenizer, text: CLIPTextModel):
        self._drawings, self._tokenizer, self._text = drawings, tokenizer, text
        self._latents = {
            size: np.load(latents / f"latents-{size[0]}x{size[1]}.npy", mmap_mode="r")
            for size in drawings.sizes
        }

    def batch(self, count: int, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        sizes = list(self._drawings.sizes)
        weights = [len(self._drawings.sizes[size]) for size in sizes]
        size = rng.choices(sizes, weights)[0]
        numbers = self._drawings.sizes[size]
        chosen = rng.sample(range(UNSEEN, len(numbers)), count)
        stored = self._latents[size]
        scenes = [self._drawings.scenes[numbers[i]] for i in chosen]
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


def loss_of(
    unet: UNet2DConditionModel, latents: torch.Tensor, states: torch.Tensor, alphas: torch.Tensor
) -> torch.Tensor:
    """The mean squared error of v; `states` are the text encoder's, `alphas` the cumulated products."""
    count = len(latents)
    # One timestep from each stretch of the schedule: the mean over a batch wavers less.
    times = (
        ((torch.arange(count) + torch.rand(count)) / count * len(alphas)).long().clamp(max=len(alphas) - 1)
    )
    signal = alphas[times].sqrt().view(-1, 1, 1, 1)
    spread = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    # On the CPU the fused attention's gradient takes twice the time of plain matrix products.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        predicted = unet(signal * latents + spread * noise, times, states).sample
    return F.mse_loss(predicted.float(), signal * noise - spread * latents)


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=64)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--latents", type=Path, required=True, help="what principal.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="what train_text.py wrote")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    drawings = Drawings(args.drawings)
    tokenizer = CLIPTokenizer.from_pretrained(args.text / "tokenizer")
    text = CLIPTextModel.from_pretrained(args.text / "text_encoder").eval().requires_grad_(False)
    unet = denoiser()
    steppers = [(optimizer, 1.0) for optimizer in optimizers(unet, args.lr, 0.01, ("conv_in", "conv_out"))]
    training = Training(unet, steppers, args, keep=0.9995, steady=0.6)

    def save() -> None:
        training.save()
        with training.average.applied():
            unet.save_pretrained(args.out / "unet")

    alphas = schedule().alphas_cumprod
    samples = Samples(drawings, args.latents, tokenizer, text)
    for _ in training:
        loss = loss_of(unet, *samples.batch(args.batch, training.rng), alphas)
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

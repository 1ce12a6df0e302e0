"""Trains the denoising network on captions that the text encoder understands already:
`python training/train_unet.py --drawings DIR --latents DIR --text DIR --out DIR --minutes 300`.

The network predicts v (Salimans and Ho 2022) under a cosine schedule, all timesteps weighted alike:
what stands where is decided where the noise is strong, and a loss that fades there forgets positions.
One caption in ten is dropped for classifier-free guidance. Captions are worded anew each time.

`--begin FOLDER --emphasis 4 --lr 8e-4` goes on from a trained network with the errors near subjects weighing up
to five times as much, and more drawings of figures at full length: most latents show scenery, and figures are
learned last.

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
#: Of what shows no figure at full length, one in so many is shown while figures are learned.
OTHERS = 4


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
        self,
        drawings: Drawings,
        latents: Path,
        tokenizer: CLIPTokenizer,
        text: CLIPTextModel,
        figures: bool = False,
    ):
        """With `figures`, of portraits and of scenes with nobody only one in `OTHERS` is shown."""
        self._drawings, self._tokenizer, self._text = drawings, tokenizer, text
        self._shown = {
            size: [i for i in range(UNSEEN, len(numbers)) if not figures or self._is_shown(numbers[i])]
            for size, numbers in drawings.sizes.items()
        }
        self._latents = {
            size: np.load(latents / f"latents-{size[0]}x{size[1]}.npy", mmap_mode="r")
            for size in drawings.sizes
        }

    def _is_shown(self, number: int) -> bool:
        scene = self._drawings.scenes[number]
        return bool(scene.subjects) and scene.framing != "portrait" or number % OTHERS == 0

    def batch(self, count: int, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents, the states of their captions, and how near each latent is to a subject."""
        sizes = list(self._drawings.sizes)
        size = rng.choices(sizes, [len(self._shown[size]) for size in sizes])[0]
        numbers = self._drawings.sizes[size]
        chosen = rng.sample(self._shown[size], count)
        stored = self._latents[size]
        scenes = [self._drawings.scenes[numbers[i]] for i in chosen]
        grid = (stored.shape[3], stored.shape[2])
        latents, near = stored[chosen], np.stack([crops.prominence(scene, grid) for scene in scenes])
        if rng.random() < CROPPED:
            side = rng.choice(crops.SIDES)
            cuts = [crops.window(scene, grid, side, rng) for scene in scenes]
            scenes = [scene for _, _, scene in cuts]
            latents, near = (
                np.stack([whole[..., y : y + side, x : x + side] for whole, (x, y, _) in zip(all_of, cuts)])
                for all_of in (latents, near)
            )
        words = ["" if rng.random() < 0.1 else caption(scene, rng) for scene in scenes]
        ids = self._tokenizer(
            words, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            states = self._text(ids).last_hidden_state
        return torch.from_numpy(latents).float(), states, torch.from_numpy(near)[:, None]


def loss_of(
    unet: UNet2DConditionModel,
    latents: torch.Tensor,
    states: torch.Tensor,
    weights: torch.Tensor,
    alphas: torch.Tensor,
) -> torch.Tensor:
    """The weighted mean squared error of v; `states` are the text encoder's, `alphas` the cumulated products."""
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
    return F.mse_loss(
        predicted.float(), signal * noise - spread * latents, weight=weights.expand_as(latents)
    )


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=64)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--latents", type=Path, required=True, help="what principal.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="what train_text.py wrote")
    parser.add_argument("--begin", type=Path, help="a trained network to go on from")
    parser.add_argument("--emphasis", type=float, default=0, help="how much more errors near subjects weigh")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    drawings = Drawings(args.drawings)
    tokenizer = CLIPTokenizer.from_pretrained(args.text / "tokenizer")
    text = CLIPTextModel.from_pretrained(args.text / "text_encoder", dtype=torch.float32)
    text.eval().requires_grad_(False)
    unet = denoiser()
    if args.begin:
        unet = UNet2DConditionModel.from_pretrained(args.begin, dtype=torch.float32)
    steppers = [(optimizer, 1.0) for optimizer in optimizers(unet, args.lr, 0.01, ("conv_in", "conv_out"))]
    # What is trained already would only forget under a rate that stays high.
    training = Training(unet, steppers, args, keep=0.9995, steady=0 if args.begin else 0.6)

    def save() -> None:
        training.save()
        with training.average.applied():
            unet.save_pretrained(args.out / "unet")

    alphas = schedule().alphas_cumprod
    samples = Samples(drawings, args.latents, tokenizer, text, figures=args.emphasis > 0)
    for _ in training:
        latents, states, near = samples.batch(args.batch, training.rng)
        loss = loss_of(unet, latents, states, 1 + args.emphasis * near, alphas)
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

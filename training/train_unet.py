"""Trains the denoising network and, more slowly, the text encoder that guides it:
`python training/train_unet.py --drawings DIR --latents DIR --text DIR --out DIR --minutes 300`.

The network predicts v (Salimans and Ho 2022) under a cosine schedule, all timesteps weighted alike:
what stands where is decided where the noise is strong, and a loss that fades there forgets positions.
One caption in ten is dropped for classifier-free guidance. Captions are worded anew each time.

Writes a whole diffusers folder into `--out`. Stops and goes on, see loop.py.
"""

from __future__ import annotations

import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from drawings import Drawings
from loop import Training, arguments
from muon import optimizers
from sketchbook.caption import caption
from train_vae import CHANNELS, UNSEEN


def denoiser() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        block_out_channels=[64, 144],
        layers_per_block=1,
        attention_head_dim=4,
        norm_num_groups=16,
        cross_attention_dim=128,
    )


def schedule() -> DPMSolverMultistepScheduler:
    """Trailing steps begin where nothing of the picture is left, as drawing does."""
    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="trailing",
    )


class Samples:
    """Batches of one size of picture each: latents, and captions as token ids."""

    def __init__(self, drawings: Drawings, latents: Path, tokenizer: CLIPTokenizer):
        self._drawings, self._tokenizer = drawings, tokenizer
        self._latents = {
            size: np.load(latents / f"latents-{size[0]}x{size[1]}.npy", mmap_mode="r") for size in drawings.sizes
        }

    def batch(self, count: int, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        sizes = list(self._drawings.sizes)
        weights = [len(self._drawings.sizes[size]) for size in sizes]
        size = rng.choices(sizes, weights)[0]
        numbers = self._drawings.sizes[size]
        chosen = rng.sample(range(UNSEEN, len(numbers)), count)
        latents = torch.from_numpy(self._latents[size][chosen]).float()
        words = [
            "" if rng.random() < 0.1 else caption(self._drawings.scenes[numbers[i]], rng) for i in chosen
        ]
        ids = self._tokenizer(words, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        return latents, ids

    def stream(self, count: int, rng: random.Random):
        """Endless batches, worded ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            ahead = [pool.submit(self.batch, count, rng) for _ in range(3)]
            while True:
                yield ahead.pop(0).result()
                ahead.append(pool.submit(self.batch, count, rng))


class Both(nn.Module):
    """The two networks as one, for optimizers and averages."""

    def __init__(self, unet: UNet2DConditionModel, text: CLIPTextModel):
        super().__init__()
        self.unet, self.text_encoder = unet, text

    def loss(self, latents: torch.Tensor, ids: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
        count = len(latents)
        # One timestep from each stretch of the schedule: the mean over a batch wavers less.
        times = ((torch.arange(count) + torch.rand(count)) / count * len(alphas)).long().clamp(max=len(alphas) - 1)
        signal = alphas[times].sqrt().view(-1, 1, 1, 1)
        noise_size = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
        noise = torch.randn_like(latents)
        noisy, velocity = signal * latents + noise_size * noise, signal * noise - noise_size * latents
        with torch.autocast("cpu", torch.bfloat16):
            predicted = self.unet(noisy, times, self.text_encoder(ids).last_hidden_state).sample
        return (predicted.float() - velocity).pow(2).mean()


def write_layout(out: Path, latents: Path, tokenizer: CLIPTokenizer, scheduler: DPMSolverMultistepScheduler) -> None:
    """Everything of a diffusers folder but the networks that are trained here."""
    tokenizer.save_pretrained(out / "tokenizer")
    scheduler.save_pretrained(out / "scheduler")
    shutil.copytree(latents / "vae", out / "vae", dirs_exist_ok=True)
    nothing = [None, None]
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": nothing,
        "image_encoder": nothing,
        "requires_safety_checker": False,
        "safety_checker": nothing,
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main() -> None:
    parser = arguments(__doc__, lr=2e-3, batch=64)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--latents", type=Path, required=True, help="what encode.py wrote")
    parser.add_argument("--text", type=Path, required=True, help="what train_text.py wrote")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    drawings = Drawings(args.drawings)
    tokenizer = CLIPTokenizer.from_pretrained(args.text / "tokenizer")
    model = Both(denoiser(), CLIPTextModel.from_pretrained(args.text / "text_encoder"))
    # The text encoder understands captions already; it only bends towards what the pictures need.
    steppers = [
        (optimizer, share)
        for network, share in ((model.unet, 1.0), (model.text_encoder, 0.2))
        for optimizer in optimizers(network, args.lr, 0.01, ("conv_in", "conv_out", "embedding"))
    ]
    training = Training(model, steppers, args, keep=0.9995, steady=0.6)
    scheduler = schedule()
    write_layout(args.out, args.latents, tokenizer, scheduler)

    def save() -> None:
        training.save()
        with training.average.applied():
            model.unet.save_pretrained(args.out / "unet")
            model.text_encoder.save_pretrained(args.out / "text_encoder")

    batches = Samples(drawings, args.latents, tokenizer).stream(args.batch, training.rng)
    for _ in training:
        loss = model.loss(*next(batches), scheduler.alphas_cumprod)
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

"""Trains the denoiser on captions, with a trained text encoder:
`python training/train_unet.py --drawings DIR --latents DIR --text DIR --out DIR --minutes 300`.

The network predicts v (Salimans and Ho 2022) under a cosine schedule. All timesteps have the same weight,
because positions are determined at high noise. One caption in ten is dropped for classifier-free guidance, and one
in five mentions only one or two things, like negative prompts. Each use of a drawing has a new caption.

Some batches are edits: latents around a hole are known and have no noise, and only the hole is denoised. Most
holes cover a subject, which the caption names and the network has to draw. Other holes are empty, and their
caption describes an empty scene, as in a removal. The network receives no mask of the hole. It distinguishes clean
latents from noise by their distribution.

Several `--drawings` need the same number of `--latents`. `--start` is a network to continue from, which needs a
small `--lr`.

Writes `unet` into `--out`. A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer

import crops
from drawings import UNSEEN, Drawings
from export import schedule
from loop import Training, arguments
from muon import optimizers
from principal import CHANNELS
from sketchbook.caption import caption, fragment
from sketchbook.scene import Scene

#: The share of batches that are edits.
EDITED = 0.45
#: The share of batches that are crops: of whole pictures, and of edits.
CROPPED, CROPPED_EDITS = 0.2, 0.65
#: The share of dropped captions, and of fragments.
SILENT, FRAGMENT = 0.1, 0.2
#: The share of holes around a subject, of holes where a subject could be, and of captions that name only the
#: contents of such a hole.
AROUND_SUBJECT, AROUND_NOBODY, NAMED_ONLY = 0.65, 0.2, 0.6
#: The weight of the error of known latents, which the network only has to copy.
KNOWN = 0.1


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
    """Batches of pictures of one size: latents and the text encoder's states of captions."""

    def __init__(
        self, drawings: list[Path], latents: list[Path], tokenizer: CLIPTokenizer, text: CLIPTextModel
    ):
        self._tokenizer, self._text = tokenizer, text
        #: The scenes of each size and folder, and their latents.
        self._stored: list[tuple[list[Scene], np.ndarray]] = []
        for folder, coded in zip(drawings, latents, strict=True):
            drawn = Drawings(folder)
            for (width, height), numbers in drawn.sizes.items():
                stored = np.load(coded / f"latents-{width}x{height}.npy", mmap_mode="r")
                self._stored.append((drawn.scenes[numbers.start : numbers.stop], stored))

    def batch(
        self, count: int, rng: random.Random
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Latents, states and, for edits, the mask of known latents, (count, 1, height, width)."""
        [(drawn, stored)] = rng.choices(self._stored, [len(scenes) for scenes, _ in self._stored])
        edited = rng.random() < EDITED
        height, width = stored.shape[2:]
        high, wide = height, width
        if rng.random() < (CROPPED_EDITS if edited else CROPPED):
            high, wide = rng.choice(crops.SIDES), rng.choice(crops.SIDES)
        latents, words, known = [], [], []
        for i in rng.sample(range(UNSEEN, len(drawn)), count):
            box, inside = choose_hole(drawn[i], rng) if edited else (None, None)
            if box:
                box = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
            left, top, shown = crops.window(drawn[i], (width, height), (wide, high), rng, box)
            latents.append(stored[i][:, top : top + high, left : left + wide])
            words.append(edit_caption(shown, inside, rng))
            if edited:
                if box:
                    box = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
                known.append(crops.hole(box or random_box(wide, high, rng), (wide, high), rng))
        ids = self._tokenizer(
            words, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            states = self._text(ids).last_hidden_state
        holes = torch.stack(known)[:, None] if known else None
        return torch.from_numpy(np.stack(latents)).float(), states, holes


def choose_hole(scene: Scene, rng: random.Random) -> tuple[crops.Window | None, list[str] | None]:
    """The box of a hole, in fractions of the picture, and the kinds of subjects drawn into it. None: a random hole."""
    chance = rng.random()
    if scene.subjects and chance < AROUND_SUBJECT:
        subject = rng.choice(scene.subjects)
        return crops.around(subject, scene), [subject.kind]
    if chance < AROUND_SUBJECT + AROUND_NOBODY and (box := crops.nobody(scene, rng)):
        return box, []
    return None, None


def edit_caption(scene: Scene, inside: list[str] | None, rng: random.Random) -> str:
    """The caption of a scene. For a hole around a subject, or an empty one, it often names only the hole's contents and
    rarely a position, because the hole determines it."""
    if rng.random() < SILENT:
        return ""
    if inside is not None and rng.random() < NAMED_ONLY:
        alone = replace(scene, subjects=[subject for subject in scene.subjects if subject.kind in inside])
        return caption(alone, rng, placed=rng.random() < 0.3)
    return fragment(scene, rng) if rng.random() < FRAGMENT else caption(scene, rng)


def random_box(width: int, height: int, rng: random.Random) -> crops.Window:
    """A random box inside a picture, in latents."""
    wide, high = rng.uniform(1, 0.8 * width), rng.uniform(1, 0.8 * height)
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
    return (left, top, left + wide, top + high)


def loss_of(
    unet: UNet2DConditionModel,
    latents: torch.Tensor,
    states: torch.Tensor,
    alphas: torch.Tensor,
    known: torch.Tensor | None = None,
) -> torch.Tensor:
    """The mean squared error of v; `states` come from the text encoder, `alphas` are the cumulative products. Latents
    that are `known` have no noise."""
    count = len(latents)
    # One timestep from each section of the schedule reduces the variance of the batch mean.
    times = (
        ((torch.arange(count) + torch.rand(count)) / count * len(alphas)).long().clamp(max=len(alphas) - 1)
    )
    signal = alphas[times].sqrt().view(-1, 1, 1, 1)
    spread = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy, wanted = signal * latents + spread * noise, signal * noise - spread * latents
    if known is not None:
        # The v for which the prediction equals the latent without noise.
        noisy = torch.where(known, latents, noisy)
        wanted = torch.where(known, (signal - 1) / spread * latents, wanted)
    # On the CPU, the gradient of fused attention takes twice as long as plain matrix products.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        predicted = unet(noisy, times, states).sample
    weights = torch.ones(1) if known is None else torch.where(known, KNOWN, 1.0)
    return ((predicted.float() - wanted).square() * weights).mean() / weights.mean()


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=64)
    parser.add_argument("--drawings", type=Path, nargs="+", required=True)
    parser.add_argument("--latents", type=Path, nargs="+", required=True, help="the output of principal.py")
    parser.add_argument("--text", type=Path, required=True, help="the output of train_text.py")
    parser.add_argument("--start", type=Path, help="a network to continue from")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = CLIPTokenizer.from_pretrained(args.text / "tokenizer")
    text = CLIPTextModel.from_pretrained(args.text / "text_encoder", dtype=torch.float32).eval().requires_grad_(False)
    unet = UNet2DConditionModel.from_pretrained(args.start, dtype=torch.float32) if args.start else denoiser()
    steppers = [(optimizer, 1.0) for optimizer in optimizers(unet, args.lr, 0.01, ("conv_in", "conv_out"))]
    training = Training(unet, steppers, args, keep=0.999, steady=0.5)

    def save() -> None:
        training.save()
        with training.average.applied():
            unet.save_pretrained(args.out / "unet")

    alphas = schedule().alphas_cumprod
    samples = Samples(args.drawings, args.latents, tokenizer, text)
    for _ in training:
        latents, states, known = samples.batch(args.batch, training.rng)
        loss = loss_of(unet, latents, states, alphas, known)
        training.learn(loss, {"loss": loss.item()})
        if training.step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()

"""Trains all adapters of the denoiser together, see adapters.py:
`python training/train_adapters.py --views DIR --out DIR --minutes 60`.

`--views` is the output of inspirations.py. Files that appear there later are used from then on.

The denoiser, the text encoder and the decoder do not change. Each picture of a batch is given a random selection of an
outline, a scribble, a style image and a content image. Its caption is dropped, incomplete, or wrong in what they show.
A style image is another drawing in the same style and light, or consists of shuffled parts of the drawing. A content
image is the same scene in another style, or the drawing in other colours. Some pictures without an image have the tokens
of the image of zeros, which diffusers uses for the unconditional prediction.

Half of the timesteps are in the noisiest third, where the layout is decided.

Writes `adapters` into `--out`. A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer

import crops
from adapters import IMAGES, KINDS, MODELS, PICTURES, SHRINK, Adapters, Eye, Given, Inputs, padded, regions
from export import schedule
from loop import Training, arguments
from muon import optimizers
from principal import FACTOR
from sketchbook import words
from sketchbook.caption import caption, fragment
from sketchbook.scene import Scene
from sketchbook.writer import Writer
from train_unet import KNOWN, choose_hole, random_box

#: How often a picture is given each of the inspirations.
GIVEN = {"outline": 0.45, "scribble": 0.35, "style": 0.45, "content": 0.4}
#: The share of batches that are crops, and that are edits.
CROPPED, EDITED = 0.2, 0.15
#: The shares of captions that are dropped, fragments, complete, and incomplete. The others are wrong.
SILENT, FRAGMENT, COMPLETE, INCOMPLETE = 0.2, 0.2, 0.2, 0.25
#: The share of style images made of the drawing itself, and of content images in other colours.
SHUFFLED, RECOLOURED = 0.4, 0.4
#: Timesteps are this power of uniform numbers.
NOISY = 0.6
#: The share of pictures without an image that have the tokens of the image of zeros.
NEUTRAL = 0.4
#: The seconds between checkpoints.
SAVED = 300


class Incomplete(Writer):
    """Writes captions that do not mention some attributes."""

    def __init__(self, scene: Scene, rng: random.Random, hidden: set[str]):
        self._hidden = hidden
        super().__init__(scene, rng)

    def _choose(self) -> dict[str, str]:
        return {name: value for name, value in super()._choose().items() if name not in self._hidden}


def words_of(scene: Scene, given: set[str], other: Scene, rng: random.Random) -> str:
    """A caption for a picture that has these inspirations. `other` is any other scene."""
    chance = rng.random()
    if chance < SILENT:
        return ""
    chance -= SILENT
    if chance < FRAGMENT:
        return fragment(scene, rng)
    chance -= FRAGMENT
    if chance < COMPLETE:
        return caption(scene, rng)
    chance -= COMPLETE
    if chance < INCOMPLETE:
        hidden = {name for name in ("place", "weather", "framing", "expression") if rng.random() < 0.4}
        hidden |= {name for name in ("style", "time") if rng.random() < (0.85 if "style" in given else 0.4)}
        return Incomplete(scene, rng, hidden).text()
    if "style" in given:
        changed = replace(scene, style=rng.choice([style for style in words.STYLES if style != scene.style]))
        if rng.random() < 0.4:
            changed = replace(changed, time=rng.choice(words.TIMES))
        return caption(changed, rng)
    return caption(other if given - {"scribble"} else scene, rng)


@dataclass
class Batch:
    latents: torch.Tensor
    states: torch.Tensor  # of the text encoder
    known: torch.Tensor | None  # of edits: latents without noise, (count, 1, height, width)
    inputs: Inputs


class Samples:
    """Batches of pictures of one size."""

    def __init__(self, views: Path, tokenizer: CLIPTokenizer, text: CLIPTextModel):
        self._views, self._tokenizer, self._text = views, tokenizer, text
        self._nothing = Eye()(None)
        self._files: set[str] = set()
        #: The drawings of each size: their fields, number in these, and scene.
        self._sizes: dict[tuple[int, int], list[tuple[dict, int, Scene]]] = defaultdict(list)
        #: The drawings in each style and light.
        self._looks: dict[tuple[str, str], list[tuple[dict, int, Scene]]] = defaultdict(list)
        self.refresh()

    def refresh(self) -> int:
        """Loads new files. Returns the number of drawings."""
        for file in sorted(self._views.glob("*.pt")):
            if file.name not in self._files:
                self._files.add(file.name)
                for fields in torch.load(file, mmap=True):
                    size = tuple(fields["latents"].shape[2:])
                    for i, data in enumerate(fields["scenes"]):
                        scene = Scene.from_json(data)
                        self._sizes[size].append((fields, i, scene))
                        self._looks[scene.style, scene.time].append((fields, i, scene))
        return sum(map(len, self._sizes.values()))

    def batch(self, count: int, rng: random.Random) -> Batch:
        sizes = [size for size, drawn in self._sizes.items() if len(drawn) >= count]
        height, width = rng.choices(sizes, [len(self._sizes[size]) for size in sizes])[0]
        chosen = rng.sample(self._sizes[height, width], count)
        high, wide = height, width
        edited, cropped = rng.random() < EDITED, rng.random() < CROPPED
        if cropped:
            high, wide = rng.choice(crops.SIDES), rng.choice(crops.SIDES)
        kinds = [kind for kind in KINDS if not (cropped and kind == "content")]
        latents, captions, known = [], [], []
        values: dict[str, list] = {kind: [] for kind in kinds}
        numbers: dict[str, list[int]] = {kind: [] for kind in kinds}
        for number, (fields, i, scene) in enumerate(chosen):
            box = choose_hole(scene, rng)[0] if edited else None
            if box:
                box = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
            left, top, shown = crops.window(scene, (width, height), (wide, high), rng, box)
            latents.append(fields["latents"][i][:, top : top + high, left : left + wide])
            given = {kind for kind in kinds if rng.random() < GIVEN[kind]} or {rng.choice(kinds)}
            for kind in given:
                numbers[kind].append(number)
                if kind in IMAGES:
                    values[kind].append(self._image(kind, fields, i, scene, rng))
                else:
                    variants = fields[f"{kind}s"][i]
                    side = FACTOR // SHRINK[kind]
                    cut = variants[rng.randrange(len(variants))]
                    cut = cut if kind == "scribble" else cut[None]
                    cut = cut[:, side * top : side * (top + high), side * left : side * (left + wide)]
                    values[kind].append(cut)
            captions.append(words_of(shown, given, rng.choice(chosen)[2], rng))
            if edited:
                if box:
                    box = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
                known.append(crops.hole(box or random_box(wide, high, rng), (wide, high), rng))
        inputs = {}
        for kind in kinds:
            if numbers[kind]:
                value, at = torch.stack(values[kind]).float(), torch.tensor(numbers[kind])
                if kind in PICTURES:
                    inputs[kind] = Given(at, padded(partial(kind, value / 255, rng), kind))
                else:
                    weights = (torch.rand(count) < NEUTRAL).float().index_fill(0, at, 1.0)
                    inputs[kind] = Given(at, value, self._nothing, weights)
        ids = self._tokenizer(
            captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            states = self._text(ids).last_hidden_state
        holes = torch.stack(known)[:, None] if known else None
        return Batch(torch.stack(latents).float(), states, holes, inputs)

    def _image(self, kind: str, fields: dict, i: int, scene: Scene, rng: random.Random) -> torch.Tensor:
        """The hidden states of a style image or a content image for a drawing."""
        if kind == "content":
            partner = int(fields["partners"][i])
            if partner < 0 or rng.random() < RECOLOURED:
                return fields["images"][i, 1]
            return fields["images"][partner, 0]
        if rng.random() < SHUFFLED:
            return fields["images"][i, 2]
        alike = self._looks[scene.style, scene.time]
        # Most have the same weather too, because weather changes colours.
        for _ in range(6):
            other, j, seen = rng.choice(alike)
            if seen.weather == scene.weather and seen.seed != scene.seed:
                break
        return other["images"][j, 2 if rng.random() < 0.25 else 0]


def partial(kind: str, value: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Inputs of outline or scribble that cover a part of the picture only. `value` is ink, or colours, in 0..=1."""
    count, _, height, width = value.shape
    shown = regions(count, height, width, rng)
    if kind == "outline":
        if rng.random() < 0.5:
            # Some segments are missing.
            noise = torch.rand(count, 1, height // rng.randint(6, 16), width // rng.randint(6, 16))
            gaps = F.interpolate(noise, (height, width), mode="nearest") > rng.uniform(0.6, 0.95)
            shown = shown * (~gaps).float()
        return value * shown
    return torch.cat([(2 * value - 1) * shown, shown], 1)


def loss_of(
    adapters: Adapters, unet: UNet2DConditionModel, batch: Batch, alphas: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean squared error of v, and the error of each picture; see train_unet.py."""
    latents, known, count = batch.latents, batch.known, len(batch.latents)
    parts = (torch.randperm(count) + torch.rand(count)) / count
    times = (parts**NOISY * len(alphas)).long().clamp(max=len(alphas) - 1)
    signal = alphas[times].sqrt().view(-1, 1, 1, 1)
    spread = (1 - alphas[times]).sqrt().view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy, wanted = signal * latents + spread * noise, signal * noise - spread * latents
    if known is not None:
        noisy = torch.where(known, latents, noisy)
        wanted = torch.where(known, (signal - 1) / spread * latents, wanted)
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        predicted = adapters.predict(unet, noisy, times, batch.states, batch.inputs)
    weights = torch.ones(1) if known is None else torch.where(known, KNOWN, 1.0)
    errors = (predicted.float() - wanted).square() * weights
    return errors.mean() / weights.mean(), errors.detach().mean((1, 2, 3)) / weights.mean()


class Worker:
    """Computes gradients. The adapters can be in shared memory."""

    def __init__(self, args: argparse.Namespace, seed: int, adapters: Adapters | None = None):
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        tokenizer = CLIPTokenizer.from_pretrained(args.model / "tokenizer")
        text = CLIPTextModel.from_pretrained(args.model / "text_encoder", dtype=torch.float32).eval()
        self._unet = UNet2DConditionModel.from_pretrained(args.model / "unet", dtype=torch.float32)
        self._unet.eval().requires_grad_(False)
        self.adapters = adapters or Adapters(self._unet)
        self.adapters.attach(self._unet)
        self.samples = Samples(args.views, tokenizer, text)
        self._alphas, self._count = schedule().alphas_cumprod, args.batch

    def gradients(self, rng: random.Random) -> tuple[list[torch.Tensor], dict[str, float]]:
        """The gradients of a batch, and the errors of pictures with each kind of inspiration."""
        batch = self.samples.batch(self._count, rng)
        loss, errors = loss_of(self.adapters, self._unet, batch, self._alphas)
        weights = list(self.adapters.parameters())
        found = torch.autograd.grad(loss, weights, allow_unused=True)
        figures = {"loss": loss.item()}
        for kind in KINDS:
            given = batch.inputs.get(kind)
            figures[kind] = errors[given.numbers].mean().item() if given else loss.item()
        return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found)], figures


def help_out(
    adapters: Adapters, shared: list[torch.Tensor], args: argparse.Namespace, seed: int, pipe
) -> None:
    """The second process: writes gradients of another batch to `shared` whenever it is asked."""
    worker, rng = Worker(args, seed, adapters), random.Random(f"helper {seed}")
    while pipe.recv():
        found, figures = worker.gradients(rng)
        for own, gradient in zip(shared, found):
            own.copy_(gradient)
        worker.samples.refresh()
        pipe.send(figures)


def main() -> None:
    parser = arguments(__doc__, lr=3e-3, batch=24)
    parser.add_argument("--views", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODELS / "sketch")
    args = parser.parse_args()
    worker = Worker(args, args.seed)
    adapters = worker.adapters
    print(
        {kind: sum(p.numel() for p in network.parameters()) for kind, network in adapters.items()}, flush=True
    )
    first = ("conv_in", "latents", "proj_in", "proj_out")
    steppers = [(optimizer, 1.0) for optimizer in optimizers(adapters, args.lr, 0.01, first)]
    training = Training(adapters, steppers, args, keep=0.995, steady=0.6)
    # Two processes with one thread each share the work. Threads of one process wait for the slowest after each
    # operation, which costs most of the time on a busy machine.
    adapters.share_memory()
    shared = [torch.zeros_like(weight).share_memory_() for weight in adapters.parameters()]
    context = torch.multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    seed = args.seed + 1000 + training.step
    context.Process(target=help_out, args=(adapters, shared, args, seed, other), daemon=True).start()

    def save() -> None:
        training.save()
        with training.average.applied():
            adapters.export(args.out / "adapters")

    saved = time.monotonic()
    for _ in training:
        pipe.send(True)
        found, figures = worker.gradients(training.rng)
        others = pipe.recv()
        # The gradient of this sum is the mean of both gradients.
        loss = sum(
            (weight * (own + extra) / 2).sum()
            for weight, own, extra in zip(adapters.parameters(), found, shared)
        )
        training.learn(loss, {name: (figures[name] + others[name]) / 2 for name in figures})
        if training.step % 100 == 0:
            training.report(drawings=worker.samples.refresh())
        if time.monotonic() - saved > SAVED:
            saved = time.monotonic()
            save()
    pipe.send(False)
    save()


if __name__ == "__main__":
    main()

"""Views of drawings for train_latent_clip.py: latents of whole drawings, of crops and of parts with masks, the embeddings
of their pictures and captions, and the denoiser's predictions of some latents.

`python training/views.py --drawings DIR --out FILE.pt [--code .] [--model DIR] [--clip DIR] [--seed S]`

Writes a list of `Views`, one for each size, and one for each size of parts.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

import crops
import parts
from drawings import UNSEEN, Drawings
from evaluate import Clip
from export import schedule
from principal import FACTOR, Code, tensor
from sketchbook import words
from sketchbook.caption import compose
from sketchbook.sampling import COLOURS_OF, fits
from sketchbook.scene import Scene

#: The sides of crops in latents. Few sizes, so that there are enough crops of each for a batch.
SIDES = (6, 8, 9, 11, 13)
#: The number of crops of a drawing, and of captions of a view.
CROPS, CAPTIONS = 1, 2
#: The share of views with a prediction.
PREDICTED = 0.34
#: The timesteps of predictions. Earlier ones barely differ from the latents.
TIMES = range(200, 1000)

#: For views that are no parts: cross_entropy's ignore_index.
UNNAMED = -100

ATTRIBUTES = ("place", "time", "weather", "style", "expression", "kind", "colour")


@dataclass
class Views:
    """Views of one size, (width, height) in latents. Embeddings are unit vectors of sketch-clip."""

    latents: torch.Tensor  # f16 (count, 32, height, width)
    predicted: torch.Tensor  # f16, for the first views only: the denoiser's predictions from noisy latents
    pictures: torch.Tensor  # (count, 128); 0 for parts
    captions: torch.Tensor  # (count, CAPTIONS, 128)
    altered: torch.Tensor  # (count, CAPTIONS, n, 128): captions of the same scene with another attribute; 3 for parts
    styles: torch.Tensor  # (count,): numbers in words.STYLES
    names: torch.Tensor  # (count,): numbers in parts.names(); UNNAMED unless parts
    masks: torch.Tensor  # f32 (count, 1, height, width): the shares that belong to the parts; 1 unless parts


def variants(scene: Scene, attribute: str) -> list[Scene]:
    """The scene with each other value of an attribute, or with each other kind or colour of its first subject."""
    if attribute == "weather" and scene.place in words.INDOORS:
        return []
    if attribute in ("kind", "colour"):
        if not scene.subjects:
            return []
        first, *others = scene.subjects
        if attribute == "colour":
            changed = [replace(first, colour=colour) for colour in COLOURS_OF[first.kind]]
        else:
            kinds = words.PEOPLE + words.ANIMALS if scene.framing == "portrait" else words.SUBJECTS
            changed = [replace(first, kind=kind, hair=None) for kind in kinds if fits(kind, scene.place)]
        return [
            replace(scene, subjects=[other, *others])
            for other in changed
            if getattr(other, attribute) != getattr(first, attribute)
        ]
    current = getattr(scene, attribute)
    if current is None:
        return []
    every = getattr(words, f"{attribute}s".upper())
    return [replace(scene, **{attribute: value}) for value in every if value != current]


def contrast(scene: Scene, rng: random.Random) -> tuple[str, str]:
    """A caption, and the caption of a scene that differs in one attribute, which it mentions. Both are equal if
    several random captions mention none."""
    for _ in range(8):
        attribute = rng.choice(ATTRIBUTES)
        seed, others = rng.getrandbits(32), variants(scene, attribute)
        text = compose(scene, random.Random(seed)).text
        if not others:
            continue
        other = rng.choice(others)
        wrong = compose(other, random.Random(seed))
        of = other.subjects[0] if attribute in ("kind", "colour") else other
        said = [value for key, value in wrong.said.items() if key.split(".")[-1] == attribute]
        if getattr(of, attribute) in said and wrong.text != text:
            return text, wrong.text
    return text, text


class Denoiser:
    """Predicts latents from noisy latents and a caption."""

    def __init__(self, model: Path):
        self._tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self._text = CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32).eval()
        self._unet = UNet2DConditionModel.from_pretrained(model / "unet", dtype=torch.float32).eval()
        #: The share of the signal at each timestep: cumulative products.
        self.alphas = schedule().alphas_cumprod

    @torch.no_grad()
    def states(self, texts: list[str]) -> torch.Tensor:
        ids = self._tokenizer(
            texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        return self._text(ids).last_hidden_state

    @torch.no_grad()
    def clean(self, noisy: torch.Tensor, states: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """The predicted latents without noise."""
        alphas = self.alphas[times].view(-1, 1, 1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            v = self._unet(noisy, times, states).sample.float()
        return alphas.sqrt() * noisy - (1 - alphas).sqrt() * v

    def predict(self, latents: torch.Tensor, texts: list[str], times: torch.Tensor) -> torch.Tensor:
        """Adds noise to latents and removes it again."""
        alphas = self.alphas[times].view(-1, 1, 1, 1)
        noisy = alphas.sqrt() * latents + (1 - alphas).sqrt() * torch.randn_like(latents)
        return self.clean(noisy, self.states(texts), times)


def embedded(clip: Clip, texts: list[str], batch: int = 64) -> np.ndarray:
    """Embeds texts, sorted by length because shorter batches are faster."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.empty((len(texts), clip.model.config.projection_dim), np.float32)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        found[chosen] = clip.texts([texts[i] for i in chosen])
    return found


@dataclass
class Shown:
    """A view before it is embedded."""

    picture: np.ndarray  # u8 (height, width, 3)
    scene: Scene
    text: list[tuple[str, list[str]]]  # CAPTIONS captions, each with its altered ones
    mask: np.ndarray | None = None  # of a part

    def group(self) -> tuple[int, int, bool]:
        height, width = self.picture.shape[:2]
        return width, height, self.mask is not None


def shown(picture: np.ndarray, scene: Scene, rng: random.Random) -> list[Shown]:
    """The views of a drawing."""

    def captioned(scene: Scene) -> list[tuple[str, list[str]]]:
        pairs = (contrast(scene, rng) for _ in range(CAPTIONS))
        return [(right, [wrong]) for right, wrong in pairs]

    found = [Shown(picture, scene, captioned(scene))]
    size = (picture.shape[1] // FACTOR, picture.shape[0] // FACTOR)
    for _ in range(CROPS):
        wide, high = rng.choice(SIDES), rng.choice(SIDES)
        left, top, seen = crops.window(scene, size, (wide, high), rng)
        top, left = top * FACTOR, left * FACTOR
        crop = picture[top : top + high * FACTOR, left : left + wide * FACTOR]
        found.append(Shown(crop, seen, captioned(seen)))
    for part in parts.parts(picture, scene, rng):
        texts = [parts.contrast(part.scene, rng) for _ in range(CAPTIONS)]
        found.append(Shown(part.picture, part.scene, texts, part.mask))
    return found


def collect(drawings: Drawings, code: Code, clip: Clip, denoiser: Denoiser, seed: int) -> list[Views]:
    """The views of all training drawings, grouped by size."""
    rng = random.Random(f"views {seed}")
    groups: dict[tuple[int, int, bool], list[tuple]] = defaultdict(list)
    for (width, height), numbers in drawings.sizes.items():
        for start in range(UNSEEN, len(numbers), 256):
            views = [each for i in numbers[start : start + 256] for each in shown(*drawings[i], rng)]
            texts = [text for each in views for right, wrong in each.text for text in (right, *wrong)]
            whole = [each.picture for each in views if each.mask is None]
            with torch.autocast("cpu", torch.bfloat16):
                embeddings, looks = iter(embedded(clip, texts)), iter(clip.pictures(whole))
            for each in views:
                rows = [np.stack([next(embeddings) for _ in range(1 + len(wrong))]) for _, wrong in each.text]
                captions = np.stack(rows)
                latents = code(tensor(each.picture[None]))[0].half()
                if each.mask is None:
                    look, number, mask = next(looks), UNNAMED, np.ones((1, *latents.shape[1:]), np.float32)
                else:
                    look, number, mask = np.zeros_like(captions[0, 0]), parts.number(each.scene), each.mask
                style = words.STYLES.index(each.scene.style)
                right, wrong = captions[:, 0], captions[:, 1:]
                groups[each.group()].append((latents, each.text[0][0], look, right, wrong, style, number, mask))
        print(f"{width}x{height}: {len(numbers)} drawings", flush=True)
    return [grouped(views, denoiser) for views in groups.values()]


def grouped(views: list[tuple], denoiser: Denoiser) -> Views:
    latents, texts, *embeddings = zip(*views)
    latents, count = torch.stack(latents), round(PREDICTED * len(views))
    predicted = []
    for start in range(0, count, 64):
        part = latents[start : min(start + 64, count)].float()
        times = torch.randint(TIMES.start, TIMES.stop, (len(part),))
        predicted.append(denoiser.predict(part, list(texts[start : start + len(part)]), times).half())
    predicted = torch.cat(predicted) if predicted else latents[:0]
    return Views(latents, predicted, *(torch.from_numpy(np.stack(rows)) for rows in embeddings))


def load(files: list[Path]) -> list[Views]:
    """The views of several files, grouped by size. Parts are separate."""
    groups = defaultdict(list)
    for file in files:
        for views in torch.load(file):
            groups[views["latents"].shape[2:], views["altered"].shape[2]].append(views)
    joined = []
    for same in groups.values():
        # Views with predictions come first.
        counts = [len(views["predicted"]) for views in same]
        fields = {"predicted": torch.cat([views["predicted"] for views in same])}
        for name in ("latents", "pictures", "captions", "altered", "styles", "names", "masks"):
            firsts = [views[name][:count] for views, count in zip(same, counts)]
            fields[name] = torch.cat(firsts + [views[name][count:] for views, count in zip(same, counts)])
        joined.append(Views(**fields))
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    models = Path(__file__).parent.parent / "assets" / "models"
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--code", type=Path, default=Path(__file__).parent, help="the folder of principal.npz")
    parser.add_argument("--model", type=Path, default=models / "sketch")
    parser.add_argument("--clip", type=Path, default=models / "sketch-clip")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    with torch.no_grad():
        views = collect(
            Drawings(args.drawings), Code.load(args.code), Clip(args.clip), Denoiser(args.model), args.seed
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save([asdict(each) for each in views], args.out)


if __name__ == "__main__":
    main()

"""Training samples of the adapters: latents of drawings, their outlines and scribbles, and the hidden states of their
images. Half of the drawings are drawn again in another style.

`python training/inspirations.py --drawings DIR --out DIR [--code .] [--seed S] [--chunk 300]`

Writes `DIR/DRAWINGS-N.pt` for each chunk of drawings: for each size of picture a dictionary with

`scenes`     the scenes
`partners`   int64: the number of the same scene in another style, -1: none
`latents`    f16 (count, 32, height, width)
`outlines`   u8 (count, VARIANTS, 8 height, 8 width): 255 is ink
`scribbles`  u8 (count, VARIANTS, 3, 4 height, 4 width)
`images`     f16 (count, 3, 65, 160): of the drawing, of the drawing in other colours, of its shuffled parts
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from adapters import Eye, outline, scribble
from drawings import UNSEEN, Drawings, squeezed
from principal import Code, tensor
from sketchbook import words
from sketchbook.draw import draw
from sketchbook.scene import Scene
from train_clip import SIDE

#: Outlines and scribbles of a drawing.
VARIANTS = 2
#: Pictures are processed in groups.
GROUP = 8


def restyled(scene: Scene, rng: random.Random) -> Scene:
    """The scene in another style, often also at another time of day."""
    style = rng.choice([style for style in words.STYLES if style != scene.style])
    moon = any(subject.kind == "moon" for subject in scene.subjects)
    time = scene.time if moon or rng.random() < 0.6 else rng.choice(words.TIMES)
    return replace(scene, style=style, time=time)


def recoloured(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    """The picture in other colours, or in grey."""
    x = picture.astype(np.float32)
    grey = x.mean(2, keepdims=True)
    order = rng.sample(range(3), 3)
    x = grey + (x[..., order] - grey) * rng.choice((0, 0.4, 1, 1, 1.3))
    x = 128 + (x - 128) * rng.uniform(0.7, 1.25) + rng.uniform(-30, 30)
    return x.clip(0, 255).astype(np.uint8)


def shuffled(picture: np.ndarray, rng: random.Random) -> np.ndarray:
    """Parts of the picture in random order: the look without the layout."""
    height, width = picture.shape[:2]
    wide, high = (int(side * rng.uniform(0.6, 1)) for side in (width, height))
    left, top = rng.randint(0, width - wide), rng.randint(0, height - high)
    image = Image.fromarray(picture).crop((left, top, left + wide, top + high))
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    side = rng.choice((32, 64))
    corners = [(x, y) for y in range(0, SIDE, side) for x in range(0, SIDE, side)]
    parts = [image.crop((x, y, x + side, y + side)) for x, y in corners]
    out = Image.new("RGB", (SIDE, SIDE))
    for corner, part in zip(corners, rng.sample(parts, len(parts))):
        out.paste(part, corner)
    return np.asarray(out)


@torch.no_grad()
def prepared(pictures: list[np.ndarray], code: Code, eye: Eye, rng: random.Random) -> dict:
    """The fields of pictures of one size."""
    parts: dict[str, list] = {"latents": [], "outlines": [], "scribbles": [], "images": []}
    for start in range(0, len(pictures), GROUP):
        some = pictures[start : start + GROUP]
        x = tensor(np.stack(some))
        parts["latents"].append(code(x).half())
        drawn = torch.cat([outline((x + 1) / 2, rng) for _ in range(VARIANTS)], 1)
        parts["outlines"].append((255 * drawn).round().to(torch.uint8))
        rough = np.stack([[scribble(picture, rng) for _ in range(VARIANTS)] for picture in some])
        parts["scribbles"].append(torch.from_numpy(rough).permute(0, 1, 4, 2, 3).contiguous())
        seen = [
            squeezed(some, SIDE),
            squeezed([recoloured(picture, rng) for picture in some], SIDE),
            np.stack([shuffled(picture, rng) for picture in some]),
        ]
        states = eye(np.concatenate(seen)).half()
        parts["images"].append(states.view(3, len(some), *states.shape[1:]).transpose(0, 1))
    return {name: torch.cat(values) for name, values in parts.items()}


def chunk(drawings: Drawings, numbers: range, code: Code, eye: Eye, rng: random.Random) -> dict | None:
    scenes, pictures, partners = [], [], []
    for i in numbers:
        scene, own = drawings.scenes[i], len(scenes)
        scenes.append(scene)
        pictures.append(drawings.picture(i))
        partners.append(-1)
        if i % 2:
            other = restyled(scene, rng)
            scenes.append(other)
            pictures.append(draw(other))
            partners[own] = own + 1
            partners.append(own)
    if not scenes:
        return None
    fields = prepared(pictures, code, eye, rng)
    return {"scenes": [scene.to_json() for scene in scenes], "partners": torch.tensor(partners), **fields}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawings", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--code", type=Path, default=Path(__file__).parent, help="the folder of principal.npz"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=300)
    args = parser.parse_args()
    code, eye = Code.load(args.code), Eye()
    args.out.mkdir(parents=True, exist_ok=True)
    for folder in args.drawings:
        drawings = Drawings(folder)
        # Each chunk has the same share of each size.
        count = -(-len(drawings) // args.chunk)
        for part in range(count):
            file = args.out / f"{folder.name}-{part:02}.pt"
            if file.exists():
                continue
            rng = random.Random(f"{args.seed}/{folder.name}/{part}")
            torch.manual_seed(rng.getrandbits(32))
            sizes = []
            for numbers in drawings.sizes.values():
                seen = numbers[UNSEEN:]
                own = seen[len(seen) * part // count : len(seen) * (part + 1) // count]
                sizes.append(chunk(drawings, own, code, eye, rng))
            new = file.with_suffix(".new")
            torch.save([size for size in sizes if size], new)
            new.rename(file)
            print(file.name, sum(len(size["scenes"]) for size in sizes if size), flush=True)


if __name__ == "__main__":
    main()

"""A labelled contact sheet of drawings for inspection.

python -m sketchbook.sheet OUT.png                          48 sampled scenes
python -m sketchbook.sheet OUT.png --place cave --time night
python -m sketchbook.sheet OUT.png --each style --count 4   four scenes, each in every style
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace

import numpy as np
from PIL import Image

import grid
from sketchbook import words
from sketchbook.draw import draw
from sketchbook.sampling import sample_scene
from sketchbook.scene import Scene, Subject

SIZES = {"square": (256, 256), "wide": (384, 224), "tall": (224, 288)}
#: The fields that a sheet can set or vary, with their values.
CHOICES = {
    "place": words.PLACES,
    "time": words.TIMES,
    "weather": words.WEATHERS,
    "style": words.STYLES,
    "framing": words.FRAMINGS,
    "expression": words.EXPRESSIONS,
    "subject": words.SUBJECTS,
    "colour": tuple(words.COLOURS),
    "position": words.POSITIONS,
    "size": tuple(SIZES),
}


def changed(scene: Scene, field: str, value: str) -> Scene:
    """Sets one of the CHOICES of `scene`. Attributes of subjects are set for the first one."""
    if field == "size":
        width, height = SIZES[value]
        return replace(scene, width=width, height=height)
    if field == "subject":
        old = scene.subjects[0] if scene.subjects else Subject(value, "red")
        hair = (old.hair or "brown") if value in words.PEOPLE else None
        return replace(scene, subjects=[replace(old, kind=value, hair=hair)] + scene.subjects[1:])
    if field in ("colour", "position"):
        first = [replace(subject, **{field: value}) for subject in scene.subjects[:1]]
        return replace(scene, subjects=first + scene.subjects[1:])
    return replace(scene, **{field: value})


def scenes(count: int, seed: int, chosen: dict[str, str], each: str | None) -> list[Scene]:
    """`count` random scenes with the `chosen` values. With `each`, one scene for each value of that field."""
    out = []
    for i in range(count):
        scene = sample_scene(random.Random(seed * 1000 + i))
        for field, value in chosen.items():
            scene = changed(scene, field, value)
        out += [changed(scene, each, value) for value in CHOICES[each]] if each else [scene]
    return out


def label(scene: Scene) -> str:
    """A label that describes the drawing."""
    who = ", ".join(f"{s.colour} {s.kind} {s.position}" for s in scene.subjects) or "nobody"
    mood = f", {scene.expression}" if scene.expression else ""
    return f"{scene.place} {scene.time} {scene.weather}, {scene.style} {scene.framing}, {who}{mood}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--columns", type=int, help="8, or one for each value of --each")
    parser.add_argument("--shrink", type=float, default=1.0, help="divides the drawings' size")
    parser.add_argument("--each", choices=CHOICES, help="draw every scene with each value of this field")
    for field, values in CHOICES.items():
        parser.add_argument(f"--{field}", choices=values, metavar=field.upper())
    args = parser.parse_args()
    chosen = {field: value for field in CHOICES if (value := getattr(args, field))}
    todo = scenes(args.count, args.seed, chosen, args.each)
    pictures = []
    for scene in todo:
        small = int(scene.width / args.shrink), int(scene.height / args.shrink)
        pictures.append(np.asarray(Image.fromarray(draw(scene)).resize(small, Image.Resampling.LANCZOS)))
    columns = args.columns or (min(12, len(CHOICES[args.each])) if args.each else 8)
    grid.labelled(pictures, [label(scene) for scene in todo], columns).save(args.out)


if __name__ == "__main__":
    main()

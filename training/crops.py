"""Crops of drawings with their scenes, and holes in them, to train the denoiser on edits.

An edit draws a part in a crop with some surroundings. A model that was only trained on whole scenes would draw a
small whole scene into the crop.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace

import torch

from sketchbook.draw import (
    ACROSS,
    ALONE,
    FAR,
    HALF_WIDTH,
    HEIGHT,
    IN_WIDE_VIEW,
    MOON_HEIGHT,
    MOON_SIZE,
    SLIM,
    STANDS_FAR,
    TOGETHER,
)
from sketchbook.sampling import fits
from sketchbook.scene import Scene, Subject
from sketchbook.words import POSITIONS, SUBJECTS

#: The sides of a crop in latents.
SIDES = range(8, 14)

#: The approximate height of feet, in hundredths of the picture: by framing, and by whether the subject stands far away.
FEET = {("full", False): 91, ("full", True): 81, ("wide", False): 84, ("wide", True): 78}
WATER = 69
#: The margin of a hole around the redrawn subject, in latents: masks are drawn by hand.
MARGIN = (0.3, 2.0)

Window = tuple[float, float, float, float]  # left, top, right, bottom as parts of the picture


def window(
    scene: Scene,
    size: tuple[int, int],
    sides: tuple[int, int],
    rng: random.Random,
    box: Window | None = None,
) -> tuple[int, int, Scene]:
    """Chooses a random crop of `sides` latents from a picture of `size` latents, both (width, height). Returns its
    left, its top and the scene that it shows. The crop contains `box`, if given, or the centre of a larger box."""
    width, height = size
    wide, high = sides
    for _ in range(100):
        x, y = rng.randrange(width - wide + 1), rng.randrange(height - high + 1)
        if box:
            x, y = _over(box[0], box[2], wide, width, rng), _over(box[1], box[3], high, height, rng)
        part = seen(scene, (x / width, y / height, (x + wide) / width, (y + high) / height))
        positions = [subject.position for subject in part.subjects]
        if len(set(positions)) == len(positions):
            break
    return x, y, part


def _over(start: float, end: float, length: int, of: int, rng: random.Random) -> int:
    """The start of an interval of `length` inside `of` that contains `start` to `end`."""
    if end - start < length:
        first, last = math.ceil(end) - length, math.floor(start)
    else:
        first = last = round((start + end - length) / 2)
    first, last = (min(max(edge, 0), of - length) for edge in (first, last))
    return rng.randint(min(first, last), max(first, last))


def seen(scene: Scene, cut: Window) -> Scene:
    """The scene that a window shows. Omits subjects whose centre is outside. The others have their position in
    the window. Only a portrait keeps its framing."""
    left, top, right, bottom = cut

    def within(subject: Subject) -> Subject | None:
        west, north, east, south = around(subject, scene)
        x = ((west + east) / 2 - left) / (right - left)
        y = ((north + south) / 2 - top) / (bottom - top)
        if not (0 < x < 1 and 0 < y < 1):
            return None
        return replace(subject, position=min(ACROSS, key=lambda name: abs(ACROSS[name] - x)))

    subjects = [subject for subject in map(within, scene.subjects) if subject]
    if cut == (0, 0, 1, 1):
        return replace(scene, subjects=subjects)
    if scene.framing == "portrait" and subjects:
        # A portrait stays a portrait at any position of the face in the window.
        return replace(scene, subjects=[replace(subjects[0], position="centre")])
    return replace(scene, subjects=subjects, framing=None, expression=None)


def around(subject: Subject, scene: Scene) -> Window:
    """The approximate box of a subject. The exact box is known only while drawing."""
    x = ACROSS[subject.position]
    if scene.framing == "portrait":
        return (x - 0.35, 0.1, x + 0.35, 1.0)
    if subject.kind == "moon":
        high, foot = MOON_SIZE, MOON_HEIGHT + MOON_SIZE / 2
    else:
        far = subject.kind in STANDS_FAR
        foot = WATER if subject.kind == "boat" else FEET[scene.framing, far]
        high = TOGETHER if len(scene.subjects) > 1 else ALONE
        if scene.framing == "wide":
            high = IN_WIDE_VIEW * (FAR if far else 1.0)
        high = min(high * HEIGHT.get(subject.kind, 1.0) * 256 / scene.height, foot)
    half = HALF_WIDTH.get(subject.kind, SLIM) * high / 100 * scene.height / scene.width
    return (x - half, (foot - high) / 100, x + half, foot / 100)


def nobody(scene: Scene, rng: random.Random) -> Window | None:
    """The box of an empty hole, if there is room for a subject."""
    if scene.framing == "portrait":
        return None
    taken = [around(subject, scene) for subject in scene.subjects]
    kinds = [kind for kind in SUBJECTS if fits(kind, scene.place)]
    for position in rng.sample(POSITIONS, len(POSITIONS)):
        left, top, right, bottom = around(Subject(rng.choice(kinds), "red", position), scene)
        if all(right < box[0] or box[2] < left or bottom < box[1] or box[3] < top for box in taken):
            return (left, top, right, bottom)
    return None


def hole(box: Window, size: tuple[int, int], rng: random.Random) -> torch.Tensor:
    """(height, width) bool: False inside a hole, True around it. The hole is a rectangle or an oval around `box`, in
    latents, with a margin.

    At least one latent stays outside and one inside.
    """
    width, height = size
    left, top, right, bottom = (
        edge + sign * rng.uniform(*MARGIN) for edge, sign in zip(box, (-1, -1, 1, 1), strict=True)
    )
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    if rng.random() < 0.5:
        known = (x < left) | (x > right) | (y < top) | (y > bottom)
    else:
        # A tenth larger than the inscribed oval, which would cut off the corners.
        across = (2 * x - left - right) / (1.1 * (right - left))
        down = (2 * y - top - bottom) / (1.1 * (bottom - top))
        known = across**2 + down**2 > 1
    corner = (rng.choice((0, -1)), rng.choice((0, -1)))
    if not known.any():
        known[corner] = True
    if known.all():
        known[corner] = False
    return known

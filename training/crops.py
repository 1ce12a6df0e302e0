"""Parts of drawings with what is seen in them, and holes in them, so that the denoiser learns to edit.

An edit of a part works on a crop with some surroundings. A model that has only seen whole scenes would
draw a whole small scene there.
"""

from __future__ import annotations

import random
from dataclasses import replace

import torch

from sketchbook.draw import (
    ACROSS,
    ALONE,
    HALF_WIDTH,
    HEIGHT,
    IN_WIDE_VIEW,
    MOON_HEIGHT,
    MOON_SIZE,
    SLIM,
    STANDS_FAR,
    TOGETHER,
)
from sketchbook.scene import Scene, Subject

#: Sides of a crop, in latents.
SIDES = range(8, 13)

#: About where feet stand, in hundredths of the height: near and far, in full and in wide views, and afloat.
FEET = {("full", False): 91, ("full", True): 81, ("wide", False): 84, ("wide", True): 78}
WATER = 69
#: How much wider than what is drawn anew a hole is on each side, in latents: masks are drawn by hand.
MARGIN = (0.3, 2.0)

Window = tuple[float, float, float, float]  # left, top, right, bottom as parts of the picture


def window(scene: Scene, size: tuple[int, int], side: int, rng: random.Random) -> tuple[int, int, Scene]:
    """A square of `side` latents, by chance, in `size` latents (width, height): its left, its top, and what
    is seen through it."""
    width, height = size
    while True:
        x, y = rng.randrange(width - side + 1), rng.randrange(height - side + 1)
        part = seen(scene, (x / width, y / height, (x + side) / width, (y + side) / height))
        positions = [subject.position for subject in part.subjects]
        if len(set(positions)) == len(positions):
            return x, y, part


def seen(scene: Scene, cut: Window) -> Scene:
    """What is seen of a scene through a window: whose middle lies outside isn't there, and who is there
    stands where the window has them."""
    left, top, right, bottom = cut

    def within(subject: Subject) -> Subject | None:
        west, north, east, south = around(subject, scene)
        x = ((west + east) / 2 - left) / (right - left)
        y = ((north + south) / 2 - top) / (bottom - top)
        if not (0 < x < 1 and 0 < y < 1):
            return None
        return replace(subject, position=min(ACROSS, key=lambda name: abs(ACROSS[name] - x)))

    subjects = [subject for subject in map(within, scene.subjects) if subject]
    if scene.framing == "portrait" and subjects:
        # A face stays a face, wherever in the window it is.
        return replace(scene, subjects=[replace(subjects[0], position="centre")])
    return replace(scene, subjects=subjects, framing="full", expression=None)


def around(subject: Subject, scene: Scene) -> Window:
    """About what a subject takes up; the drawing knows exactly, but only while it is drawn."""
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
            high = IN_WIDE_VIEW * (1.15 if far else 1.0)
        high = min(high * HEIGHT.get(subject.kind, 1.0) * 256 / scene.height, foot)
    half = HALF_WIDTH.get(subject.kind, SLIM) * high / 100 * scene.height / scene.width
    return (x - half, (foot - high) / 100, x + half, foot / 100)


def hole(box: Window, size: tuple[int, int], rng: random.Random) -> torch.Tensor:
    """(height, width) bool: True at the latents around a hole, for `box` in latents and some more; a box or an oval.

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
        # An oval through the middles of the box's sides would cut off its corners: it is a tenth larger.
        across = (2 * x - left - right) / (1.1 * (right - left))
        down = (2 * y - top - bottom) / (1.1 * (bottom - top))
        known = across**2 + down**2 > 1
    corner = (rng.choice((0, -1)), rng.choice((0, -1)))
    if not known.any():
        known[corner] = True
    if known.all():
        known[corner] = False
    return known

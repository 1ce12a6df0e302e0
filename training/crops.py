"""Parts of drawings with what is seen in them, so that the denoiser can also draw a part of a picture.

An edit of a part works on a crop with some surroundings. A model that has only seen whole scenes would
draw a whole small scene there.
"""

from __future__ import annotations

import random
from dataclasses import replace

from sketchbook.draw import ACROSS
from sketchbook.scene import Scene, Subject

#: Sides of a crop, in latents.
SIDES = range(8, 13)

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
        x = (ACROSS[subject.position] - left) / (right - left)
        y = (middle(subject, scene) - top) / (bottom - top)
        if not (0 < x < 1 and 0 < y < 1):
            return None
        return replace(subject, position=min(ACROSS, key=lambda name: abs(ACROSS[name] - x)))

    subjects = [subject for subject in map(within, scene.subjects) if subject]
    if scene.framing == "portrait" and subjects:
        # A face stays a face, wherever in the window it is.
        return replace(scene, subjects=[replace(subjects[0], position="centre")])
    return replace(scene, subjects=subjects, framing="full", expression=None)


def middle(subject: Subject, scene: Scene) -> float:
    """How far down the middle of a subject is, as a part of the picture's height."""
    if subject.kind == "moon":
        return 0.2
    return 0.5 if scene.framing == "portrait" else 0.62

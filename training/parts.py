"""Parts of drawings for train_latent_clip.py: a subject, or the empty place behind it, under a mask as drawn by hand."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from edits import around
from metrics import changed
from principal import FACTOR
from sketchbook import phrases, words
from sketchbook.caption import compose, name
from sketchbook.draw import draw
from sketchbook.phrases import options
from sketchbook.sampling import fits, stands_by_itself
from sketchbook.scene import Scene, Subject

#: The sides of crops around parts in latents. Few sizes, so that there are enough parts of each for a batch.
SIDES = (8, 10, 12, 14)
#: The greatest margin of a mask around its subject, in pixels.
MARGIN = 16
#: The forms of texts: as those of edits (edits.py), a name alone, a name with its position, or any caption.
FORMS, SHARES = ("edit", "name", "placed", "caption"), (35, 25, 10, 30)
EMPTY = "an empty scene"


@dataclass
class Part:
    picture: np.ndarray  # u8 (height, width, 3): the crop
    mask: np.ndarray  # f32 (1, height, width): the share of each latent that belongs to the part
    scene: Scene  # without a subject if the part is empty


def parts(picture: np.ndarray, scene: Scene, rng: random.Random) -> list[Part]:
    """The subject of a drawing and the empty place behind it. None if the drawing has several subjects, or one that
    changes the rest of it."""
    if len(scene.subjects) != 1 or not stands_by_itself(scene):
        return []
    nobody = replace(scene, subjects=[])
    behind = draw(nobody)
    subject = changed(picture, behind)
    if not subject.any():
        return []
    mask = by_hand(subject, rng)
    left, top, right, bottom = window(mask, rng)
    shares = mask[top:bottom, left:right].astype(np.float32)
    shares = shares.reshape((bottom - top) // FACTOR, FACTOR, -1, FACTOR).mean((1, 3))[None]
    return [Part(drawn[top:bottom, left:right], shares, of) for drawn, of in ((picture, scene), (behind, nobody))]


def by_hand(subject: np.ndarray, rng: random.Random) -> np.ndarray:
    """(height, width) bool: the pixels of a subject with a margin, or a rectangle or an oval around them."""
    margin, shape = rng.randint(0, MARGIN), rng.random()
    if shape < 0.5:
        wider = Image.fromarray(subject).convert("L").filter(ImageFilter.MaxFilter(2 * margin + 1))
        return np.asarray(wider) > 0
    rows, columns = (np.flatnonzero(subject.any(axis)) for axis in (1, 0))
    y, x = np.ogrid[: subject.shape[0], : subject.shape[1]]
    down = (2 * y - rows[0] - rows[-1]) / (rows[-1] - rows[0] + 1 + 2 * margin)
    across = (2 * x - columns[0] - columns[-1]) / (columns[-1] - columns[0] + 1 + 2 * margin)
    # A tenth larger than the inscribed oval, which would cut off the corners.
    return across**2 + down**2 < 1.21 if shape < 0.75 else (abs(across) < 1) & (abs(down) < 1)


def window(mask: np.ndarray, rng: random.Random) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a crop around a mask, in whole latents."""

    def over(marked: np.ndarray) -> tuple[int, int]:
        of = len(marked) // FACTOR
        inside = np.flatnonzero(marked)
        first, end = inside[0] // FACTOR, math.ceil((inside[-1] + 1) / FACTOR)
        sides = [side for side in SIDES if end - first <= side <= of] or [max(side for side in SIDES if side <= of)]
        side = rng.choice(sides[:2])
        start = min(max(rng.randint(*sorted((end - side, first))), 0), of - side)
        return start * FACTOR, (start + side) * FACTOR

    left, right = over(mask.any(0))
    top, bottom = over(mask.any(1))
    return left, top, right, bottom


def text(scene: Scene, form: str, seed: int) -> str:
    """What a part shows. The same seed gives the same words for equal attributes."""
    if form == "caption":
        # A crop has no framing.
        return compose(replace(scene, framing=None), random.Random(seed)).text
    named = name(scene.subjects[0]) if scene.subjects else EMPTY
    if form == "placed" and scene.subjects:
        named += " " + random.Random(seed).choice(options(phrases.POSITION[scene.subjects[0].position]))
    return f"{named}, {around(scene)}" if form == "edit" else named


def others(scene: Scene, rng: random.Random) -> list[Scene]:
    """The same part with a subject of another kind, of another colour, and of both, or without one. For an empty part:
    with three different subjects."""
    kinds = [kind for kind in words.SUBJECTS if fits(kind, scene.place)]
    if not scene.subjects:
        at = rng.choice(words.POSITIONS)
        found = [Subject(kind, rng.choice(list(words.COLOURS)), at) for kind in rng.sample(kinds, 3)]
        return [replace(scene, subjects=[subject]) for subject in found]
    [subject] = scene.subjects
    kind = rng.choice([kind for kind in kinds if kind != subject.kind])
    colour = rng.choice([colour for colour in words.COLOURS if colour != subject.colour])
    found = [replace(subject, kind=kind, hair=None), replace(subject, colour=colour)]
    last = [replace(found[0], colour=colour)] if rng.random() < 0.5 else []
    return [replace(scene, subjects=subjects) for subjects in ([found[0]], [found[1]], last)]


def contrast(scene: Scene, rng: random.Random) -> tuple[str, list[str]]:
    """A text of a part and three wrong ones of the same form, in random order. A wrong text can equal the right one, if
    it does not mention the difference."""
    [form], seed = rng.choices(FORMS, SHARES), rng.getrandbits(32)
    wrong = [text(other, form, seed) for other in others(scene, rng)]
    return text(scene, form, seed), rng.sample(wrong, len(wrong))


def names() -> list[str]:
    """The names of all subjects: those of the first kind in all colours, of the second one, and so on; then an empty
    part."""
    return [name(Subject(kind, colour)) for kind in words.SUBJECTS for colour in words.COLOURS] + [EMPTY]


def number(scene: Scene) -> int:
    """The index of the part's name in `names`."""
    if not scene.subjects:
        return len(words.SUBJECTS) * len(words.COLOURS)
    [subject] = scene.subjects
    return words.SUBJECTS.index(subject.kind) * len(words.COLOURS) + list(words.COLOURS).index(subject.colour)

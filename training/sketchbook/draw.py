"""Draws a scene: the place, then the subjects, then the weather."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from .canvas import Canvas, Rgb, mix
from .places import Ground, built, outdoors
from .scene import Scene, Subject
from .sky import light_of, sky_colours
from .styles import STYLES
from .subjects import animal_busts, animals, people, people_busts, things
from .weather import paint_far_weather, paint_weather
from .words import INDOORS

PLACES = outdoors.PLACES | built.PLACES
SUBJECTS = people.PEOPLE | animals.ANIMALS | things.THINGS
BUSTS = people_busts.BUSTS | animal_busts.BUSTS

#: The grid of subjects in pixels, equal to the size of a latent (principal.py). Positions and heights of subjects
#: are multiples of it at every picture size, so that a subject has the same latents at every position.
GRID = 16
#: The x of each position as a fraction of the width, before snapping to the grid.
ACROSS = {"left": 0.24, "centre": 0.5, "right": 0.76}
#: The height of an adult in hundredths of 256 pixels: alone, with another subject, and in a wide view.
ALONE, TOGETHER, IN_WIDE_VIEW = 55, 45, 36
FAR = 1.15  # enlarges distant subjects in wide views, where they would be too small
#: Heights relative to an adult. Small subjects are drawn larger than in reality, to be recognisable.
HEIGHT = {
    "girl": 0.95, "boy": 0.92, "wizard": 1.05, "fox": 0.82, "cat": 0.76, "owl": 0.74, "dragon": 1.06,
    "tree": 1.2, "boat": 1.02, "spaceship": 1.2, "lantern": 0.72, "campfire": 0.68, "tower": 1.28,
    "house": 1.06, "lighthouse": 1.3,
}  # fmt: skip
#: Subjects that are further away than people.
STANDS_FAR = ("tree", "tower", "house", "lighthouse", "boat", "spaceship")
#: Half the width of a subject of height 1. It limits the height, so that no edge cuts a subject off.
HALF_WIDTH = {
    "fox": 0.42, "cat": 0.42, "dragon": 0.5, "horse": 0.46, "tree": 0.41, "boat": 0.46,
    "spaceship": 0.41, "house": 0.48, "lighthouse": 0.41, "door": 0.42,
}  # fmt: skip
WIDEST = 0.6  # the maximum share of the picture's width, for tall pictures
SLIM = 0.36  # half the width of all other subjects
#: The share of half the gap to its neighbour that a subject may fill. Above 1, subjects overlap.
CROWDING, CROWDING_BEHIND = 1.15, 1.4
MOON_HEIGHT, MOON_SIZE = 22, 22  # the y of its centre and its width, in units
SKY_MARGIN = 4  # the margin above the tallest subject, in units
#: The light colours of subjects that illuminate their surroundings.
GLOW: dict[str, Rgb] = {"campfire": (255, 146, 48), "lantern": (255, 216, 120)}
#: The background of a portrait: its magnification, the y that it is magnified around, and its fading.
ZOOM, ZOOM_AROUND, FADE = 1.5, 46, 0.32


def draw(scene: Scene) -> np.ndarray:
    """The picture of `scene`: (height, width, 3) u8, RGB. The same scene gives the same picture."""
    rng = random.Random(scene.seed)
    canvas = Canvas(scene.width, scene.height, STYLES[scene.style](), rng)
    canvas.light = light_of(scene)
    if scene.framing == "portrait" and scene.subjects and scene.subjects[0].kind in BUSTS:
        _portrait(canvas, scene, rng)
    else:
        ground = _place(canvas, scene, rng)
        _subjects(canvas, scene, ground, rng)
        paint_weather(canvas, scene, rng)
    return canvas.pixels()


def _place(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    with canvas.marked(scenery=True):
        ground = PLACES[scene.place](canvas, scene, rng)
        paint_far_weather(canvas, scene, ground.far)
    return ground


def _portrait(canvas: Canvas, scene: Scene, rng: random.Random) -> None:
    """Head and shoulders in front of the magnified, pale place, so that the face stands out."""
    with canvas.at(canvas.w / 2 * (1 - ZOOM), ZOOM_AROUND * (1 - ZOOM), ZOOM):
        _place(canvas, scene, rng)
    with canvas.marked(backdrop=True):
        canvas.fill(canvas.everything(), _haze(scene), alpha=FADE, line=False, glow=True)
    # Rain and snow are behind the head, because flakes on a face would look like freckles.
    paint_weather(canvas, scene, rng)
    subject = scene.subjects[0]
    x = ACROSS[subject.position] * canvas.w
    with canvas.lit(_subject_light(canvas.light)), canvas.at(x, 100, 100):
        BUSTS[subject.kind](canvas, subject, scene, rng)


def _haze(scene: Scene) -> Rgb:
    """The colour of distance: the sky near the horizon, or the lit walls indoors."""
    if scene.place in INDOORS:
        return tuple(v * light for v, light in zip((196, 184, 172), light_of(scene)))
    return sky_colours(scene)[1]


def _subjects(canvas: Canvas, scene: Scene, ground: Ground, rng: random.Random) -> None:
    """Draws all subjects from back to front, except the moon, which is last so that nothing hides it."""
    standing = []
    for subject in scene.subjects:
        x = _on_grid(ACROSS[subject.position] * canvas.w, scene)
        y = _on_grid(_foot(subject, scene, ground), scene)
        standing.append((subject.kind == "moon", y, x, subject))
    standing.sort(key=lambda each: each[:3])
    light = _subject_light(canvas.light)
    for is_moon, y, x, subject in standing:
        if is_moon:
            foot = _on_grid(MOON_HEIGHT + MOON_SIZE / 2, scene)
            with canvas.marked(spot=True), canvas.at(x, foot, _on_grid(MOON_SIZE, scene)):
                SUBJECTS["moon"](canvas, subject, scene, rng)
            continue
        size = _size(subject, scene, canvas.w, y)
        _shadow(canvas, subject, ground, x, y, size)
        if subject.kind in GLOW:
            _glow(canvas, scene, x, y - size * 0.45, size, GLOW[subject.kind])
        # People and animals on the right look into the picture.
        flip = subject.position == "right" and subject.kind not in things.THINGS
        spot = True if subject.kind in things.THINGS else None
        with canvas.lit(light), canvas.marked(spot=spot), canvas.at(x, y, size, flip=flip):
            SUBJECTS[subject.kind](canvas, subject, scene, rng)


def _foot(subject: Subject, scene: Scene, ground: Ground) -> float:
    """The y of the subject's feet, or of its lower end if it floats."""
    if subject.kind == "boat" and ground.water is not None:
        return ground.water
    far = subject.kind in STANDS_FAR
    if scene.framing == "wide":
        return _between(ground.far, ground.near, 0.1 if far else 0.5)
    return _between(ground.far, ground.near, 0.35 if far else 1.0)


def _size(subject: Subject, scene: Scene, width: float, foot: float) -> float:
    """The height of the subject in units, with its feet at y = `foot`."""
    if scene.framing == "wide":
        size = IN_WIDE_VIEW * (FAR if subject.kind in STANDS_FAR else 1.0)
    else:
        size = ALONE if len(scene.subjects) == 1 else TOGETHER
    size *= HEIGHT.get(subject.kind, 1.0) * 256 / scene.height
    own = ACROSS[subject.position]
    others = [ACROSS[s.position] for s in scene.subjects if s is not subject and s.kind != "moon"]
    gap = min((abs(own - other) for other in others), default=1.0) * width
    to_edge = min(own, 1 - own, WIDEST / 2) * width
    half = HALF_WIDTH.get(subject.kind, SLIM)
    crowding = CROWDING_BEHIND if subject.kind in STANDS_FAR else CROWDING
    most = min(foot - SKY_MARGIN, crowding * gap / 2 / half, 1.04 * to_edge / half)
    return min(_on_grid(size, scene), _on_grid(most, scene, math.floor))


def _on_grid(units: float, scene: Scene, to_whole: Callable[[float], int] = round) -> float:
    """The nearest line of the grid, in units."""
    pixels = units * scene.height / 100
    return to_whole(pixels / GRID) * GRID * 100 / scene.height


def _shadow(canvas: Canvas, subject: Subject, ground: Ground, x: float, y: float, size: float) -> None:
    """A soft dark oval where the subject touches the ground."""
    if subject.kind == "boat" and ground.water is not None:
        return
    for spread, alpha in ((1.0, 0.14), (0.72, 0.2)):
        reach = size * 0.33 * spread
        canvas.oval(x, y + size * 0.005, reach, reach * 0.2, (24, 20, 40), alpha=alpha, line=False)


def _glow(canvas: Canvas, scene: Scene, x: float, y: float, size: float, colour: Rgb) -> None:
    """Soft rings of light on the surroundings: strong in the dark, faint by day."""
    dark = scene.time in ("dusk", "night") or scene.place == "cave"
    alpha = 0.065 if dark else 0.022
    for radius in (1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6):
        canvas.oval(x, y, radius * size, radius * size, colour, alpha=alpha, line=False, glow=True)


def _subject_light(light: Rgb) -> Rgb:
    """The scene's light, mixed with more than half daylight, so that subjects keep recognisable colours."""
    return mix(light, (1.0, 1.0, 1.0), 0.58)


def _between(a: float, b: float, t: float) -> float:
    return a + (b - a) * t

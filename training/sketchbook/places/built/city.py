"""A city street between tall buildings."""

from __future__ import annotations

import random

from ...canvas import Canvas, Rgb, darker, lighter, mix
from ...canvas import shape as path_of
from ...scene import Scene
from ...sky import lamp_lit, paint_sky, sky_colours
from ...weather import cover
from .. import Ground
from .parts import LAMPLIGHT, boxes, dark, halo

FACADES: tuple[Rgb, ...] = ((198, 112, 92), (92, 128, 156), (214, 168, 108), (132, 112, 150), (104, 146, 138))
STREET_TOP = 66.0  # y where the buildings stand
ROAD_FAR, ROAD_NEAR = 6.6, 57.0  # half the road's width at its far end and at the bottom edge


def city(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """Buildings left and right step down towards a gap with the sky, from which the road comes."""
    middle = canvas.w / 2
    paint_sky(canvas, scene, STREET_TOP, rng)
    _skyline(canvas, scene, rng, middle)
    first = rng.randrange(len(FACADES))
    for side in (-1, 1):
        _row(canvas, scene, rng, middle, side, first + side)
    _street(canvas, scene, middle)
    for side in (-1, 1):
        _lamp(canvas, scene, middle + side * 18, -side)
    return Ground(near=89.0, far=74.0)


def _skyline(canvas: Canvas, scene: Scene, rng: random.Random, middle: float) -> None:
    """Pale far towers behind the gap."""
    haze = mix(sky_colours(scene)[1], (120, 130, 165), 0.35)
    towers = []
    for i in range(4):
        top = rng.uniform(36, 50)
        towers.append((middle - 16 + 8 * i, top, 8.2, STREET_TOP - top))
    # The sky's own colours are lit already.
    with canvas.lit((1.0, 1.0, 1.0)), canvas.marked(backdrop=True):
        canvas.fill(path_of(boxes(towers)), haze, line=False)


def _row(canvas: Canvas, scene: Scene, rng: random.Random, middle: float, side: int, first: int) -> None:
    """The buildings of one side, drawn from the gap outwards: each taller than the last."""
    inner, i = min(13.5, 0.14 * canvas.w), 0
    while inner < middle + 2:
        width = rng.uniform(17, 20)
        top = max(4.0, 24 - 9 * i + rng.uniform(-3, 3)) if i < 3 else rng.uniform(4, 18)
        left = middle + inner if side > 0 else middle - inner - width
        colour = FACADES[(first + side * i) % len(FACADES)]
        _building(canvas, scene, rng, left, top, width, colour)
        inner, i = inner + width, i + 1


def _building(
    canvas: Canvas, scene: Scene, rng: random.Random, left: float, top: float, width: float, colour: Rgb
) -> None:
    """One building from its roof at y = `top` to the street."""
    with canvas.marked(backdrop=True):
        canvas.rect(left, top, width, STREET_TOP + 2 - top, colour)
    canvas.rect(left - 0.6, top - 2.2, width + 1.2, 3.2, cover(scene, darker(colour, 0.25), 0.9))
    # Windows end at half height, so that subjects stand before plain walls.
    columns, floors = 2, max(2, int((49 - top) / 10))
    unlit, lit = [], []
    for column in range(columns):
        for floor in range(floors):
            box = (left + width * (0.27 + 0.46 * column) - 2.5, top + 4 + 10 * floor, 5.0, 6.2)
            chance = {"dusk": 0.5, "night": 0.7}.get(scene.time, 0.0)
            (lit if rng.random() < chance else unlit).append(box)
    if dark(scene):
        glass = mix(darker(colour, 0.35), (70, 100, 140), 0.4)
    else:
        glass = mix(colour, (214, 236, 246), 0.75)
    if unlit:
        canvas.shape(boxes(unlit), glass)
    if lit:
        canvas.shape(boxes(lit), lamp_lit(scene), glow=True)
    # The ground floor: one wide shop front in a calm tone.
    canvas.rect(left, 54, width, STREET_TOP + 1 - 54, darker(colour, 0.3), line=False)
    canvas.rect(left + 1, 52.6, width - 2, 3.2, lighter(colour, 0.25), 0.8)


def _street(canvas: Canvas, scene: Scene, middle: float) -> None:
    """Pavement, kerbs, and the road with its zebra crossing."""
    pavement = cover(scene, (176, 170, 172), 0.85)
    road = cover(scene, (94, 96, 112), 0.45)
    kerb = cover(scene, (216, 210, 206), 0.85)
    with canvas.marked(backdrop=True):
        canvas.rect(-2, STREET_TOP, canvas.w + 4, 40, pavement)
        canvas.poly(_band(middle, ROAD_FAR + 1.4, ROAD_NEAR + 5), kerb, line=False)
        canvas.poly(_band(middle, ROAD_FAR, ROAD_NEAR), road)
    # Zebra stripes widen towards the viewer as the road does.
    far, near = _reach(90), _reach(99)
    for i in range(-3, 4):
        a, b = (i - 0.27) / 3.7, (i + 0.27) / 3.7
        upper = [(middle + a * far, 90), (middle + b * far, 90)]
        lower = [(middle + b * near, 99), (middle + a * near, 99)]
        canvas.poly(upper + lower, (236, 234, 226), line=False)


def _reach(y: float) -> float:
    """Half the road's width at height y."""
    return ROAD_FAR + (ROAD_NEAR - ROAD_FAR) * (y - STREET_TOP) / (102 - STREET_TOP)


def _band(middle: float, top_half: float, bottom_half: float):
    """The corners of a strip that runs from the street's far end to the bottom edge."""
    far = [(middle - top_half, STREET_TOP), (middle + top_half, STREET_TOP)]
    return far + [(middle + bottom_half, 102), (middle - bottom_half, 102)]


def _lamp(canvas: Canvas, scene: Scene, x: float, towards: int) -> None:
    """A street lamp on the kerb whose arm reaches over the road (`towards`: 1 is to the right)."""
    iron, top = (58, 62, 80), 33
    head = x + 6 * towards
    canvas.stroke(f"M {x} 72 L {x} {top + 4} Q {x} {top} {head} {top}", iron, 1.3)
    canvas.rect(x - 1.5, 69.5, 3, 3.5, iron, 0.8)
    if dark(scene):
        halo(canvas, head, top + 3, 9)
    canvas.oval(head, top + 3, 2.8, 2.6, LAMPLIGHT if dark(scene) else (240, 236, 220), glow=dark(scene))
    canvas.shape(f"M {head - 3.6} {top + 2} Q {head} {top - 3.5} {head + 3.6} {top + 2} Z", iron)

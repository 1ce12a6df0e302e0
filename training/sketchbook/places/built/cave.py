"""A cave with a view out and crystals that shine."""

from __future__ import annotations

import math
import random

from ...canvas import Canvas, Rgb, darker, lighter, mix, poly, shape
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .parts import fallen_light, halo

#: From the rock that frames the picture inwards to the rock around the opening.
ROCK: tuple[Rgb, ...] = ((46, 38, 68), (84, 68, 108), (118, 96, 134), (144, 126, 164))
CRYSTAL: Rgb = (64, 230, 214)
FLOOR_TOP = 65.0


def cave(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """Rings of rock, the nearer the darker, around an opening in the middle of the back."""
    middle = canvas.w / 2
    reach = 0.35 + 0.65 * canvas.w / 100  # wide pictures have wider rings, not more of them
    with canvas.marked(backdrop=True):
        canvas.fill(canvas.everything(), ROCK[0])
        for rock, rx, top in ((ROCK[1], 49, 0), (ROCK[2], 39, 8), (ROCK[3], 30, 15)):
            canvas.fill(_hollow(rng, middle, rx * reach, top, FLOOR_TOP + 4), rock)
    opening = _hollow(rng, middle, 21 * reach, 22, FLOOR_TOP)
    paint_sky(canvas, scene, FLOOR_TOP, rng, area=opening)
    _floor(canvas, scene, middle, reach)
    for side in (-1, 1):
        _spikes(canvas, rng, middle, side, reach)
        _crystals(canvas, middle + side * (canvas.w / 2 - 9), 92, side, 1.0)
        _crystals(canvas, middle + side * 20.5 * reach, FLOOR_TOP + 3, side, 0.5)
    return Ground(near=90.0, far=75.0)


def _hollow(rng: random.Random, x: float, rx: float, top: float, bottom: float):
    """A dome of rough rock with its highest point about (x, top), `rx` wide to each side."""
    n, points = 9, [(x - rx * 1.04, bottom)]
    for i in range(n + 1):
        angle = math.pi * i / n
        rough = rng.uniform(0.94, 1.06)
        rise = (bottom - 8 - top) * rough * math.sin(angle) ** 0.8
        points.append((x - rx * rough * math.cos(angle), bottom - 8 - rise))
    return poly(points + [(x + rx * 1.04, bottom)])


def _floor(canvas: Canvas, scene: Scene, middle: float, reach: float) -> None:
    """A shallow hollow of rock, with light from outside at its far end."""
    with canvas.marked(backdrop=True):
        canvas.ground(lambda x: FLOOR_TOP + 0.0011 * (x - middle) ** 2, mix(ROCK[1], ROCK[2], 0.7))
    rx = 24 * reach
    left, right = middle - rx, middle + rx
    top = FLOOR_TOP + 0.6
    light = shape(f"M {left} {top} L {right} {top} C {right} 84 {left} 84 {left} {top} Z")
    fallen_light(canvas, scene, light)


def _spikes(canvas: Canvas, rng: random.Random, middle: float, side: int, reach: float) -> None:
    """Stalactites above, longest at the sides, and two stalagmites below."""
    across = 0.0
    while across < middle:
        x = middle + side * (across + 5)
        length = 11 + 22 * (across / middle) ** 1.3 + rng.uniform(-2, 4)
        _spike(canvas, x, -3, length + 3, rng.uniform(4.2, 5.6))
        across += rng.uniform(9, 12)
    far_rock = mix(ROCK[0], ROCK[1], 0.5)
    _spike(canvas, middle + side * 34 * reach, FLOOR_TOP + 7, -rng.uniform(14, 18), 4, far_rock)
    _spike(canvas, middle + side * (middle - 3.5), 103, -rng.uniform(50, 55), 10)


def _spike(canvas: Canvas, x: float, y: float, length: float, half: float, rock: Rgb = ROCK[0]) -> None:
    """A cone of rock from (x, y), downwards by `length` or upwards where that is negative."""
    bend, tip = y + 0.45 * length, y + length
    left = f"M {x - half} {y} Q {x - 0.5 * half} {bend} {x} {tip}"
    canvas.shape(f"{left} Q {x + 0.5 * half} {bend} {x + half} {y} Z", rock)
    canvas.shape(f"{left} Q {x - 0.1 * half} {bend} {x - 0.2 * half} {y} Z", lighter(rock, 0.1), line=False)


def _crystals(canvas: Canvas, x: float, y: float, side: int, size: float) -> None:
    """Three crystals that lean towards the middle, in their own light."""
    with canvas.at(x, y, size, flip=side > 0):
        halo(canvas, 0, -7, 15, CRYSTAL)
        for base, lean, height, shade in ((-3.4, -14, 11, 0.25), (3.2, 24, 11, 0.12), (0, 5, 17, 0.0)):
            colour = darker(CRYSTAL, shade)
            left, tip = [(-2.6, 0), (-2.6, -0.75 * height)], (0, -height)
            with canvas.at(base, 0, turn=lean):
                canvas.poly([*left, tip, (2.6, -0.75 * height), (2.6, 0)], colour, glow=True)
                canvas.poly([*left, tip, (-0.4, 0)], lighter(colour, 0.45), glow=True, line=False)

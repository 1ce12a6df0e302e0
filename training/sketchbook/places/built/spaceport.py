"""A spaceport: a landing deck on stilts in the ocean of another world."""

from __future__ import annotations

import random

from ...canvas import Canvas, Rgb, darker, lighter, mix, oval, wave
from ...canvas import shape as path_of
from ...scene import Scene
from ...sky import lamp_lit, paint_sky, sky_colours
from ...weather import cover
from .. import Ground
from .parts import boxes, dark, halo

SEA: tuple[Rgb, ...] = ((122, 104, 190), (84, 122, 186), (48, 150, 172))
DECK: Rgb = (176, 180, 196)
PLANET: Rgb = (240, 150, 132)
RING: Rgb = (252, 222, 170)
SHORE_TOP = 56.0  # y of the sea's horizon
DECK_TOP = 74.0


def spaceport(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """A ringed planet over a violet sea with domes on stilts; in front the deck with its lights."""
    paint_sky(canvas, scene, SHORE_TOP, rng)
    # A moon on the right would hang before the planet.
    crowded = any(subject.kind == "moon" and subject.position == "right" for subject in scene.subjects)
    _planet(canvas, scene, canvas.w * (0.21 if crowded else 0.79), 21)
    _sea(canvas, rng)
    _dome(canvas, scene, canvas.w * 0.15, 61, min(15.0, canvas.w * 0.13))
    _dome(canvas, scene, canvas.w * 0.9, 59, min(9.0, canvas.w * 0.08))
    _deck(canvas, scene)
    return Ground(near=88.0, far=79.0, water=69.0)


def _planet(canvas: Canvas, scene: Scene, x: float, y: float) -> None:
    """The planet is always visible, paler by day."""
    pale = (0.25 if scene.time == "day" else 0.08) + (0.0 if scene.weather == "clear" else 0.25)
    body, ring = (mix(colour, sky_colours(scene)[1], pale) for colour in (PLANET, RING))
    with canvas.at(x, y, 1.15, turn=-18):
        canvas.fill(_ring(-1), darker(ring, 0.14), glow=True)
        canvas.oval(0, 0, 10, 10, body, glow=True)
        with canvas.clip(oval(0, 0, 10, 10)):
            canvas.rect(-11, -5.5, 22, 3.2, lighter(body, 0.3), glow=True, line=False)
            canvas.rect(-11, 3.5, 22, 9, darker(body, 0.16), glow=True, line=False)
        canvas.fill(_ring(1), ring, glow=True)


def _ring(side: int):
    """Half of the ring: behind the planet (-1) or before it (1)."""
    outer, inner = 6.6 * side, 3.6 * side
    return path_of(f"M -18 0 C -18 {outer} 18 {outer} 18 0 L 14 0 C 14 {inner} -14 {inner} -14 0 Z")


def _sea(canvas: Canvas, rng: random.Random) -> None:
    """Three bands of water, violet far away and teal up front, with a few glints."""
    with canvas.marked(backdrop=True):
        canvas.rect(-2, SHORE_TOP, canvas.w + 4, 50, SEA[0])
    for top, colour in ((62, SEA[1]), (69, SEA[2])):
        canvas.ground(wave(rng, top, 0.7, 20), colour)
    for _ in range(4):
        x, y = rng.uniform(10, canvas.w - 20), rng.uniform(58.5, 68)
        canvas.rect(x, y, 9, 0.9, lighter(SEA[0], 0.35), 0.4, line=False)


def _dome(canvas: Canvas, scene: Scene, x: float, y: float, r: float) -> None:
    """A dome of radius `r` on a platform that three stilts carry over the water at height `y`."""
    base = y - 5
    legs = [(x + dx * r - 0.7, base, 1.4, 9) for dx in (-0.7, 0, 0.7)]
    canvas.fill(path_of(boxes(legs)), darker(DECK, 0.45))
    canvas.stroke(f"M {x} {base - r} L {x} {base - 1.5 * r}", darker(DECK, 0.4), 0.9)
    canvas.oval(x, base - 1.5 * r, 1.2, 1.2, (255, 96, 84), glow=True)
    shell = cover(scene, (232, 230, 240), 0.5)
    dome = path_of(f"M {x - r} {base} C {x - r} {base - 1.45 * r} {x + r} {base - 1.45 * r} {x + r} {base} Z")
    canvas.fill(dome, shell)
    with canvas.clip(dome):
        canvas.oval(x + 0.35 * r, base, r, 1.15 * r, mix(shell, (150, 150, 196), 0.4), line=False)
        canvas.rect(x - r, base - 0.14 * r, 2 * r, 0.2 * r, (240, 140, 70), line=False)
    panes = [(x + dx * r - 0.12 * r, base - 0.56 * r, 0.24 * r, 0.3 * r) for dx in (-0.45, 0, 0.45)]
    canvas.fill(path_of(boxes(panes)), lamp_lit(scene), glow=True)
    canvas.rect(x - 1.15 * r, base - 0.8, 2.3 * r, 2.4, darker(DECK, 0.2), 0.9)


def _deck(canvas: Canvas, scene: Scene) -> None:
    """The landing deck: seen from above, with a ring painted on it and lights along its edge."""
    w, front = canvas.w, 94.0
    plate = cover(scene, DECK, 0.7)
    legs = [(w * t - 1.7, front, 3.4, 12) for t in (0.14, 0.5, 0.86)]
    canvas.fill(path_of(boxes(legs)), darker(DECK, 0.5))
    with canvas.marked(backdrop=True):
        back = [(w * 0.08, DECK_TOP), (w * 0.92, DECK_TOP)]
        canvas.poly(back + [(w * 1.02, front - 3), (-w * 0.02, front - 3)], plate)
    canvas.rect(-w * 0.03, front - 3.4, w * 1.06, 5, darker(DECK, 0.3))
    lit = dark(scene)
    pad = _ellipse(w / 2, 82.8, min(31.0, 0.36 * w), 6.2)
    canvas.stroke(pad, mix(plate, (246, 190, 70), 0.75), 1.2, line=False, glow=lit)
    for i in range(6):
        x = w * (i + 0.5) / 6
        if lit:
            halo(canvas, x, front - 0.9, 4.5, (120, 240, 255))
        canvas.oval(x, front - 0.9, 1.3, 1.3, (130, 244, 255) if lit else (236, 250, 252), glow=lit)


def _ellipse(x: float, y: float, rx: float, ry: float) -> str:
    """Path data of an ellipse around (x, y)."""
    left, right, up, down = x - rx, x + rx, y - 1.33 * ry, y + 1.33 * ry
    return f"M {left} {y} C {left} {up} {right} {up} {right} {y} C {right} {down} {left} {down} {left} {y} Z"

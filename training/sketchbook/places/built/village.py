"""A village square with half-timbered houses."""

from __future__ import annotations

import random

from ...canvas import Canvas, Rgb, darker, mix, wave
from ...canvas import shape as path_of
from ...scene import Scene
from ...sky import lamp_lit, paint_sky
from ...weather import cover
from .. import Ground
from .parts import boxes

PLASTER: tuple[Rgb, ...] = ((246, 230, 198), (240, 214, 178), (232, 222, 206))
ROOFS: tuple[Rgb, ...] = ((206, 76, 58), (62, 128, 150), (226, 148, 62), (140, 88, 150))
TIMBER: Rgb = (140, 96, 70)
SQUARE: Rgb = (206, 184, 156)
SQUARE_TOP = 64.0


def village(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """A row of crooked houses below a hill, a church among them, the square in front."""
    paint_sky(canvas, scene, SQUARE_TOP, rng)
    with canvas.marked(backdrop=True):
        canvas.ground(wave(rng, 48, 3, 120), cover(scene, (132, 178, 118)))
    _church(canvas, scene, canvas.w * 0.36)
    count = max(3, round(canvas.w / 25))
    step = canvas.w / count
    first = rng.randrange(len(ROOFS))
    for i in range(count):
        _house(canvas, scene, rng, step * (i + 0.5), step * 0.94, ROOFS[(first + i) % len(ROOFS)])
    _square(canvas, scene, rng)
    return Ground(near=90.0, far=76.0)


def _church(canvas: Canvas, scene: Scene, x: float) -> None:
    """A tower with a steep spire, behind the houses."""
    wall = (226, 214, 204)
    canvas.rect(x - 5.5, 24, 11, 42, wall)
    canvas.poly([(x - 7, 25), (x, 3), (x + 7, 25)], cover(scene, (92, 104, 138), 0.6))
    canvas.stroke(f"M {x} 4 L {x} -1.5 M {x - 1.8} 0.8 L {x + 1.8} 0.8", (236, 190, 84), 0.9, line=False)
    canvas.oval(x, 31, 2.8, 2.8, lamp_lit(scene), glow=True)


def _house(canvas: Canvas, scene: Scene, rng: random.Random, x: float, width: float, roof: Rgb) -> None:
    """A gabled front around the line `x`, narrower at its foot, that leans a little."""
    half, lean = width / 2, rng.uniform(-1.6, 1.6)
    eaves, ridge = 45 + rng.uniform(-2, 2), 25 + rng.uniform(-3, 3)
    wall = rng.choice(PLASTER)
    left, right, foot = x - half + 1 + lean, x + half - 1 + lean, half - 1.6
    front = [(x - foot, SQUARE_TOP + 1), (left, eaves), (right, eaves), (x + foot, SQUARE_TOP + 1)]
    canvas.poly(front, wall)
    top = x + lean * 1.6
    canvas.poly([(left, eaves + 1), (top, ridge), (right, eaves + 1)], wall, line=False)
    beams = [(left + 0.8, eaves, right - 0.8, eaves), (x + lean * 1.4, eaves, top, ridge + 4)]
    for side, edge in ((-1, left), (1, right)):
        beams.append((edge - 0.9 * side, eaves, x + side * (foot - 0.8), SQUARE_TOP))
        beams.append((edge - 1.5 * side, 55, x + side * 0.2 * width + lean, eaves + 0.5))
    frame = " ".join(f"M {x0} {y0} L {x1} {y1}" for x0, y0, x1, y1 in beams)
    canvas.stroke(frame, mix(TIMBER, wall, 0.15), 1.3, line=False)
    panes = [(x + lean + dx - 2, eaves - 7, 4, 4.8) for dx in (-0.14 * width, 0.14 * width)]
    side = rng.choice((-1, 1))
    panes.append((x + side * 0.15 * width - 2.8, eaves + 5, 5.6, 5.6))
    canvas.fill(path_of(boxes(panes)), lamp_lit(scene), glow=True)
    door = x - side * 0.17 * width
    canvas.rect(door - 2.8, SQUARE_TOP - 9.6, 5.6, 10.6, darker(TIMBER, 0.2), 1.6)
    outer = [(left - 2.4, eaves + 2.4), (top, ridge - 3.4), (right + 2.4, eaves + 2.4)]
    inner = [(right - 1.6, eaves + 2.4), (top, ridge + 4), (left + 1.6, eaves + 2.4)]
    canvas.poly(outer + inner, cover(scene, roof, 0.68))


def _square(canvas: Canvas, scene: Scene, rng: random.Random) -> None:
    """The cobbled ground."""
    stone = cover(scene, SQUARE, 0.8)
    with canvas.marked(backdrop=True):
        canvas.rect(-2, SQUARE_TOP, canvas.w + 4, 40, stone)
    canvas.rect(-2, SQUARE_TOP, canvas.w + 4, 2, darker(stone, 0.14), line=False)
    # Cobbles in rows that grow towards the front, one mark each, barely darker than the ground.
    tone = darker(stone, 0.5)
    for y, size in ((70, 2.6), (76, 3.4), (83, 4.4), (92, 5.8)):
        shift = rng.uniform(-1, 1) * size
        starts = [shift + 2.9 * size * i for i in range(int(canvas.w / size / 2.9) + 2)]
        stones = " ".join(f"M {x} {y} L {x + 1.1 * size} {y}" for x in starts)
        canvas.stroke(stones, tone, 0.85 * size, alpha=0.2, line=False)

"""The great hall of a castle."""

from __future__ import annotations

import random

from ...canvas import Canvas, Rgb, darker, lighter, poly
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .parts import LAMPLIGHT, arches, dark, fallen_light, halo, room_light

STONE: Rgb = (168, 160, 166)
FLOOR: Rgb = (140, 130, 138)
BANNER: Rgb = (190, 38, 48)
GOLD: Rgb = (236, 190, 84)
FLOOR_TOP = 66.0
MARGIN = 6.0  # taken by the columns on either side
SILL = 47.0  # y of the windows' lower edge


def castle(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """Tall windows with banners between them, columns at the sides, a carpet to the front."""
    bays = 5 if canvas.w > 130 else 3
    step = (canvas.w - 2 * MARGIN) / bays
    windows = [MARGIN + step * (i + 0.5) for i in range(bays)]
    between = [MARGIN + step * i for i in range(1, bays)]
    width = min(19.0, 0.54 * step)
    with canvas.lit(room_light(canvas, scene, 0.35)):
        _hall(canvas, scene, rng, windows, width)
        for x in between:
            _banner(canvas, x, min(9.0, 0.32 * step))
        for x in (3.5, canvas.w - 3.5):
            _column(canvas, x)
            _torch(canvas, scene, x)
    return Ground(near=90.0, far=76.0)


def _hall(canvas: Canvas, scene: Scene, rng: random.Random, windows, width: float) -> None:
    """Walls with `windows` that are `width` wide, and the floor."""
    _walls(canvas, rng)
    with canvas.marked(backdrop=True):
        canvas.fill(arches(windows, 9.5, width + 4.4, SILL + 2), darker(STONE, 0.28))
    opening = arches(windows, 12, width, SILL)
    paint_sky(canvas, scene, SILL, rng, area=opening)
    for x in windows:
        canvas.rect(x - 0.55, 12.5, 1.1, SILL - 12.5, darker(STONE, 0.42), line=False)
        canvas.rect(x - width / 2, 28.5, width, 1.1, darker(STONE, 0.42), line=False)
        canvas.rect(x - width / 2 - 3, SILL, width + 6, 2.6, lighter(STONE, 0.3), 0.6)
    _floor(canvas, scene, windows, width)


def _walls(canvas: Canvas, rng: random.Random) -> None:
    with canvas.marked(backdrop=True):
        canvas.fill(canvas.everything(), STONE)
        canvas.rect(-2, -2, canvas.w + 4, 7, darker(STONE, 0.35))
    # A few darker stones suggest masonry without a full pattern.
    for i in range(int(canvas.w / 17)):
        x, y = 9 + 17 * i + rng.uniform(0, 6), (52, 58)[i % 2]
        canvas.rect(x, y, 9, 4, darker(STONE, 0.4), 0.8, alpha=0.25, line=False)


def _floor(canvas: Canvas, scene: Scene, windows, width: float) -> None:
    """Flagstones, the carpet, and the light that each window throws."""
    middle = canvas.w / 2
    with canvas.marked(backdrop=True):
        canvas.rect(-2, FLOOR_TOP, canvas.w + 4, 40, FLOOR)
    canvas.rect(-2, FLOOR_TOP - 2, canvas.w + 4, 2.6, darker(STONE, 0.3), line=False)
    for slope in (-2.3, -1.5, 1.5, 2.3):  # joints that run to the vanishing point
        x = middle + 17 * slope
        joint = f"M {x} {FLOOR_TOP + 1} L {middle + 40 * slope} 102"
        canvas.stroke(joint, darker(FLOOR, 0.14), 0.7, line=False)
    for far, near, colour in ((11, 27, GOLD), (9.4, 23, BANNER)):
        back = [(middle - far, FLOOR_TOP), (middle + far, FLOOR_TOP)]
        canvas.poly(back + [(middle + near, 102), (middle - near, 102)], colour)
    half = width / 2
    for x in windows:
        left, right = x - half + 5, x + half + 5
        fallen_light(canvas, scene, poly([(left, 71), (right, 71), (right + 9, 84), (left + 7, 84)]))


def _banner(canvas: Canvas, x: float, width: float) -> None:
    r = width / 2
    canvas.rect(x - r - 1.4, 9, width + 2.8, 1.8, GOLD, 0.9)
    canvas.poly([(x - r, 10.8), (x + r, 10.8), (x + r, 46), (x, 41), (x - r, 46)], BANNER)
    canvas.poly([(x, 20), (x + 0.62 * r, 26), (x, 32), (x - 0.62 * r, 26)], GOLD)


def _column(canvas: Canvas, x: float) -> None:
    """A thick round column from floor to ceiling, with a shaded side."""
    pale = lighter(STONE, 0.22)
    canvas.rect(x - 4.6, 4, 9.2, 72, pale)
    canvas.rect(x + 1.4, 8, 3.2, 66, darker(pale, 0.16), line=False)
    for top, half in ((2.5, 6.4), (74, 6.4)):
        canvas.rect(x - half, top, 2 * half, 4.5, darker(pale, 0.1), 0.8)


def _torch(canvas: Canvas, scene: Scene, x: float) -> None:
    """A torch at the column's side; it burns when the windows give no light."""
    canvas.poly([(x - 1.6, 36), (x + 1.6, 36), (x + 0.7, 45), (x - 0.7, 45)], (92, 62, 48))
    if dark(scene):
        halo(canvas, x, 33, 17)
        flame = f"M {x} 26.5 Q {x + 4.4} 33 {x + 1.8} 36.4 L {x - 1.8} 36.4 Q {x - 4.4} 33 {x} 26.5 Z"
        canvas.shape(flame, (250, 150, 50), glow=True)
        heart = f"M {x} 31 Q {x + 2} 34.4 {x} 36.4 Q {x - 2} 34.4 {x} 31 Z"
        canvas.shape(heart, LAMPLIGHT, glow=True, line=False)

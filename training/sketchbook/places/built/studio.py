"""A painter's studio: a cosy room with a window, an easel and paints."""

from __future__ import annotations

import random

from ...canvas import Canvas, Rgb, darker, lighter, rect
from ...canvas import shape as path_of
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .parts import LAMPLIGHT, boxes, dark, halo, room_light

WALL: Rgb = (240, 206, 164)
WOOD: Rgb = (176, 112, 66)
FRAME: Rgb = (250, 244, 232)
RUG: Rgb = (92, 146, 150)
POTS: tuple[Rgb, ...] = ((214, 62, 56), (246, 200, 64), (58, 118, 206))
FLOOR_TOP = 67.0


def studio(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    """Window in the middle, easel on the right, shelf and leaning canvases on the left."""
    edge = min(canvas.w * 0.15, 21.0)
    with canvas.lit(room_light(canvas, scene, 0.5)):
        _room(canvas)
        _window(canvas, scene, rng, canvas.w / 2)
        _shelf(canvas, rng, edge)
        _leaning(canvas, edge - 4)
        _easel(canvas, canvas.w - edge)
        _lamp(canvas, scene, canvas.w - edge)
    return Ground(near=91.0, far=78.0)


def _room(canvas: Canvas) -> None:
    """Wall, board floor and an oval rug."""
    with canvas.marked(backdrop=True):
        canvas.rect(-2, -2, canvas.w + 4, FLOOR_TOP + 2, WALL)
        canvas.rect(-2, FLOOR_TOP, canvas.w + 4, 40, WOOD)
    canvas.rect(-2, FLOOR_TOP - 4.5, canvas.w + 4, 4.5, FRAME)
    middle = canvas.w / 2
    for i in range(-4, 5):  # joints between broad boards, towards the vanishing point
        top, bottom = middle + i * canvas.w / 8, middle + i * canvas.w / 4.4
        canvas.stroke(f"M {top} {FLOOR_TOP + 0.6} L {bottom} 103", darker(WOOD, 0.16), 0.7, line=False)
    for rx, ry, colour in ((0.4, 9.5, RUG), (0.34, 7.6, FRAME), (0.325, 7.1, RUG)):
        canvas.oval(middle, 87, rx * canvas.w, ry, colour, line=colour is RUG)


def _window(canvas: Canvas, scene: Scene, rng: random.Random, x: float) -> None:
    """A wide window around the middle line `x`."""
    half, top, sill = min(26.0, 0.215 * canvas.w), 8.0, 51.0
    canvas.rect(x - half - 2.2, top - 2.2, 2 * half + 4.4, sill - top + 4.4, FRAME, 1)
    paint_sky(canvas, scene, sill, rng, area=rect(x - half, top, 2 * half, sill - top))
    bars = [(x - 0.8, top, 1.6, sill - top), (x - half, top + 15, 2 * half, 1.6)]
    canvas.fill(path_of(boxes(bars)), FRAME, line=False)
    canvas.rect(x - half - 4.5, sill + 1.4, 2 * half + 9, 2.8, lighter(WOOD, 0.2), 0.8)


def _shelf(canvas: Canvas, rng: random.Random, x: float) -> None:
    """A board with a jar of brushes and pots of paint, always the same colours in a shuffled order."""
    pots = list(POTS)
    rng.shuffle(pots)
    for i, colour in enumerate(pots):
        left = x - 5.2 + 6 * i
        canvas.rect(left, 25, 5, 6.6, colour, 0.7)
        canvas.rect(left, 25, 5, 2.2, FRAME, 0.5, line=False)
    for lean, colour in zip((-2.6, 0.2, 3.0), pots):  # brushes in a jar
        canvas.stroke(f"M {x - 9.6} 27 L {x - 9.6 + lean} 18.5", darker(WOOD, 0.2), 0.9, line=False)
        canvas.oval(x - 9.6 + lean, 17.6, 1.1, 1.9, colour, line=False)
    canvas.rect(x - 12.6, 23.6, 6, 8, (150, 190, 204), 0.8)
    canvas.rect(x - 13.5, 31.4, 27, 2.4, darker(WOOD, 0.12), 0.6)


def _leaning(canvas: Canvas, x: float) -> None:
    """Two canvases that lean on the wall: one plain red, before it a landscape."""
    with canvas.at(x + 5, 71, turn=4):
        canvas.rect(-6, -22, 13, 22, lighter(WOOD, 0.45))
        canvas.rect(-4.6, -20.6, 10.2, 19.2, (226, 150, 128), line=False)
    with canvas.at(x - 3, 73, turn=-3):
        canvas.rect(-7, -17, 14, 17, FRAME)
        canvas.rect(-5.6, -15.6, 11.2, 14.2, (150, 196, 200), line=False)
        canvas.shape("M -5.6 -6 Q 0 -11 5.6 -5 L 5.6 -1.4 L -5.6 -1.4 Z", (96, 158, 116), line=False)


def _easel(canvas: Canvas, x: float) -> None:
    """An easel with a painting of hills."""
    leg = darker(WOOD, 0.25)
    canvas.stroke(f"M {x} 22 L {x} 70", leg, 1.6)
    canvas.stroke(f"M {x - 1} 24 L {x - 9} 79", leg, 1.9)
    canvas.stroke(f"M {x + 1} 24 L {x + 9} 79", leg, 1.9)
    canvas.rect(x - 12, 27, 24, 29, FRAME, 0.5)
    # Pale colours, so that it does not distract from subjects.
    with canvas.clip(rect(x - 10.4, 28.6, 20.8, 25.8)):
        canvas.rect(x - 11, 28, 22, 28, (190, 222, 232), line=False)
        canvas.oval(x + 4.5, 35, 3.4, 3.4, (250, 206, 104), line=False)
        canvas.oval(x - 5, 60, 15, 15, (142, 190, 130), line=False)
        canvas.oval(x + 9, 60, 13, 10, (110, 168, 120), line=False)
    canvas.rect(x - 13, 55.4, 26, 2.6, leg, 0.8)


def _lamp(canvas: Canvas, scene: Scene, x: float) -> None:
    """A hanging lamp that is lit when it is dark outside."""
    lit = dark(scene)
    canvas.stroke(f"M {x} -2 L {x} 6", (70, 58, 62), 0.9)
    if lit:
        cone = [(x - 5, 13), (x + 5, 13), (x + 20, FLOOR_TOP + 14), (x - 20, FLOOR_TOP + 14)]
        canvas.poly(cone, LAMPLIGHT, alpha=0.2, line=False, glow=True)
        halo(canvas, x, 13, 15)
    canvas.oval(x, 13, 3, 3, (255, 240, 190) if lit else FRAME, glow=lit)
    canvas.shape(f"M {x - 7} 13 Q {x - 6} 5 {x} 5 Q {x + 6} 5 {x + 7} 13 Z", (206, 84, 60))

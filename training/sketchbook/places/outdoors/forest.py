"""The forest: a mossy clearing in a wood of round and pointed trees."""

import random

from ...canvas import Canvas, Rgb, darker, wave
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .air import Air, frame
from .plants import cloud, fern, round_tree, spruce, treeline

HORIZON = 52
ROUND = (96, 150, 62)
POINTED = (44, 106, 72)
TRUNK = (112, 78, 58)
MOSS = (124, 162, 72)


def forest(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air, w = Air(canvas, scene), canvas.w
    paint_sky(canvas, scene, HORIZON, rng)

    def outwards(x: float) -> float:
        """0 in the middle, where trees are low and the wood opens to the sky, 1 at the edges."""
        return abs(2 * x / w - 1)

    treeline(canvas, 66, lambda x: 31 + 16 * outwards(x), 9, air.tint((78, 138, 100), 0.58, 0.3), rng)
    treeline(canvas, 70, lambda x: 22 + 26 * outwards(x) ** 1.5, 11, air.tint((66, 126, 82), 0.3, 0.25), rng)
    canvas.ground(wave(rng, 70, 0.8, w * 0.6), air.tint((98, 144, 72), 0.15, snow=0.55))
    _trees(canvas, air, rng)
    with canvas.marked(backdrop=True):
        canvas.ground(wave(rng, 78, 0.9, w * 0.8), air.tint(MOSS))
    canvas.oval(w / 2, 89, w * 0.36, 6.5, air.tint((158, 188, 92)), line=False)
    with frame(canvas):
        _edges(canvas, air, rng)
    return Ground(near=91, far=78)


def _trees(canvas: Canvas, air: Air, rng: random.Random):
    """Round and pointed trees in turn, from the middle outwards, taller towards the edges."""
    w = canvas.w
    trunk = air.tint(TRUNK, 0.1, snow=0)
    count = max(3, round(w / 40))
    for k in range(count):
        t = k / (count - 1)
        for right in (False, True):
            across = 0.34 - 0.25 * t
            x = w * (1 - across if right else across) + rng.uniform(-1.5, 1.5)
            y, height = 77 + 3 * t, (37 + 25 * t) * rng.uniform(0.93, 1.07)
            if (k + right) % 2:
                round_tree(canvas, x, y, height, _leaf(air, ROUND), _lit(air, ROUND), trunk, rng.random())
            else:
                spruce(canvas, x, y, height, _leaf(air, POINTED), _lit(air, POINTED), trunk)


def _leaf(air: Air, green: Rgb) -> Rgb:
    return air.tint(green, 0.1, snow=0.1)


def _lit(air: Air, green: Rgb) -> Rgb:
    """The upper side of a crown."""
    return air.tint(tuple(v * 0.82 + 40 for v in green), 0.1, snow=0.85)


def _edges(canvas: Canvas, air: Air, rng: random.Random):
    """Two near trees that frame the picture, ferns and toadstools at their feet."""
    w = canvas.w
    bark, leaves = air.tint(darker(TRUNK, 0.25), snow=0), air.tint((58, 112, 56), snow=0.15)
    for flip in (False, True):
        with canvas.at(w if flip else 0, 0, flip=flip):
            canvas.shape("M -3 102 L -3 -3 L 4 -3 C 4 40 4 75 6 84 Q 8 92 14 95 L 14 102", bark)
            canvas.shape(cloud(1, 2, 19, 12, 9, rng.random()), leaves)
            canvas.shape(cloud(-1, 0, 12, 7, 8, rng.random()), air.tint((92, 146, 66), snow=0.85), line=False)
            fern(canvas, 13, 101, 15, air.tint((72, 132, 62), snow=0.25))
    with canvas.at(w - 28, 98):
        canvas.shape("M -7 1 Q -5 -7 0 -6.5 Q 6 -6 8 1", air.tint((136, 138, 132), snow=0.2))
        moss = "M -5.6 -3 Q -4 -7 0 -7.2 Q 5 -6.5 6.6 -2.5 Q 3 -4 1 -2 Q -2 -4.4 -5.6 -3"
        canvas.shape(moss, air.tint((104, 158, 66)))
    cream, cap = air.tint((246, 234, 210), snow=0), air.tint((226, 120, 66), snow=0.5)
    for x, y, s in [(24, 98, 6), (29.5, 99.5, 4)]:
        canvas.rect(x - s * 0.16, y - s * 0.6, s * 0.32, s * 0.7, cream, radius=s * 0.1)
        canvas.shape(f"M {x - s * 0.55} {y - s * 0.5} Q {x} {y - s * 1.6} {x + s * 0.55} {y - s * 0.5}", cap)

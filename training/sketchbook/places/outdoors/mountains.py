"""The mountains: a pass between two snowy peaks, with a path that winds up to it."""

import random

from ...canvas import Canvas, Rgb, darker, lighter, mix, wave
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .air import Air
from .plants import spruce

HORIZON = 56
ROCK = (104, 112, 158)
SNOW = (248, 250, 255)
SNOW_SHADE = (196, 208, 236)
GRASS = (112, 168, 92)
PATH = (232, 204, 158)


def mountains(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air, w = Air(canvas, scene), canvas.w
    paint_sky(canvas, scene, HORIZON, rng)
    for x, top in [(0.36, 33), (0.64, 30), (0.5, 38)]:
        _peak(canvas, w * x, top, 66, 8 + w * 0.17, ROCK, air, 0.62, rng)
    canvas.ground(lambda x: 63, air.tint(GRASS, 0.55), line=False)
    side = 0.36 * w + 8
    _peak(canvas, w * 0.1, 13 + rng.uniform(-1.5, 1.5), 76, side, ROCK, air, 0.2, rng)
    _peak(
        canvas, w * 0.92, 8 + rng.uniform(-1.5, 1.5), 76, side, mix(ROCK, (92, 92, 140), 0.6), air, 0.14, rng
    )
    _slopes(canvas, air, rng)
    return Ground(near=92, far=77)


def _peak(
    canvas: Canvas, x: float, top: float, foot: float, reach: float, rock: Rgb, air: Air, haze: float, rng
):
    """A mountain with its right side in shade and a jagged cap of snow."""
    h = foot - top
    ridge = x + reach * rng.uniform(0.04, 0.14)
    left = [(x - reach, foot), (x - reach * 0.5, foot - h * 0.55), (x - reach * 0.3, foot - h * 0.7)]
    right = [
        (x, top),
        (x + reach * 0.34, foot - h * 0.63),
        (x + reach * 0.56, foot - h * 0.5),
        (x + reach, foot),
    ]
    canvas.poly(left + right, air.tint(lighter(rock, 0.12), haze, snow=0.2))
    edge = [
        (ridge + reach * 0.1, foot),
        (ridge - reach * 0.05, foot - h * 0.36),
        (ridge + reach * 0.06, foot - h * 0.6),
    ]
    canvas.poly(right + edge, air.tint(darker(rock, 0.2), haze, snow=0.1), line=False)
    cap = [
        *right[:2],
        (x + reach * 0.21, foot - h * 0.6),
        (x + reach * 0.12, foot - h * 0.5),
        (x + reach * 0.02, foot - h * 0.63),
        (x - reach * 0.12, foot - h * 0.53),
        (x - reach * 0.2, foot - h * 0.64),
        left[2],
    ]
    canvas.poly(cap, air.tint(SNOW, haze * 0.7, snow=0))
    shaded = [*cap[:5], (ridge - reach * 0.02, foot - h * 0.78)]
    canvas.poly(shaded, air.tint(SNOW_SHADE, haze * 0.7, snow=0), line=False)


def _slopes(canvas: Canvas, air: Air, rng: random.Random):
    """Green slopes that open to the pass, the path, and a few spruces at the edges."""
    w, mid = canvas.w, canvas.w / 2
    bumps = wave(rng, 0, 1.0, w * 0.7)

    def saddle(y: float, rise: float):
        return lambda x: y - rise * abs((x - mid) / mid) ** 1.5 + bumps(x)

    canvas.ground(saddle(66, 7), air.tint(mix(GRASS, ROCK, 0.3), 0.3, snow=0.5))
    leaf, top = air.tint((52, 104, 88), 0.1, snow=0.1), air.tint((84, 140, 104), 0.1, snow=0.9)
    trunk = air.tint((104, 78, 66), 0.1, snow=0)
    for x, y, h in [(0.03, 72, 17), (0.115, 74, 13), (0.9, 73, 14), (0.97, 74, 19)]:
        spruce(canvas, w * x, y, h * rng.uniform(0.92, 1.08), leaf, top, trunk)
    with canvas.marked(backdrop=True):
        canvas.ground(saddle(74, 4), air.tint(GRASS))
    canvas.shape(_path(mid, bumps(mid)), air.tint(PATH, 0.05, snow=0.3))
    front = wave(rng, 0, 0.8, w * 0.5)
    canvas.ground(lambda x: 103 - 11 * abs((x - mid) / mid) ** 2.4 + front(x), air.tint(darker(GRASS, 0.16)))
    stone = air.tint((150, 150, 164), snow=0.5)
    canvas.poly([(w - 15, 99), (w - 13, 92), (w - 8, 90), (w - 3, 93), (w - 1, 99)], stone)
    canvas.poly([(3, 100), (4, 95.5), (8, 94), (11, 96), (12, 100)], stone)


def _path(x: float, dy: float) -> str:
    """Path data of a path that winds from the bottom edge up to the pass at (x, 66)."""
    return (
        f"M {x - 16} 102 C {x - 9} 94 {x + 14} 92 {x + 12} 86 C {x + 10} 81 {x - 14} 82 {x - 13} 76 "
        f"C {x - 12} 71 {x + 2} 72 {x - 1} {66 + dy} L {x + 1} {66 + dy} C {x + 5} 73 {x - 7} 73 {x - 6} 76 "
        f"C {x - 5} 79.5 {x + 22} 78 {x + 25} 86 C {x + 27} 93 {x + 10} 95 {x + 10} 102"
    )

"""The desert: dunes with sharp crests, cacti at the sides, mesas far away."""

import random

from ...canvas import Canvas, Rgb, darker, lighter, wave
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .air import Air, frame

HORIZON = 58
SAND = (248, 196, 110)
SHADE = (212, 126, 64)
MESA = (204, 108, 80)
CACTUS = (70, 150, 92)


def desert(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air, w = Air(canvas, scene), canvas.w
    paint_sky(canvas, scene, HORIZON, rng)
    # They leave gaps where a low sun may stand.
    for x, top, half, haze in [(0.07, 45, 7, 0.5), (0.47, 46, 7.5, 0.55), (0.95, 36, 12, 0.4)]:
        _mesa(canvas, w * x, top, half, air, haze)
    canvas.ground(wave(rng, 59, 0.7, w * 0.8), air.tint(SAND, 0.45))
    _dune(canvas, w * rng.uniform(0.2, 0.27), 57.5, 68, w * 0.55, air, 0.24)
    _dune(canvas, w * rng.uniform(0.57, 0.65), 62, 76, w * 0.6, air, 0.12)
    _cactus(canvas, w - 9, 78, 24, air, 0.12)
    with canvas.marked(backdrop=True):
        canvas.ground(wave(rng, 77, 1.2, w * 0.9), air.tint(SAND))
    with frame(canvas):
        _cactus(canvas, 9, 91, 42, air, 0.0, flip=True)
    ripples = wave(rng, 0, 0.8, w * 0.6)
    canvas.ground(lambda x: 96 - 7 * (x / w - 0.3) * (x / w) + ripples(x), air.tint(SHADE, snow=0.5))
    stone = air.tint((190, 116, 82), snow=0.5)
    canvas.shape(f"M {w - 17} 98 Q {w - 17} 92 {w - 10.5} 91.5 Q {w - 4} 92 {w - 3} 98", stone)
    return Ground(near=91, far=79)


def _mesa(canvas: Canvas, x: float, top: float, half: float, air: Air, haze: float):
    """A table mountain with a shaded side and one band of pale stone."""
    foot = 66
    slope = half * 1.7
    canvas.poly(
        [
            (x - slope, foot),
            (x - half * 1.15, top + 7),
            (x - half, top),
            (x + half, top),
            (x + half * 1.15, top + 7),
            (x + slope, foot),
        ],
        air.tint(MESA, haze, snow=0.15),
    )
    canvas.poly(
        [
            (x + half * 0.35, top),
            (x + half, top),
            (x + half * 1.15, top + 7),
            (x + slope, foot),
            (x + half * 0.7, foot),
            (x + half * 0.5, top + 7),
        ],
        air.tint(darker(MESA, 0.22), haze, snow=0.1),
        line=False,
    )
    canvas.rect(x - half * 1.02, top - 0.4, half * 2.04, 2.6, air.tint(lighter(MESA, 0.35), haze), line=False)


def _dune(canvas: Canvas, x: float, top: float, foot: float, reach: float, air: Air, haze: float):
    """A dune with its crest at (x, top): sunny on the left, shaded on the right of an S-shaped edge."""
    left, right = x - reach, x + reach
    canvas.shape(
        f"M {left} 102 L {left} {foot} C {left + reach * 0.5} {foot} {x - reach * 0.3} {top} {x} {top} "
        f"C {x + reach * 0.2} {top + 1} {x + reach * 0.5} {foot} {right} {foot} L {right} 102",
        air.tint(SAND, haze),
    )
    canvas.shape(
        f"M {x} {top} C {x + reach * 0.2} {top + 1} {x + reach * 0.5} {foot} {right} {foot} L {right} 102 "
        f"L {x + reach * 0.2} 102 C {x + reach * 0.3} {foot + 8} {x - reach * 0.16} {foot + 3} {x} {top}",
        air.tint(SHADE, haze, snow=0.55),
        line=False,
    )


def _cactus(canvas: Canvas, x: float, y: float, height: float, air: Air, haze: float, flip: bool = False):
    """A saguaro with two arms, standing on (x, y)."""
    green: Rgb = air.tint(CACTUS, haze, snow=0.1)
    ray = air.tint(lighter(CACTUS, 0.3), haze, snow=0.8)
    with canvas.at(x, y, height, flip):
        canvas.stroke("M -0.02 -0.34 L -0.15 -0.36 Q -0.22 -0.37 -0.22 -0.46 L -0.22 -0.62", green, 0.115)
        canvas.stroke("M 0.02 -0.22 L 0.14 -0.24 Q 0.22 -0.25 0.22 -0.34 L 0.22 -0.46", green, 0.115)
        canvas.stroke("M 0 0.02 L 0 -0.92", green, 0.17)
        canvas.stroke("M -0.035 -0.06 L -0.035 -0.88", ray, 0.035, line=False)
        canvas.stroke("M -0.235 -0.46 L -0.235 -0.61", ray, 0.025, line=False)
        canvas.oval(0, -1.0, 0.06, 0.045, air.tint((240, 110, 140), haze, snow=0.3))

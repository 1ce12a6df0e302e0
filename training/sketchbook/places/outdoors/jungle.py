"""The jungle: huge leaves from the edges, lianas, palms in a blue-green mist."""

import math
import random

from ...canvas import Canvas, Rgb, darker, lighter, mix, wave
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .air import Air, frame
from .plants import cloud, fern, leaf

HORIZON = 46
TEAL = (18, 128, 116)
LEAF = (24, 146, 92)
LIME = (96, 190, 72)
DEEP = (12, 84, 88)


def jungle(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air, w = Air(canvas, scene), canvas.w
    paint_sky(canvas, scene, HORIZON, rng)
    _canopy(canvas, 47, 9, 15, air.tint(TEAL, 0.6, 0.25), rng)
    # Between the thirds, where no heads are in front of them.
    for x, top, haze in [(0.37, 31, 0.42), (0.65, 25, 0.34)]:
        _palm(canvas, w * x + rng.uniform(-2, 2), 72, top, air, haze)
    _canopy(canvas, 60, 13, 11, air.tint(mix(TEAL, LEAF, 0.4), 0.22, 0.2), rng)
    canvas.ground(wave(rng, 71, 1.0, w * 0.7), air.tint((30, 134, 104), 0.12, snow=0.55))
    with canvas.marked(backdrop=True):
        canvas.ground(wave(rng, 78, 1.0, w * 0.8), air.tint((52, 158, 104)))
    canvas.oval(w / 2, 90, w * 0.36, 6.5, air.tint((98, 184, 108)), line=False)
    with frame(canvas):
        _lianas(canvas, air, rng)
        _leaves(canvas, air, rng)
    return Ground(near=91, far=78)


def _canopy(canvas: Canvas, y: float, rise: float, pitch: float, colour: Rgb, rng: random.Random):
    """A mass of bushy crowns as one mark, `rise` higher at the edges than in the middle."""
    w, x = canvas.w, -pitch

    def line(at: float) -> float:
        return y - rise * abs(2 * at / w - 1) ** 1.5

    data = f"M {x} 102 L {x} {line(x)}"
    while x < w + pitch:
        step = pitch * rng.uniform(0.75, 1.2)
        data += f" Q {x + step / 2} {line(x + step / 2) - step * 0.8} {x + step} {line(x + step)}"
        x += step
    canvas.shape(data + f" L {x} 102", colour)


def _palm(canvas: Canvas, x: float, y: float, top: float, air: Air, haze: float):
    """A palm tree standing on (x, y) with its crown at height `top`."""
    h = y - top
    canvas.stroke(
        f"M {x} {y} Q {x + h * 0.1} {y - h * 0.5} {x} {top}", air.tint((120, 104, 84), haze, 0), h * 0.055
    )
    crown = f"M {x} {top + h * 0.04}"
    # Fronds from the lower left over the top to the lower right, one outline for all.
    for turn in (118, 160, 200, 242, 298, 340, 380, 422):
        a = math.radians(turn)
        dx, dy = 0.4 * h * math.cos(a), 0.3 * h * math.sin(a)
        nx, ny = 0.07 * h * math.cos(a + 0.36), 0.07 * h * math.sin(a + 0.36)
        crown += (
            f" Q {x + dx * 0.6} {top + dy - h * 0.08} {x + dx} {top + dy + h * 0.06}"
            f" Q {x + dx * 0.5 + nx} {top + dy * 0.5 + ny} {x + nx} {top + ny}"
        )
    canvas.shape(crown, air.tint(TEAL, haze, 0.3))


def _lianas(canvas: Canvas, air: Air, rng: random.Random):
    """Lianas that hang in loops from the upper edge, at the sides."""
    w = canvas.w
    vine = air.tint(darker(LEAF, 0.45), snow=0.3)
    for x0, x1, dip in [(0.1, 0.33, 28), (0.68, 0.92, 24), (0.25, 0.74, 11)]:
        low = dip * rng.uniform(0.9, 1.1)
        a, b = w * x0, w * x1
        canvas.stroke(f"M {a} -3 C {a} {low * 1.3} {b} {low * 1.3} {b} -3", vine, 1.3)
        for t in (0.3, 0.5, 0.7):
            px = a * (1 - t) ** 3 + 3 * a * t * (1 - t) ** 2 + 3 * b * t * t * (1 - t) + b * t**3
            py = -3 + 3 * t * (1 - t) * (low * 1.3 + 3)
            with canvas.at(px, py, turn=90 + 40 * (0.5 - t)):
                canvas.shape("M 0 0 Q 2.5 -3.6 6 0 Q 2.5 3.6 0 0", air.tint(LIME, snow=0.5))


def _leaves(canvas: Canvas, air: Air, rng: random.Random):
    """Huge leaves from the corners and edges, ferns and a bright blossom below."""
    near = [
        # x, y of the stalk, direction in degrees, length, width, cuts, colour
        (-4, 30, -8, 24, 12, 0, DEEP),
        (-4, -3, 62, 34, 15, 3, mix(LEAF, DEEP, 0.4)),
        (-4, -3, 28, 34, 14, 0, LEAF),
        (-5, 66, -28, 24, 12, 3, mix(LEAF, DEEP, 0.5)),
        (-4, 96, -62, 30, 14, 3, LEAF),
        (-3, 100, -26, 27, 12, 0, mix(LIME, LEAF, 0.4)),
    ]
    for flip in (False, True):
        with canvas.at(canvas.w if flip else 0, 0, flip=flip):
            for x, y, turn, length, width, cuts, colour in near:
                with canvas.at(x, y, turn=turn + rng.uniform(-6, 6)):
                    leaf(canvas, length, width, air.tint(colour, snow=0.25), cuts)
            fern(canvas, 23, 103, 17, air.tint(mix(LIME, LEAF, 0.2), snow=0.3))
            canvas.shape(cloud(9, 95, 4.6, 4.2, 5, 0.3), air.tint((240, 72, 140), snow=0.2))
            canvas.oval(9, 95, 1.5, 1.4, air.tint(lighter((250, 200, 60), 0.1), snow=0), line=False)

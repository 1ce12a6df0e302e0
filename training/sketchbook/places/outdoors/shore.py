"""The shore: a sandy beach, the sea, and a lighthouse on a far headland at the left."""

import math
import random

from ...canvas import Canvas, darker, mix
from ...scene import Scene
from ...sky import lamp_lit, paint_sky
from .. import Ground
from .air import Air
from .plants import tuft

HORIZON = 50
SEA = (34, 108, 176)
SHALLOW = (112, 206, 208)
FOAM = (244, 250, 250)
SAND = (244, 214, 156)


def shore(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air = Air(canvas, scene)
    paint_sky(canvas, scene, HORIZON, rng)
    _sea(canvas, scene, air, rng)
    _headland(canvas, scene, air)
    _beach(canvas, air, rng)
    return Ground(near=93, far=86, water=69)


def _sea(canvas: Canvas, scene: Scene, air: Air, rng: random.Random):
    with canvas.marked(backdrop=True):
        canvas.rect(-2, HORIZON, canvas.w + 4, 60, air.tint(SEA, haze=0.2, snow=0), line=False)
    swell = 2.4 if scene.weather == "storm" else 1.2
    for i, (y, length) in enumerate([(55, 11), (60.5, 15), (67, 20)]):
        colour = mix(SEA, SHALLOW, 0.24 + 0.33 * i)
        crests = _crests(canvas.w, y, swell * (0.7 + 0.4 * i), length, rng.random())
        canvas.shape(crests, air.tint(colour, haze=0.2 - 0.08 * i, snow=0))
    for i in range(max(4, int(canvas.w / 17))):
        # Spread evenly over the width, in turn on the three rows of waves.
        x, row = (i + rng.uniform(0.3, 0.7)) * canvas.w / int(canvas.w / 17), i % 3
        y, r = (58, 63.8, 71)[row], 2.2 + 1.3 * row
        dip = f"M {x - r} {y} Q {x - r / 2} {y + r * 0.4} {x} {y} Q {x + r / 2} {y + r * 0.4} {x + r} {y}"
        canvas.stroke(dip, air.tint(FOAM, haze=0.15, snow=0), 0.55 + 0.2 * row, alpha=0.85, line=False)


def _crests(w: float, y: float, height: float, length: float, phase: float) -> str:
    """Path data of water below a row of wave crests."""
    x = -length * (1 + phase)
    data = f"M -2 102 L {x} 102 L {x} {y}"
    while x < w + 2:
        data += f" Q {x + length * 0.5} {y + height * 2.4} {x + length} {y}"
        x += length
    return data + f" L {x} 102"


def _headland(canvas: Canvas, scene: Scene, air: Air):
    """Cliffs far away at the left, with a small white lighthouse."""
    s, left = min(40.0, canvas.w * 0.36), canvas.visible()[0]
    rock, grass = air.tint((132, 112, 108), 0.3, snow=0.2), air.tint((98, 150, 92), 0.3)
    foot = HORIZON + 3.5
    with canvas.at(left, 0):
        brow = f"M -3 36 Q {s * 0.4} 34 {s * 0.72} 40"
        canvas.shape(f"{brow} L {s * 0.8} 45 L {s * 0.94} 47.5 L {s * 1.06} {foot} L -3 {foot}", rock)
        canvas.shape(f"{brow} L {s * 0.64} 43 L {s * 0.46} 40.5 L {s * 0.25} 43.5 L -3 41", grass)
    if any(subject.kind == "lighthouse" for subject in scene.subjects):
        return  # only one lighthouse per picture: the subject, if it is one
    white, red = air.tint((250, 246, 238), 0.12, snow=0), air.tint((206, 66, 58), 0.15, snow=0)
    with canvas.at(left + s * 0.47, 37.5, 1.1):
        canvas.poly([(-3.0, 0), (-2.0, -14), (2.0, -14), (3.0, 0)], white)
        canvas.poly([(-2.72, -4), (-2.42, -8), (2.42, -8), (2.72, -4)], red, line=False)
        if scene.time in ("dusk", "night"):
            canvas.oval(0, -16, 5.5, 5.5, (255, 232, 150), alpha=0.3, glow=True, line=False)
        canvas.rect(-1.6, -17.6, 3.2, 3.6, lamp_lit(scene), glow=True)
        canvas.rect(-2.8, -14.3, 5.6, 1.1, darker(red, 0.4), line=False)
        canvas.poly([(-2.3, -17.4), (0, -20.6), (2.3, -17.4)], red)


def _beach(canvas: Canvas, air: Air, rng: random.Random):
    """Sand that rises towards the right, with the edge of foam and wet sand along the water."""
    w, phase = canvas.w, rng.uniform(0, 6.28)

    def edge(y: float, wiggle: float):
        return lambda x: y - 5 * (x / w) ** 2 + wiggle * math.sin(6.28 * x / 46 + phase)

    canvas.ground(edge(75.2, 1.3), air.tint(FOAM, snow=0))
    canvas.ground(edge(77.4, 1.0), air.tint((206, 168, 116), snow=0.45), line=False)
    with canvas.marked(backdrop=True):
        canvas.ground(edge(79.6, 0.8), air.tint(SAND))
    canvas.ground(lambda x: 93.5 + 3.2 * math.sin(3.6 * x / w + 1.2), air.tint((232, 196, 134)))
    grass = air.tint((118, 156, 88), snow=0.4)
    tuft(canvas, 4, 97, 12, grass)
    tuft(canvas, w - 5, 94, 15, darker(grass, 0.1))
    tuft(canvas, w - 14, 99, 9, grass)
    star = []
    for i in range(10):
        a, r = math.pi * (i / 5 - 0.42), 2.9 if i % 2 == 0 else 1.3
        star.append((w * 0.17 + r * math.cos(a), 94.5 + r * 0.8 * math.sin(a)))
    canvas.poly(star, air.tint((236, 128, 92), snow=0.3))

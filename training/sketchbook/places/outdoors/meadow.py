"""The meadow: rolling green hills, a wooden fence, big flowers in front."""

import random

from ...canvas import Canvas, darker, wave
from ...scene import Scene
from ...sky import paint_sky
from .. import Ground
from .air import Air, frame
from .plants import cloud, flower, tuft

HORIZON = 54
GRASS = (112, 188, 76)
WOOD = (176, 128, 88)
#: Petals and hearts.
FLOWERS = (
    ((250, 248, 240), (246, 196, 60)),
    ((232, 78, 70), (70, 44, 48)),
    ((252, 208, 70), (214, 130, 40)),
    ((162, 122, 222), (250, 216, 110)),
)


def meadow(canvas: Canvas, scene: Scene, rng: random.Random) -> Ground:
    air, w = Air(canvas, scene), canvas.w
    paint_sky(canvas, scene, HORIZON, rng)
    canvas.ground(wave(rng, 50, 4, w * 0.9), air.tint((96, 160, 150), 0.45, snow=0.5))
    canvas.ground(wave(rng, 58, 4.0, w * 0.75), air.tint((96, 176, 104), 0.2, snow=0.6))
    hill = wave(rng, 67.5, 2.4, w * 0.85)
    canvas.ground(hill, air.tint((152, 204, 84), 0.06, snow=0.8))
    _fence(canvas, lambda x: hill(x) + 3.5, air)
    with canvas.marked(backdrop=True):
        canvas.ground(wave(rng, 77, 1.0, w * 0.7), air.tint(GRASS))
    _blossoms(canvas, air, rng)
    with frame(canvas):
        _bunches(canvas, air, rng)
    return Ground(near=91, far=76)


def _fence(canvas: Canvas, foot, air: Air):
    """Posts and two rails along a hill, over the right part of the picture."""
    wood = air.tint(WOOD, 0.1, snow=0.35)
    x, step, posts = canvas.w * 0.62, 8.5, []
    while x < canvas.w + step:
        posts.append((x, foot(x)))
        x += step
    for rise in (3.2, 6.4):
        line = "M " + " L ".join(f"{x} {y - rise}" for x, y in posts)
        canvas.stroke(line, darker(wood, 0.12), 1.1)
    for x, y in posts:
        canvas.poly(
            [(x - 0.9, y + 1), (x - 0.9, y - 7.6), (x, y - 8.6), (x + 0.9, y - 7.6), (x + 0.9, y + 1)], wood
        )


def _blossoms(canvas: Canvas, air: Air, rng: random.Random):
    """Small blossoms all over the near grass, in three loose rows."""
    for i in range(int(canvas.w / 9)):
        x, row = (i + rng.uniform(0.25, 0.75)) * 9, i * 2 % 3
        size = 1.3 + 0.25 * row
        colour = air.tint(FLOWERS[i % 4][0], 0.05, snow=0.2)
        canvas.shape(cloud(x, 80 + 3 * row + rng.uniform(-1, 1), size, size * 0.8, 5), colour, line=False)


def _bunches(canvas: Canvas, air: Air, rng: random.Random):
    """Bunches of big flowers in the lower corners, and tufts of grass between them."""
    w = canvas.w
    stem = air.tint((70, 146, 66), snow=0.25)
    canvas.ground(lambda x: 104 - 9 * abs(2 * x / w - 1) ** 1.6, air.tint(darker(GRASS, 0.2), snow=0.5))
    for right in (False, True):
        for x, y, size, kind in [(30, 103, 7.5, 3), (22.5, 104, 10, 2), (5, 99, 14, 0), (15.5, 103, 12, 1)]:
            petals, heart = FLOWERS[3 - kind if right else kind]
            x += rng.uniform(-1, 1)
            petals, heart = air.tint(petals, snow=0.2), air.tint(heart, snow=0)
            flower(canvas, w - x if right else x, y, size, petals, heart, stem)
    for x in (0.38, 0.5, 0.62):
        tuft(canvas, w * x + rng.uniform(-2, 2), 101, 5, stem)

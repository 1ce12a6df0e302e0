"""People as busts: head and shoulders that fill the picture, with an expression.

(0, 0) is the middle of the picture's bottom edge and 1 its height; shoulders are cut off below.
"""

from __future__ import annotations

import random

from ..canvas import Canvas, darker, lighter
from ..scene import Scene, Subject
from .people_heads import GOLD, LIGHTS, SCREEN, STEEL, Outfit, head_back, head_front

SHOULDERS = "M -.41 .05 C -.41 -.16 -.3 -.26 -.13 -.3 L .13 -.3 C .3 -.26 .41 -.16 .41 .05 Z"


def _bust(clothes, head_y: float, head: float):
    """A bust with the clothes from `clothes(canvas, outfit)`, and a head of half height `head` at `head_y`."""

    def draw(canvas: Canvas, subject: Subject, scene: Scene, rng: random.Random) -> None:
        outfit = Outfit.of(subject, rng)
        with canvas.at(0, 0, flip=rng.random() < 0.5):
            with canvas.at(0, head_y, head):
                head_back(canvas, subject.kind, outfit)
            clothes(canvas, outfit)
            with canvas.at(0, head_y, head):
                head_front(canvas, subject.kind, outfit, scene.expression or "calm")

    return draw


def _neck(canvas, o: Outfit) -> None:
    canvas.rect(-0.09, -0.4, 0.18, 0.18, darker(o.skin, 0.12), 0.04)


def _coat(canvas, o: Outfit) -> None:
    with canvas.marked(spot=True):
        canvas.shape(SHOULDERS, o.colour)


def _girl(canvas, o: Outfit) -> None:
    _coat(canvas, o)
    _neck(canvas, o)
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.shape("M 0 -.2 L .1 -.3 Q .22 -.26 .22 -.2 L .08 -.12 Z", o.trim)
    for y in (-0.08, 0.0):
        canvas.oval(0, y, 0.02, 0.02, o.trim, line=False)


def _boy(canvas, o: Outfit) -> None:
    _coat(canvas, o)
    _neck(canvas, o)
    canvas.shape("M -.16 -.24 L -.03 -.2 L -.07 .05 L -.22 .05 Z", o.trim)
    canvas.stroke("M -.16 -.3 Q 0 -.18 .16 -.3", o.trim, 0.11)


def _man(canvas, o: Outfit) -> None:
    _coat(canvas, o)
    _neck(canvas, o)
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.shape("M .08 -.32 L .2 -.28 L .24 -.12 L .04 .05 L 0 .05 L 0 -.06 Z", o.shade)


def _knight(canvas, o: Outfit) -> None:
    _coat(canvas, o)
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.shape(
                "M .24 -.26 C .38 -.26 .45 -.16 .43 .0 Q .34 -.1 .24 -.08 Q .2 -.18 .24 -.26 Z",
                lighter(STEEL, 0.3),
            )
            canvas.oval(0.33, -0.16, 0.022, 0.022, GOLD, line=False)
    canvas.stroke("M -.24 -.23 Q 0 -.1 .24 -.23", o.trim, 0.035, line=False)


def _wizard(canvas, o: Outfit) -> None:
    _coat(canvas, o)
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.shape("M .1 -.3 C .26 -.3 .3 -.2 .3 -.12 L .16 .05 L .06 .05 Z", o.trim)


def _robot(canvas, o: Outfit) -> None:
    canvas.rect(-0.11, -0.38, 0.22, 0.16, STEEL)
    with canvas.marked(spot=True):
        canvas.rect(-0.38, -0.27, 0.76, 0.5, o.colour, 0.12)
    canvas.rect(-0.2, -0.15, 0.4, 0.4, SCREEN, 0.04, line=False)
    canvas.oval(-0.08, -0.06, 0.045, 0.045, LIGHTS, line=False, glow=True)
    canvas.oval(0.08, -0.06, 0.045, 0.045, (255, 176, 84), line=False, glow=True)


#: kind -> fn(canvas, subject, scene, rng), drawn inside `canvas.at(x, 100, 100)`.
BUSTS = {
    "girl": _bust(_girl, -0.56, 0.24),
    "boy": _bust(_boy, -0.55, 0.24),
    "man": _bust(_man, -0.56, 0.235),
    "knight": _bust(_knight, -0.52, 0.235),
    "wizard": _bust(_wizard, -0.45, 0.205),
    "robot": _bust(_robot, -0.55, 0.245),
}

"""People as full figures, standing on (0, 0), one unit tall, with large storybook heads."""

from __future__ import annotations

import random

from ..canvas import Canvas, Rgb, darker, lighter
from ..scene import Scene, Subject
from .people_heads import GOLD, LIGHTS, SCREEN, STEEL, Outfit, head_back, head_front

BOOT = (82, 54, 46)
WOOD = (126, 84, 52)


def _figure(body, head_y: float, head: float):
    """A figure with the body from `body(canvas, outfit, sway)`, and a head of half height `head` at `head_y`."""

    def draw(canvas: Canvas, subject: Subject, scene: Scene, rng: random.Random) -> None:
        outfit = Outfit.of(subject, rng)
        sway = rng.uniform(-0.03, 0.03)
        with canvas.at(0, 0, flip=rng.random() < 0.5):
            with canvas.at(0, head_y, head):
                head_back(canvas, subject.kind, outfit)
            body(canvas, outfit, sway)
            with canvas.at(0, head_y, head):
                head_front(canvas, subject.kind, outfit, None)

    return draw


def _legs(canvas, colour: Rgb, top: float, x=0.075, width=0.09, boot: Rgb = BOOT) -> None:
    for side in (-x, x):
        canvas.rect(side - width / 2, top, width, -top - 0.03, colour)
        toe = 0.02 if side > 0 else -0.02
        canvas.oval(side + toe, -0.035, width * 0.8, 0.04, boot)


def _arm(canvas, side: int, shoulder, hand, sleeve: Rgb, skin: Rgb, width=0.095, spot=True) -> None:
    """An arm from `shoulder` to `hand`, both (x, y) for the right arm. A `side` of -1 mirrors it."""
    (x0, y0), (x1, y1) = shoulder, hand
    with canvas.at(0, 0, flip=side < 0):
        canvas.oval(x1 + 0.01, y1 + 0.045, width * 0.52, width * 0.52, skin)
        with canvas.marked(spot=spot):
            canvas.stroke(f"M {x0} {y0} Q {x1} {(y0 + y1) / 2 - 0.03} {x1} {y1}", sleeve, width)


def _girl(canvas, o: Outfit, sway: float) -> None:
    _legs(canvas, darker(o.colour, 0.55), -0.2, 0.08, 0.08)
    for side in (-1, 1):
        _arm(canvas, side, (0.11, -0.56), (0.25, -0.36 + side * sway), o.shade, o.skin)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.1 -.64 L .1 -.64 C .16 -.45 .2 -.3 .26 -.13 Q 0 -.08 -.26 -.13"
            " C -.2 -.3 -.16 -.45 -.1 -.64 Z",
            o.colour,
        )
    canvas.stroke("M -.235 -.15 Q 0 -.105 .235 -.15", o.trim, 0.03, line=False)
    for y in (-0.48, -0.37, -0.26):
        canvas.oval(0, y, 0.022, 0.022, o.trim, line=False)


def _boy(canvas, o: Outfit, sway: float) -> None:
    _legs(canvas, (78, 74, 88), -0.28, 0.075, 0.11)
    for side in (-1, 1):
        _arm(canvas, side, (0.13, -0.54), (0.23, -0.34 + side * sway), o.shade, o.skin, 0.105)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.13 -.62 L .13 -.62 C .19 -.5 .18 -.36 .17 -.23 Q 0 -.2 -.17 -.23"
            " C -.18 -.36 -.19 -.5 -.13 -.62 Z",
            o.colour,
        )
    canvas.stroke("M -.15 -.245 Q 0 -.22 .15 -.245", o.shade, 0.04, line=False)
    canvas.shape("M -.1 -.58 L -.02 -.57 L -.05 -.36 L -.14 -.37 Z", o.trim)
    canvas.stroke("M -.12 -.61 Q 0 -.55 .12 -.61", o.trim, 0.08)


def _man(canvas, o: Outfit, sway: float) -> None:
    canvas.stroke("M .27 -.02 L .27 -.4 C .27 -.48 .19 -.48 .18 -.42", WOOD, 0.035)
    _legs(canvas, (84, 78, 84), -0.16, 0.085, 0.11)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.14 -.62 L .14 -.62 C .22 -.5 .22 -.3 .23 -.09 L -.23 -.09"
            " C -.22 -.3 -.22 -.5 -.14 -.62 Z",
            o.colour,
        )
    canvas.stroke("M 0 -.5 L 0 -.1", o.shade, 0.022, line=False)
    for y in (-0.32, -0.2):
        canvas.oval(0.06, y, 0.022, 0.022, o.trim, line=False)
    _arm(canvas, -1, (0.17, -0.54), (0.24, -0.3 + sway), o.shade, o.skin, 0.11)
    _arm(canvas, 1, (0.17, -0.54), (0.25, -0.42 + 0.3 * sway), o.shade, o.skin, 0.11)


def _knight(canvas, o: Outfit, sway: float) -> None:
    _legs(canvas, STEEL, -0.24, 0.085, 0.12, darker(STEEL, 0.35))
    canvas.stroke(f"M .26 -.36 L {0.27 + sway} -.74", lighter(STEEL, 0.55), 0.05)
    _arm(canvas, 1, (0.16, -0.54), (0.25, -0.36), STEEL, STEEL, 0.12, spot=False)
    canvas.stroke("M .2 -.37 L .32 -.35", GOLD, 0.045)
    canvas.shape("M -.16 -.62 L .16 -.62 L .19 -.3 L -.19 -.3 Z", STEEL)
    with canvas.marked(spot=True):
        canvas.shape("M -.13 -.62 L .13 -.62 L .2 -.14 L 0 -.1 L -.2 -.14 Z", o.colour)
    canvas.stroke("M -.165 -.34 L .165 -.34", BOOT, 0.045, line=False)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.34 -.52 Q -.2 -.56 -.06 -.52 C -.06 -.34 -.1 -.24 -.2 -.18"
            " C -.3 -.24 -.34 -.34 -.34 -.52 Z",
            o.colour,
        )
    canvas.stroke(
        "M -.315 -.5 Q -.2 -.535 -.085 -.5 C -.085 -.35 -.12 -.26 -.2 -.21"
        " C -.28 -.26 -.315 -.35 -.315 -.5",
        o.trim,
        0.025,
        line=False,
    )


def _wizard(canvas, o: Outfit, sway: float) -> None:
    canvas.stroke(f"M {0.27 + sway} -.66 L .27 -.01", WOOD, 0.04)
    canvas.oval(0.27 + sway, -0.7, 0.055, 0.055, (140, 236, 255), glow=True)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.1 -.54 L .1 -.54 C .17 -.36 .21 -.2 .27 -.02 Q 0 .03 -.27 -.02"
            " C -.21 -.2 -.17 -.36 -.1 -.54 Z",
            o.colour,
        )
    canvas.stroke("M -.245 -.035 Q 0 .005 .245 -.035", o.trim, 0.035, line=False)
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.oval(0.255, -0.31, 0.045, 0.045, o.skin)
            with canvas.marked(spot=True):
                canvas.shape("M .06 -.5 C .16 -.52 .2 -.42 .25 -.36 L .26 -.24 Q .18 -.2 .12 -.28 Z", o.shade)


def _robot(canvas, o: Outfit, sway: float) -> None:
    for x in (-0.11, 0.11):
        canvas.rect(x - 0.045, -0.2, 0.09, 0.16, STEEL)
        canvas.shape(f"M {x - 0.1} 0 C {x - 0.1} -.12 {x + 0.1} -.12 {x + 0.1} 0 Z", darker(STEEL, 0.3))
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.stroke(f"M .2 -.48 Q .3 -.44 .285 {-0.28 + side * sway}", STEEL, 0.06)
            with canvas.marked(spot=True):
                canvas.oval(0.285, -0.25 + side * sway, 0.06, 0.06, o.colour)
    canvas.rect(-0.07, -0.6, 0.14, 0.1, STEEL)
    with canvas.marked(spot=True):
        canvas.rect(-0.21, -0.55, 0.42, 0.4, o.colour, 0.09)
    canvas.rect(-0.11, -0.45, 0.22, 0.15, SCREEN, 0.03, line=False)
    canvas.oval(-0.045, -0.375, 0.03, 0.03, LIGHTS, line=False, glow=True)
    canvas.oval(0.045, -0.375, 0.03, 0.03, (255, 176, 84), line=False, glow=True)


#: kind -> fn(canvas, subject, scene, rng), drawn inside `canvas.at(x, y, height)`.
PEOPLE = {
    "girl": _figure(_girl, -0.8, 0.175),
    "boy": _figure(_boy, -0.77, 0.165),
    "man": _figure(_man, -0.77, 0.17),
    "knight": _figure(_knight, -0.77, 0.155),
    "wizard": _figure(_wizard, -0.62, 0.148),
    "robot": _figure(_robot, -0.76, 0.175),
}

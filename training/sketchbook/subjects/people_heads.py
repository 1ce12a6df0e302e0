"""Heads of people, shared by full figures and busts so that a person looks the same in both.

Lengths are in head units: (0, 0) is the middle of the head, 1 is half its height, y runs down. Each
head is a pair of functions: the part behind the shoulders (`back`) and the head itself (`front`).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from .. import words
from ..canvas import Canvas, Rgb, darker, lighter, luminance, mix
from ..scene import Subject
from .faces import Paints, face, plain_face

SKINS = ((250, 210, 176), (220, 164, 118), (164, 108, 76))
STEEL = (150, 160, 176)
GOLD = (244, 196, 72)
SCREEN = (26, 34, 56)
LIGHTS = (120, 240, 255)
#: Collars, hems and scarves on bright clothes; on other clothes they are paler than the cloth.
TRIMS = {
    "yellow": (206, 120, 32),
    "orange": (158, 60, 24),
    "pink": (190, 60, 116),
    "white": (150, 160, 184),
}


@dataclass(frozen=True)
class Outfit:
    """The colours of one person."""

    colour: Rgb  # the colour in captions
    trim: Rgb  # matches it and contrasts with it
    shade: Rgb  # its shadow
    skin: Rgb
    hair: Rgb

    @staticmethod
    def of(subject: Subject, rng: random.Random) -> Outfit:
        colour = words.COLOURS[subject.colour]
        usual = "white" if subject.kind in ("man", "wizard") else "brown"
        trim = TRIMS.get(subject.colour) or lighter(colour, 0.66)
        shade = lighter(colour, 0.14) if subject.colour == "black" else darker(colour, 0.16)
        return Outfit(colour, trim, shade, rng.choice(SKINS), words.HAIR[subject.hair or usual])

    def paints(self) -> Paints:
        """The colours of the face. White brows are greyed, to be visible on pale skin."""
        white = luminance(self.hair) > 200
        cheek = mix(self.skin, (240, 60, 76), 0.75)
        return Paints(darker(self.hair, 0.42), darker(self.skin, 0.28), cheek, bushy=1.25 if white else 1.0)


def head_back(canvas: Canvas, kind: str, outfit: Outfit) -> None:
    """Hair and plumes that fall behind the shoulders."""
    if kind in BACKS:
        BACKS[kind](canvas, outfit)


def head_front(canvas: Canvas, kind: str, outfit: Outfit, expression: str | None) -> None:
    """The head. Without an expression, it has the plain face of small figures."""
    FRONTS[kind](canvas, outfit, expression)


def _face(canvas, outfit: Outfit, expression, eye_y=0.13, mouth_y=0.6, paints=None) -> None:
    paints = paints or outfit.paints()
    if expression is None:
        plain_face(canvas, paints, eye_y=eye_y + 0.03, mouth_y=mouth_y - 0.04)
    else:
        face(canvas, expression, paints, eye_y=eye_y, mouth_y=mouth_y)


def _skull(canvas, outfit: Outfit) -> None:
    for x in (-0.92, 0.92):
        canvas.oval(x, 0.16, 0.16, 0.2, outfit.skin)
    canvas.shape(
        "M 0 -1 C .7 -1 .96 -.5 .94 .1 C .92 .7 .5 1 0 1 C -.5 1 -.92 .7 -.94 .1 C -.96 -.5 -.7 -1 0 -1 Z",
        outfit.skin,
    )


def _nose(canvas, outfit: Outfit, y=0.36, r=0.1) -> None:
    canvas.oval(0, y, r, r * 0.8, mix(outfit.skin, (200, 62, 44), 0.6), alpha=0.59, line=False)


# ---- girl: plaits with ribbons


def _girl_back(canvas, o: Outfit) -> None:
    canvas.oval(0, -0.12, 1.08, 1.04, o.hair)


def _girl_front(canvas, o: Outfit, expression) -> None:
    _skull(canvas, o)
    canvas.shape(
        "M -.2 -1.14 C -.95 -1.14 -1.2 -.5 -1.06 .22 C -.84 .1 -.8 -.2 -.74 -.42 C -.34 -.5 0 -.64 .2 -.84"
        " C .3 -.64 .56 -.48 .76 -.4 C .8 -.1 .82 .1 1.06 .22 C 1.2 -.5 .95 -1.14 -.2 -1.14 Z",
        o.hair,
    )
    _face(canvas, o, expression)
    _nose(canvas, o)
    for side in (-1, 1):
        with canvas.at(side * 1.04, 0.3, flip=side < 0):
            canvas.shape(
                "M -.2 -.1 C .2 -.24 .5 .1 .44 .5 C .42 .9 .2 1.1 .1 1.12 C -.2 .9 -.3 .3 -.2 -.1 Z", o.hair
            )
            canvas.shape("M .02 1.06 C .4 1.1 .46 1.4 .34 1.62 C .1 1.6 -.1 1.4 .02 1.06 Z", o.hair)
            with canvas.marked(spot=True):
                canvas.oval(0.12, 1.08, 0.22, 0.15, o.colour)


# ---- boy: a tuft; the body draws his scarf


def _boy_front(canvas, o: Outfit, expression) -> None:
    _skull(canvas, o)
    canvas.shape(
        "M -1.02 .06 C -1.16 -.5 -.98 -.96 -.6 -1.1 C -.5 -1.3 -.1 -1.44 .16 -1.4"
        " C .06 -1.3 .06 -1.24 .14 -1.2"
        " C .7 -1.24 1.16 -.8 1.02 .06 C .92 0 .86 -.2 .82 -.44"
        " C .62 -.48 .46 -.56 .38 -.7 C .3 -.58 .1 -.5 -.08 -.5"
        " C -.1 -.58 -.12 -.62 -.16 -.68 C -.3 -.54 -.56 -.46 -.82 -.44 C -.86 -.2 -.92 0 -1.02 .06 Z",
        o.hair,
    )
    _face(canvas, o, expression)
    _nose(canvas, o)


# ---- man: a flat cap and a white beard


def _beard(canvas, o: Outfit, tip: float) -> None:
    canvas.shape(
        "M -1 .02 C -.9 .3 -.8 .44 -.62 .48 Q 0 .36 .62 .48 C .8 .44 .9 .3 1 .02"
        f" C 1.2 .7 {0.9 - 0.2 * tip} {tip * 0.8} 0 {tip}"
        f" C {0.2 * tip - 0.9} {tip * 0.8} -1.2 .7 -1 .02 Z",
        o.hair,
    )


def _moustache(canvas, o: Outfit, y: float) -> None:
    with canvas.at(0, y):
        colour = mix(o.hair, (150, 150, 160), 0.18)
        canvas.shape(
            "M 0 -.1 C .2 -.22 .5 -.1 .6 .14 C .4 .14 .16 .16 0 .02 C -.16 .16 -.4 .14 -.6 .14"
            " C -.5 -.1 -.2 -.22 0 -.1 Z",
            colour,
        )


def _man_front(canvas, o: Outfit, expression) -> None:
    _skull(canvas, o)
    _beard(canvas, o, 1.55)
    with canvas.at(0, -0.13), canvas.marked(spot=True):
        canvas.shape(
            "M -1.02 -.5 C -1.16 -1.2 -.3 -1.36 .1 -1.3 C .8 -1.26 1.12 -.9 1.06 -.5 Q 0 -.74 -1.02 -.5 Z",
            o.colour,
        )
        canvas.shape(
            "M -1.04 -.6 C -.4 -.84 .5 -.84 1.04 -.6 C 1.4 -.54 1.44 -.4 1.36 -.34"
            " C .8 -.5 -.4 -.56 -1.04 -.44 Z",
            o.shade,
        )
    _moustache(canvas, o, 0.56)
    _face(canvas, o, expression, eye_y=0.04, mouth_y=0.9)
    _nose(canvas, o, 0.36, 0.19)


# ---- knight: an open helmet with a plume


def _knight_back(canvas, o: Outfit) -> None:
    with canvas.marked(spot=True):
        canvas.shape(
            "M .3 -1.1 C -.1 -1.8 -.9 -1.84 -1.34 -1.36 C -1.76 -.86 -1.5 -.1 -1.72 .34"
            " C -1.2 .34 -.84 -.2 -.7 -.6 Z",
            o.colour,
        )


def _knight_front(canvas, o: Outfit, expression) -> None:
    canvas.shape(
        "M 0 -1.2 C .8 -1.2 1.1 -.6 1.08 .1 L 1.02 .9 Q .5 1.16 0 1.16 Q -.5 1.16 -1.02 .9 L -1.08 .1"
        " C -1.1 -.6 -.8 -1.2 0 -1.2 Z",
        STEEL,
    )
    canvas.shape(
        "M 0 -.56 C .62 -.56 .86 -.3 .86 .1 C .86 .7 .5 .98 0 .98 C -.5 .98 -.86 .7 -.86 .1"
        " C -.86 -.3 -.62 -.56 0 -.56 Z",
        o.skin,
    )
    canvas.shape(
        "M -1.14 -.34 C -1.14 -1 -.6 -1.16 0 -1.16 C .6 -1.16 1.14 -1 1.14 -.34 Q 0 -.84 -1.14 -.34 Z",
        lighter(STEEL, 0.4),
    )
    canvas.stroke("M -.56 -.86 Q 0 -1.02 .56 -.86", darker(STEEL, 0.5), 0.09, line=False)
    for x in (-1.04, 1.04):
        canvas.oval(x, -0.26, 0.17, 0.17, GOLD)
    _face(canvas, o, expression, eye_y=0.12, mouth_y=0.6)
    _nose(canvas, o)


# ---- wizard: a pointed hat and a long beard


def _wizard_back(canvas, o: Outfit) -> None:
    canvas.shape("M -1 -.4 C -1.3 .4 -1.3 1 -1.1 1.5 L 1.1 1.5 C 1.3 1 1.3 .4 1 -.4 Z", darker(o.hair, 0.16))


def _wizard_front(canvas, o: Outfit, expression) -> None:
    _skull(canvas, o)
    _beard(canvas, o, 2.5)
    with canvas.at(0, -0.1), canvas.marked(spot=True):
        canvas.shape(
            "M -.98 -.5 C -.7 -1.1 -.5 -1.7 -.1 -2.3 C .1 -2.6 .6 -2.6 .96 -2.2"
            " C .7 -2.24 .5 -2.1 .52 -1.9 C .6 -1.4 .8 -.9 .98 -.5 Z",
            o.colour,
        )
        canvas.shape(
            "M -1.5 -.36 C -1 -.84 1 -.84 1.5 -.36 C 1 -.2 .6 -.46 0 -.46 C -.6 -.46 -1 -.2 -1.5 -.36 Z",
            o.shade,
        )
    _star(canvas, 0.0, -1.3, 0.36)
    _moustache(canvas, o, 0.62)
    _face(canvas, o, expression, eye_y=0.1, mouth_y=0.96)
    _nose(canvas, o, 0.42, 0.15)


def _star(canvas, x, y, r) -> None:
    tips = ((r * (1 if i % 2 == 0 else 0.46), math.radians(36 * i - 90)) for i in range(10))
    canvas.poly([(x + d * math.cos(a), y + d * math.sin(a)) for d, a in tips], (255, 232, 130), line=False)


# ---- robot: a screen for a face


def _robot_front(canvas, o: Outfit, expression) -> None:
    canvas.stroke("M 0 -.9 L 0 -1.26", STEEL, 0.14)
    canvas.oval(0, -1.36, 0.2, 0.2, (255, 120, 96), glow=True)
    for x in (-1.2, 1.2):
        canvas.rect(x - 0.16, -0.24, 0.32, 0.56, STEEL, 0.1)
    with canvas.marked(spot=True):
        canvas.rect(-1.16, -1.02, 2.32, 2.06, o.colour, 0.46)
    canvas.rect(-0.94, -0.8, 1.88, 1.62, SCREEN, 0.32)
    paints = Paints(brow=LIGHTS, line=LIGHTS, white=None, iris=LIGHTS, glow=True)
    _face(canvas, o, expression, eye_y=-0.08, mouth_y=0.4, paints=paints)


BACKS = {"girl": _girl_back, "knight": _knight_back, "wizard": _wizard_back}
FRONTS = {
    "girl": _girl_front,
    "boy": _boy_front,
    "man": _man_front,
    "knight": _knight_front,
    "wizard": _wizard_front,
    "robot": _robot_front,
}

"""Things: each stands on (0, 0) and is one unit tall. The named colour is on the largest area."""

from __future__ import annotations

import math

from ..canvas import Rgb, darker, lighter, luminance, mix, oval, shape
from ..words import COLOURS

BARK: Rgb = (116, 78, 50)
IRON: Rgb = (58, 56, 70)
LAMP: Rgb = (255, 224, 138)
STONE: Rgb = (172, 168, 172)
WHITE: Rgb = (246, 244, 238)
#: The moon's craters: x, y and radius.
CRATERS = (
    (-0.2, -0.62, 0.13),
    (0.16, -0.36, 0.16),
    (0.2, -0.76, 0.08),
    (-0.18, -0.24, 0.09),
    (-0.38, -0.4, 0.06),
)


def shade_of(colour: Rgb) -> Rgb:
    """A second tone of `colour`, for the side away from the light."""
    return lighter(colour, 0.16) if luminance(colour) < 60 else darker(colour, 0.2)


def glint_of(colour: Rgb) -> Rgb:
    """A third tone of `colour`, for the side towards the light."""
    return lighter(colour, 0.28)


def halo(canvas, x: float, y: float, r: float, colour: Rgb, strength: float = 0.1) -> None:
    """A soft light of radius `r` around a lamp. It is hardly visible by daylight."""
    darkness = 1 - min(1.0, sum(canvas.light) / 3)
    for k in (1.0, 0.86, 0.72, 0.6):
        canvas.oval(x, y, r * k, r * k, colour, alpha=strength * (0.35 + darkness), line=False, glow=True)


def cloudy(x: float, y: float, rx: float, ry: float, bumps: int, phase: float) -> str:
    """Path data of an oval with round bumps, like a tree's crown."""

    def around(k: float, r: float) -> str:
        a = phase + 2 * math.pi * k / bumps
        return f"{x + rx * r * math.cos(a):.4f} {y + ry * r * math.sin(a):.4f}"

    arcs = (f"Q {around(k + .5, 1.12)} {around(k + 1, .88)}" for k in range(bumps))
    return f"M {around(0, .88)} " + " ".join(arcs)


def tree(canvas, subject, scene, rng) -> None:
    """A round crown on a brown trunk."""
    colour = COLOURS[subject.colour]
    bark = BARK if subject.colour != "brown" else darker(BARK, 0.4)
    canvas.shape(
        "M -.14 0 C -.07 -.04 -.065 -.14 -.065 -.4 L .065 -.4 C .065 -.14 .07 -.04 .14 0 Q 0 -.03 -.14 0",
        bark,
    )
    canvas.stroke("M .02 -.26 Q .1 -.3 .14 -.4", bark, 0.045)
    phase = rng.uniform(0, 6.28)
    with canvas.marked(spot=True):
        canvas.shape(cloudy(0, -0.63, 0.42, 0.37, 9, phase), shade_of(colour))
        canvas.shape(cloudy(-0.025, -0.67, 0.36, 0.3, 8, phase), colour, line=False)
        for x, y, r in ((-0.15, -0.78, 0.1), (0.11, -0.72, 0.075), (-0.09, -0.56, 0.07)):
            canvas.shape(cloudy(x, y, r, r * 0.8, 6, phase), glint_of(colour), line=False)


def boat(canvas, subject, scene, rng) -> None:
    """A sailing boat; (0, 0) is on the waterline."""
    colour = COLOURS[subject.colour]
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        canvas.rect(-0.02, -0.98, 0.04, 0.86, darker(BARK, 0.3))
        with canvas.marked(spot=True):
            canvas.shape("M .04 -.93 C .3 -.7 .42 -.46 .44 -.23 Q .2 -.16 .04 -.21", colour)
            canvas.shape("M -.04 -.84 C -.12 -.56 -.24 -.36 -.4 -.23 Q -.2 -.17 -.04 -.21", shade_of(colour))
            canvas.shape("M .02 -1 L .16 -.96 L .02 -.92", colour)
            canvas.stroke("M .07 -.46 Q .2 -.44 .34 -.47", glint_of(colour), 0.025, line=False)
        canvas.shape(
            "M -.46 -.16 Q 0 -.09 .46 -.18 C .42 -.04 .36 .02 .3 .05 L -.28 .05 "
            "C -.38 .02 -.44 -.06 -.46 -.16",
            (132, 84, 50),
        )
        canvas.stroke("M -.44 -.145 Q 0 -.075 .44 -.16", (214, 168, 112), 0.035, line=False)
        canvas.shape(
            "M -.46 .05 Q -.3 -.03 -.15 .02 Q 0 -.03 .15 .02 Q .3 -.03 .48 .05 Q 0 .1 -.46 .05",
            (222, 238, 244),
            alpha=0.8,
            line=False,
        )


def spaceship(canvas, subject, scene, rng) -> None:
    """A retro rocket that stands on its fins."""
    colour = COLOURS[subject.colour]
    trim = IRON if luminance(colour) > 60 else (196, 60, 56)
    canvas.shape("M -.1 -.12 L .1 -.12 L .14 -.03 L -.14 -.03", (96, 96, 108))
    for side in (-1, 1):
        with canvas.at(0, 0, flip=side < 0):
            canvas.shape("M .16 -.44 C .34 -.36 .42 -.2 .4 0 C .34 -.1 .26 -.15 .14 -.15", trim)
    body = (
        "M 0 -1 C .2 -.84 .27 -.62 .25 -.42 C .24 -.28 .19 -.18 .14 -.1 L -.14 -.1 "
        "C -.19 -.18 -.24 -.28 -.25 -.42 C -.27 -.62 -.2 -.84 0 -1"
    )
    with canvas.marked(spot=True):
        canvas.shape(body, colour)
        with canvas.clip(shape(body)):
            canvas.shape(
                "M .03 -1.02 C .16 -.7 .16 -.34 .06 -.08 L .3 -.08 L .3 -1",
                shade_of(colour),
                line=False,
            )
            canvas.shape(
                "M -.14 -.76 C -.19 -.62 -.19 -.48 -.16 -.36 L -.11 -.36 C -.14 -.5 -.13 -.64 -.09 -.76",
                glint_of(colour),
                line=False,
            )
    canvas.shape("M 0 -1 C .08 -.94 .14 -.87 .175 -.8 Q 0 -.76 -.175 -.8 C -.14 -.87 -.08 -.94 0 -1", trim)
    canvas.oval(0, -0.58, 0.125, 0.125, WHITE)
    canvas.oval(0, -0.58, 0.085, 0.085, (126, 206, 236), line=False, glow=True)
    canvas.shape("M -.06 -.59 Q -.05 -.64 0 -.645 Q -.02 -.6 -.06 -.59", WHITE, line=False, glow=True)
    canvas.shape("M -.03 -.32 L .03 -.32 L .03 -.02 L 0 .0 L -.03 -.02", trim)


def moon(canvas, subject, scene, rng) -> None:
    """A shining full disc with craters and a halo."""
    colour = COLOURS[subject.colour]
    halo(canvas, 0, -0.5, 0.66, glint_of(colour), 0.12)
    with canvas.marked(spot=True):
        canvas.oval(0, -0.5, 0.5, 0.5, colour, glow=True)
        with canvas.clip(oval(0, -0.5, 0.5, 0.5)), canvas.at(0, 0, flip=rng.random() < 0.5):
            tone = mix(colour, shade_of(colour), 0.7)
            for x, y, r in CRATERS:
                canvas.oval(x, y, r, r * 0.92, tone, line=False, glow=True)


def lantern(canvas, subject, scene, rng) -> None:
    """A lantern with glowing glass in a dark frame, with a ring to carry it."""
    colour = COLOURS[subject.colour]
    halo(canvas, 0, -0.42, 0.62, lighter(colour, 0.3))
    canvas.stroke("M -.09 -.86 C -.12 -1.01 .12 -1.01 .09 -.86", IRON, 0.05)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.2 -.7 L .2 -.7 C .3 -.5 .3 -.3 .22 -.12 L -.22 -.12 C -.3 -.3 -.3 -.5 -.2 -.7",
            colour,
            glow=True,
        )
        canvas.oval(0, -0.38, 0.15, 0.2, lighter(colour, 0.4), line=False, glow=True)
    canvas.shape(
        "M 0 -.55 C .07 -.44 .09 -.38 .06 -.31 Q 0 -.25 -.06 -.31 C -.09 -.38 -.07 -.44 0 -.55",
        (255, 250, 220),
        line=False,
        glow=True,
    )
    for side in (-1, 1):
        canvas.stroke(f"M {side * .2} -.7 C {side * .3} -.5 {side * .3} -.3 {side * .22} -.12", IRON, 0.04)
    canvas.shape("M -.27 -.68 C -.22 -.78 -.14 -.82 -.07 -.88 L .07 -.88 C .14 -.82 .22 -.78 .27 -.68", IRON)
    canvas.rect(-0.26, -0.14, 0.52, 0.07, IRON, 0.02)
    canvas.rect(-0.32, -0.07, 0.64, 0.07, IRON, 0.02)


def campfire(canvas, subject, scene, rng) -> None:
    """Logs with a tall flame."""
    colour = COLOURS[subject.colour]
    halo(canvas, 0, -0.4, 0.66, lighter(colour, 0.25))
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        with canvas.marked(spot=True):
            canvas.shape(
                "M -.04 -1 C .02 -.84 .16 -.76 .2 -.6 C .24 -.64 .26 -.7 .25 -.78 "
                "C .36 -.62 .4 -.4 .32 -.22 C .26 -.08 .12 -.04 0 -.04 "
                "C -.16 -.04 -.3 -.12 -.33 -.28 C -.36 -.44 -.3 -.54 -.27 -.66 "
                "C -.22 -.62 -.2 -.58 -.18 -.52 C -.14 -.66 -.04 -.8 -.04 -1",
                colour,
                glow=True,
            )
            canvas.shape(
                "M 0 -.68 C .04 -.54 .2 -.44 .2 -.26 C .2 -.12 .1 -.06 0 -.06 "
                "C -.1 -.06 -.2 -.12 -.2 -.26 C -.2 -.36 -.14 -.4 -.12 -.48 C -.06 -.46 -.02 -.56 0 -.68",
                lighter(colour, 0.42),
                line=False,
                glow=True,
            )
        canvas.shape(
            "M .01 -.42 C .03 -.32 .1 -.28 .1 -.18 C .1 -.1 .05 -.07 0 -.07 C -.05 -.07 -.1 -.1 -.1 -.18 "
            "C -.1 -.26 -.01 -.32 .01 -.42",
            (255, 250, 214),
            line=False,
            glow=True,
        )
        for turn, tone in ((14, darker(BARK, 0.25)), (-14, BARK)):
            with canvas.at(0, -0.08, turn=turn):
                canvas.rect(-0.4, -0.06, 0.8, 0.12, tone, 0.05)
                canvas.oval(-0.37 if turn < 0 else 0.37, 0, 0.04, 0.06, (222, 178, 122))


def tower(canvas, subject, scene, rng) -> None:
    """A stone tower with battlements under a pointed roof."""
    colour = COLOURS[subject.colour]
    dim = darker(STONE, 0.2)
    lit = scene.time in ("dusk", "night")
    canvas.rect(-0.012, -1.0, 0.024, 0.16, IRON)
    with canvas.marked(spot=True):
        canvas.shape("M .012 -1 L .2 -.955 L .012 -.9", colour)
        canvas.shape("M 0 -.9 L .22 -.6 L -.22 -.6", colour)
        canvas.shape("M .02 -.88 L .22 -.6 L .07 -.6", shade_of(colour), line=False)
    canvas.shape("M -.2 -.5 L .2 -.5 L .24 0 L -.24 0", STONE)
    canvas.shape("M .08 -.5 L .2 -.5 L .24 0 L .1 0", dim, line=False)
    canvas.shape(
        "M -.28 -.62 L -.16 -.62 L -.16 -.57 L -.06 -.57 L -.06 -.62 L .06 -.62 L .06 -.57 L .16 -.57 "
        "L .16 -.62 L .28 -.62 L .28 -.5 L .2 -.46 L -.2 -.46 L -.28 -.5",
        STONE,
    )
    with canvas.marked(spot=True):
        canvas.shape("M -.22 -.28 L .22 -.28 L .23 -.16 L -.23 -.16", colour)
    window = LAMP if lit else (66, 62, 84)
    canvas.shape("M -.05 -.31 L -.05 -.38 Q 0 -.45 .05 -.38 L .05 -.31", window, glow=lit)
    canvas.shape("M -.06 0 L -.06 -.08 Q 0 -.16 .06 -.08 L .06 0", (92, 62, 46))


def house(canvas, subject, scene, rng) -> None:
    """A cottage: walls in the colour, a dark roof, a door and two windows."""
    colour = COLOURS[subject.colour]
    roof = (112, 58, 46) if subject.colour in ("blue", "purple", "black", "green") else (66, 60, 84)
    lit = scene.time in ("dusk", "night")
    glass = LAMP if lit else (172, 212, 232)
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        canvas.rect(0.16, -1.0, 0.13, 0.34, (150, 100, 84))
        canvas.rect(0.14, -1.0, 0.17, 0.05, roof)
        with canvas.marked(spot=True):
            canvas.rect(-0.38, -0.56, 0.76, 0.56, colour)
        canvas.shape(
            "M -.28 -.88 L .28 -.88 C .34 -.76 .4 -.66 .48 -.52 L -.48 -.52 "
            "C -.4 -.66 -.34 -.76 -.28 -.88",
            roof,
        )
        canvas.shape("M -.48 -.52 L .48 -.52 L .45 -.58 L -.45 -.58", darker(roof, 0.25), line=False)
        canvas.shape("M -.09 0 L -.09 -.24 Q 0 -.38 .09 -.24 L .09 0", (110, 70, 46))
        canvas.oval(0.05, -0.13, 0.017, 0.017, LAMP, line=False)
        for x in (-0.25, 0.25):
            canvas.rect(x - 0.095, -0.39, 0.19, 0.2, WHITE, 0.02)
            canvas.rect(x - 0.07, -0.365, 0.14, 0.15, glass, glow=lit, line=False)
            canvas.rect(x - 0.012, -0.37, 0.024, 0.16, WHITE, line=False)
        canvas.rect(-0.15, -0.03, 0.3, 0.03, (150, 146, 150), 0.01)


def lighthouse(canvas, subject, scene, rng) -> None:
    """A striped tower with a burning lamp. Its beam is visible at night."""
    colour = COLOURS[subject.colour]
    other = (150, 158, 176) if subject.colour == "white" else WHITE
    if scene.time == "night":
        for side in (-1, 1):
            canvas.shape(
                f"M 0 -.8 L {side * 1.1} -1 L {side * 1.1} -.62 L 0 -.76",
                LAMP,
                alpha=0.3,
                line=False,
                glow=True,
            )
    canvas.shape("M -.4 0 C -.38 -.08 -.28 -.1 -.2 -.09 L .22 -.09 C .32 -.1 .38 -.06 .4 0", (122, 116, 122))
    with canvas.marked(spot=True):
        canvas.shape("M -.13 -.66 L .13 -.66 L .22 -.06 L -.22 -.06", colour)
        for y0, y1 in ((-0.56, -0.46), (-0.34, -0.22)):
            a, b = (0.13 + 0.15 * (y + 0.66) for y in (y0, y1))
            canvas.poly(((-a, y0), (a, y0), (b, y1), (-b, y1)), other, line=False)
    canvas.shape("M .07 -.66 L .13 -.66 L .22 -.06 L .1 -.06", (0, 0, 0), alpha=0.12, line=False)
    canvas.rect(-0.09, -0.86, 0.18, 0.18, LAMP, glow=True)
    halo(canvas, 0, -0.78, 0.2, LAMP, 0.16)
    canvas.oval(0, -0.78, 0.055, 0.07, (255, 252, 230), line=False, glow=True)
    for x in (-0.09, 0.07):
        canvas.rect(x, -0.86, 0.02, 0.18, IRON, line=False)
    canvas.rect(-0.19, -0.7, 0.38, 0.05, IRON, 0.01)
    with canvas.marked(spot=True):
        canvas.shape("M -.14 -.85 C -.12 -.93 -.06 -.95 0 -1 C .06 -.95 .12 -.93 .14 -.85", colour)
    canvas.shape("M -.05 -.06 L -.05 -.13 Q 0 -.19 .05 -.13 L .05 -.06", (92, 62, 46))


def door(canvas, subject, scene, rng) -> None:
    """A magical door in its frame, ajar, with light coming out."""
    colour = COLOURS[subject.colour]
    frame = (214, 176, 96)
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        halo(canvas, 0.1, -0.5, 0.6, LAMP)
        canvas.shape("M -.36 0 L -.36 -.66 C -.36 -.88 -.2 -1 0 -1 C .2 -1 .36 -.88 .36 -.66 L .36 0", frame)
        canvas.shape(
            "M -.28 0 L -.28 -.64 C -.28 -.82 -.16 -.92 0 -.92 C .16 -.92 .28 -.82 .28 -.64 L .28 0",
            (255, 246, 196),
            glow=True,
        )
        canvas.shape("M .14 0 L .28 0 L .46 .07 L .2 .09", LAMP, alpha=0.6, line=False, glow=True)
        with canvas.marked(spot=True):
            canvas.shape(
                "M -.28 0 L -.28 -.64 C -.28 -.82 -.18 -.92 -.06 -.92 C .06 -.9 .14 -.8 .14 -.62 "
                "L .14 .05",
                colour,
            )
            canvas.shape(
                "M -.21 -.42 L -.21 -.64 C -.2 -.76 -.14 -.82 -.07 -.82 C .01 -.8 .06 -.74 .06 -.62 "
                "L .06 -.42",
                shade_of(colour),
                line=False,
            )
            canvas.shape("M -.21 -.08 L -.21 -.33 L .06 -.33 L .06 -.05", shade_of(colour), line=False)
        canvas.oval(0.09, -0.37, 0.032, 0.032, (255, 222, 120))


THINGS = {
    "tree": tree, "boat": boat, "spaceship": spaceship, "moon": moon, "lantern": lantern,
    "campfire": campfire, "tower": tower, "house": house, "lighthouse": lighthouse, "door": door,
}  # fmt: skip

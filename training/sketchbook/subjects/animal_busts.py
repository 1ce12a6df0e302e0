"""Animals in portraits: head and shoulders, with the scene's expression.

(0, 0) is the middle of the picture's bottom edge and 1 the picture's height; the chest is cut off there.
Heads are drawn around their own middle in head units (1 is half the head's height), as faces.py requires.
"""

from __future__ import annotations

from ..canvas import darker, lighter, mix
from .animals import INK, SIDES, Coat
from .faces import Paints, brows, drops, eyes, mouth

PINK = (240, 156, 162)
HORN = (250, 226, 160)


def features(canvas, coat, scene, eye_x, eye_y, mouth_y, size=1.25, mouth_size=0.9, iris=INK, discs=False):
    """Eyes, brows, mouth and drops of the scene's expression, in head units.

    `discs` states whether the eyes are on pale discs.
    """
    expression = scene.expression or "calm"
    brow = coat.pale if coat.black else darker(coat.dark, 0.3)
    # Shut eyes are lines on the fur, which would not show in ink on a black animal.
    on_fur = Paints(brow, lid=coat.shade, line=coat.pale if coat.black and not discs else INK, iris=iris)
    on_muzzle = Paints(brow, line=INK)
    eyes(canvas, expression, on_fur, eye_x, eye_y, size)
    brows(canvas, expression, on_fur, eye_x, eye_y, size)
    mouth(canvas, expression, on_muzzle, mouth_y, mouth_size)
    drops(canvas, expression, eye_x + 0.1, eye_y, size)


def fox(canvas, subject, scene, rng) -> None:
    """Pointed ears, white cheeks that end in points, a dark nose."""
    coat = Coat.of(subject.colour)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.36 .02 C -.36 -.14 -.2 -.24 -.12 -.34 L .12 -.34 C .2 -.24 .36 -.14 .36 .02",
            coat.base,
        )
    canvas.shape(
        "M -.18 -.3 C -.22 -.18 -.14 -.08 -.1 -.1 C -.08 -.04 -.03 -.03 0 .02 C .03 -.03 .08 -.04 .1 -.1 "
        "C .14 -.08 .22 -.18 .18 -.3",
        coat.pale,
    )
    with canvas.at(0, -0.5, 0.27):
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                with canvas.marked(spot=True):
                    canvas.shape(
                        "M .3 -.7 C .5 -1.1 .75 -1.5 .98 -1.68 C 1.2 -1.3 1.22 -.8 1.06 -.3",
                        coat.base,
                    )
                canvas.shape(
                    "M .62 -.82 C .72 -1.08 .82 -1.24 .94 -1.36 C 1.06 -1.1 1.06 -.8 .98 -.55",
                    coat.dark,
                    line=False,
                )
        with canvas.marked(spot=True):
            canvas.shape(
                "M 0 1.02 C -.5 1 -1.2 .66 -1.5 .24 C -1.16 .1 -1.2 -.92 0 -.92 "
                "C 1.2 -.92 1.16 .1 1.5 .24 C 1.2 .66 .5 1 0 1.02",
                coat.base,
            )
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape(
                    "M -.01 1.02 C .5 1 1.2 .66 1.5 .24 C 1.1 .16 .5 .2 .24 .36 C .14 .3 .06 .26 -.01 .26",
                    coat.pale,
                    line=False,
                )
        features(canvas, coat, scene, 0.52, -0.14, 0.74)
        canvas.oval(0, 0.36, 0.2, 0.15, INK, line=False)
        canvas.oval(-0.06, 0.3, 0.06, 0.04, lighter(INK, 0.5), line=False)


def cat(canvas, subject, scene, rng) -> None:
    """A round head with whiskers, stripes on the brow and a white collar on the chest."""
    coat = Coat.of(subject.colour)
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.34 .02 C -.34 -.16 -.2 -.24 -.14 -.34 L .14 -.34 C .2 -.24 .34 -.16 .34 .02",
            coat.base,
        )
    canvas.shape(
        "M -.15 -.3 C -.18 -.14 -.12 -.04 -.1 .02 L .1 .02 C .12 -.04 .18 -.14 .15 -.3",
        coat.pale,
        line=False,
    )
    with canvas.at(0, -0.5, 0.27):
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                with canvas.marked(spot=True):
                    canvas.shape(
                        "M .2 -.76 C .5 -1.1 .8 -1.36 1.06 -1.46 C 1.2 -1.1 1.2 -.7 1.1 -.2",
                        coat.base,
                    )
                canvas.shape(
                    "M .6 -.84 C .74 -1 .84 -1.08 .96 -1.16 C 1.04 -.96 1.04 -.74 .98 -.54",
                    PINK,
                    line=False,
                )
        with canvas.marked(spot=True):
            canvas.oval(0, 0.02, 1.3, 0.98, coat.base)
            for x, length in ((-0.27, 0.24), (0, 0.36), (0.27, 0.24)):
                canvas.rect(x - 0.075, -0.98, 0.15, length, coat.shade, 0.07, line=False)
        canvas.shape(
            "M 0 .34 C .3 .26 .64 .4 .62 .66 C .58 .94 .2 .99 0 .99 C -.2 .99 -.58 .94 -.62 .66 "
            "C -.64 .4 -.3 .26 0 .34",
            coat.pale,
            line=False,
        )
        for side in SIDES:
            for y0, y1 in ((0.5, 0.4), (0.66, 0.74)):
                canvas.stroke(f"M {side * .72} {y0} L {side * 1.5} {y1}", coat.dark, 0.06, line=False)
        features(canvas, coat, scene, 0.55, -0.1, 0.74, mouth_size=0.8, iris=(64, 112, 48))
        canvas.shape(
            "M -.17 .3 Q 0 .26 .17 .3 Q .12 .46 0 .5 Q -.12 .46 -.17 .3",
            (226, 108, 124),
            line=False,
        )


def owl(canvas, subject, scene, rng) -> None:
    """Large discs around the eyes, feather tufts and a small beak."""
    coat = Coat.of(subject.colour)
    with canvas.marked(spot=True):
        canvas.shape("M -.4 .02 C -.42 -.2 -.36 -.3 -.3 -.4 L .3 -.4 C .36 -.3 .42 -.2 .4 .02", coat.base)
    canvas.oval(0, 0.04, 0.24, 0.26, coat.pale, line=False)
    with canvas.marked(spot=True):
        for x, y in ((-0.1, -0.13), (0.1, -0.13), (0, -0.06)):
            canvas.shape(
                f"M {x - .06} {y} Q {x} {y + .11} {x + .06} {y} Q {x} {y + .04} {x - .06} {y}",
                coat.base,
                line=False,
            )
    with canvas.at(0, -0.52, 0.27):
        with canvas.marked(spot=True):
            canvas.shape(
                "M -1.16 -1.5 C -.8 -1.1 -.4 -1.02 0 -1.02 C .4 -1.02 .8 -1.1 1.16 -1.5 "
                "C 1.32 -1 1.36 -.6 1.36 -.1 C 1.36 .7 .8 1.08 0 1.1 C -.8 1.08 -1.36 .7 -1.36 -.1 "
                "C -1.36 -.6 -1.32 -1 -1.16 -1.5",
                coat.base,
            )
        canvas.oval(0, 0.66, 0.62, 0.4, coat.pale, line=False)
        for side in SIDES:
            canvas.oval(side * 0.58, -0.06, 0.62, 0.62, coat.pale, line=False)
        features(canvas, coat, scene, 0.55, -0.06, 0.8, size=1.6, mouth_size=0.75, discs=True)
        canvas.shape("M -.2 .22 Q 0 .06 .2 .22 Q .14 .46 0 .6 Q -.14 .46 -.2 .22", (240, 150, 40))


def dragon(canvas, subject, scene, rng) -> None:
    """Horns, frilled ears, a broad snout and wings behind the shoulders."""
    coat = Coat.of(subject.colour)
    with canvas.marked(spot=True):
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape(
                    "M .14 -.1 C .2 -.3 .34 -.44 .48 -.5 C .45 -.38 .48 -.28 .5 -.16 "
                    "C .43 -.18 .38 -.12 .34 -.04",
                    coat.shade,
                )
        canvas.shape(
            "M -.3 .02 C -.32 -.16 -.2 -.22 -.15 -.34 L .15 -.34 C .2 -.22 .32 -.16 .3 .02",
            coat.base,
        )
    canvas.shape(
        "M -.11 -.34 C -.17 -.2 -.18 -.1 -.15 .02 L .15 .02 C .18 -.1 .17 -.2 .11 -.34",
        coat.pale,
        line=False,
    )
    with canvas.marked(spot=True):
        canvas.stroke("M -.15 -.07 Q 0 -.03 .15 -.07", mix(coat.pale, coat.base, 0.45), 0.02, line=False)
    with canvas.at(0, -0.5, 0.27):
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape("M .32 -.7 C .4 -1.2 .62 -1.52 .98 -1.66 C .98 -1.26 .9 -.9 .8 -.5", HORN)
                with canvas.marked(spot=True):
                    canvas.shape(
                        "M .9 -.5 C 1.2 -.66 1.4 -.64 1.56 -.5 C 1.44 -.4 1.44 -.3 1.5 -.14 "
                        "C 1.3 -.16 1.16 -.1 1.04 0",
                        coat.shade,
                    )
        with canvas.marked(spot=True):
            canvas.shape(
                "M 0 -.96 C .7 -.96 1.08 -.6 1.04 -.06 C 1.02 .14 1.16 .3 1.16 .54 "
                "C 1.14 .9 .6 1.04 0 1.04 C -.6 1.04 -1.14 .9 -1.16 .54 C -1.16 .3 -1.02 .14 -1.04 -.06 "
                "C -1.08 -.6 -.7 -.96 0 -.96",
                coat.base,
            )
        canvas.shape(
            "M 0 .26 C .6 .2 1.06 .34 1.08 .58 C 1.06 .86 .6 .98 0 .98 C -.6 .98 -1.06 .86 -1.08 .58 "
            "C -1.06 .34 -.6 .2 0 .26",
            coat.pale,
            line=False,
        )
        features(canvas, coat, scene, 0.5, -0.2, 0.68, mouth_size=0.95)
        for side in SIDES:
            canvas.oval(side * 0.3, 0.37, 0.09, 0.065, coat.dark, line=False)


def horse(canvas, subject, scene, rng) -> None:
    """A long face from the front, a forelock between upright ears and a mane to one side."""
    coat = Coat.of(subject.colour)
    hair = (206, 196, 186) if coat.black else coat.dark
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        canvas.shape(
            "M -.02 -.86 C -.26 -.84 -.3 -.6 -.29 -.44 C -.34 -.34 -.3 -.24 -.36 -.14 "
            "C -.3 -.1 -.32 -.02 -.34 .02 L 0 .02 L 0 -.5",
            hair,
        )
        with canvas.marked(spot=True):
            canvas.shape(
                "M -.14 -.5 C -.16 -.24 -.24 -.12 -.26 .02 L .3 .02 C .28 -.12 .18 -.24 .16 -.5",
                coat.shade,
            )
    with canvas.at(0, -0.5, 0.29):
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                with canvas.marked(spot=True):
                    canvas.shape(
                        "M .2 -.9 C .26 -1.24 .4 -1.46 .6 -1.6 C .78 -1.36 .78 -1.04 .62 -.72",
                        coat.base,
                    )
                canvas.shape(
                    "M .38 -.98 C .42 -1.16 .48 -1.28 .58 -1.36 C .66 -1.2 .66 -1.04 .58 -.88",
                    PINK,
                    line=False,
                )
        with canvas.marked(spot=True):
            canvas.shape(
                "M 0 -1.06 C .5 -1.06 .84 -.7 .8 -.2 C .78 .1 .66 .3 .66 .5 L -.66 .5 "
                "C -.66 .3 -.78 .1 -.8 -.2 C -.84 -.7 -.5 -1.06 0 -1.06",
                coat.base,
            )
        canvas.shape(
            "M 0 .24 C .5 .22 .8 .42 .8 .74 C .8 1.06 .46 1.2 0 1.2 C -.46 1.2 -.8 1.06 -.8 .74 "
            "C -.8 .42 -.5 .22 0 .24",
            coat.pale,
        )
        features(canvas, coat, scene, 0.46, -0.26, 0.86, size=1.1, mouth_size=0.85)
        for side in SIDES:
            canvas.oval(side * 0.34, 0.48, 0.1, 0.08, mix(coat.pale, INK, 0.75), line=False)
        canvas.shape(
            "M -.3 -1.14 C -.1 -1.3 .2 -1.28 .34 -1.1 C .3 -.84 .14 -.64 .02 -.4 "
            "C -.02 -.62 -.06 -.7 -.14 -.78 C -.16 -.66 -.18 -.62 -.22 -.56 C -.32 -.76 -.34 -1 -.3 -1.14",
            hair,
        )


BUSTS = {"fox": fox, "cat": cat, "owl": owl, "dragon": dragon, "horse": horse}

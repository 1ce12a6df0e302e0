"""Animals at full length: each stands on (0, 0), is one unit tall and about 0.9 wide.

Each has a single pose, because captions do not mention poses. Only the direction that they face is random.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..canvas import Rgb, darker, lighter, luminance, mix
from ..words import COLOURS

INK: Rgb = (36, 28, 38)
WHITE: Rgb = (252, 250, 244)
SIDES = (-1, 1)


@dataclass
class Coat:
    """The tones of an animal's fur, feathers or scales in one named colour."""

    base: Rgb
    shade: Rgb  # the same colour for parts that must stand out from `base`
    pale: Rgb  # belly, muzzle, tail tip
    dark: Rgb  # paws, ear tips, hooves

    @property
    def black(self) -> bool:
        """Whether dark marks do not show on `base`."""
        return luminance(self.base) < 60

    @staticmethod
    def of(colour: str) -> Coat:
        base = COLOURS[colour]
        if luminance(base) < 60:  # on a darker black, no inner shape would be visible
            return Coat(base, lighter(base, 0.17), lighter(base, 0.62), lighter(base, 0.3))
        if luminance(base) > 220:
            return Coat(base, (208, 208, 220), (250, 222, 206), (116, 112, 134))
        return Coat(base, darker(base, 0.24), mix(base, (255, 246, 228), 0.8), darker(base, 0.62))


def eyes(canvas, dx: float, y: float, r: float, iris: Rgb) -> None:
    """A pair of round eyes `dx` either side of the middle, with dark pupils that show on any `iris`."""
    for side in SIDES:
        canvas.oval(side * dx, y, r, r, iris)
        canvas.oval(side * dx, y, r * 0.55, r * 0.8, INK, line=False)
        canvas.oval(side * dx + r * 0.3, y - r * 0.4, r * 0.32, r * 0.32, WHITE, line=False)


def fox(canvas, subject, scene, rng) -> None:
    """Sits and looks at us: pointed ears, white cheeks, a bushy tail with a pale tip."""
    coat = Coat.of(subject.colour)
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        with canvas.marked(spot=True):
            canvas.shape(
                "M .04 -.01 C .36 .03 .5 -.12 .49 -.32 C .48 -.44 .44 -.5 .42 -.62 "
                "C .3 -.54 .22 -.42 .25 -.3 C .27 -.2 .2 -.14 .04 -.14",
                coat.base,
            )
        canvas.shape(
            "M .42 -.62 C .3 -.54 .23 -.45 .245 -.35 C .3 -.4 .33 -.34 .37 -.37 "
            "C .41 -.4 .44 -.34 .485 -.37 C .47 -.46 .44 -.52 .42 -.62",
            coat.pale,
        )
        with canvas.marked(spot=True):
            canvas.shape("M -.22 0 C -.3 -.2 -.2 -.42 -.12 -.52 L .12 -.52 C .2 -.42 .3 -.2 .22 0", coat.base)
        canvas.shape(
            "M -.12 -.5 C -.14 -.34 -.06 -.22 0 -.16 C .06 -.22 .14 -.34 .12 -.5",
            coat.pale,
            line=False,
        )
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape("M .02 0 L .02 -.12 C .06 -.16 .12 -.16 .13 -.1 L .14 0", coat.dark)
                with canvas.marked(spot=True):
                    canvas.shape("M .07 -.74 L .25 -1 C .31 -.88 .3 -.78 .26 -.66", coat.base)
                canvas.shape("M .15 -.78 L .235 -.91 C .26 -.84 .255 -.78 .24 -.72", coat.dark, line=False)
        with canvas.marked(spot=True):
            canvas.shape(
                "M 0 -.42 C -.1 -.43 -.3 -.5 -.35 -.58 C -.27 -.62 -.27 -.84 0 -.84 "
                "C .27 -.84 .27 -.62 .35 -.58 C .3 -.5 .1 -.43 0 -.42",
                coat.base,
            )
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape(
                    "M -.005 -.42 C .1 -.43 .3 -.5 .35 -.58 C .26 -.62 .14 -.62 .03 -.51 L -.005 -.48",
                    coat.pale,
                    line=False,
                )
        eyes(canvas, 0.125, -0.655, 0.055, iris=WHITE)
        canvas.oval(0, -0.47, 0.05, 0.038, INK, line=False)


def cat(canvas, subject, scene, rng) -> None:
    """Sits and looks at us: round head, whiskers, a thin tail that curls up."""
    coat = Coat.of(subject.colour)
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        with canvas.marked(spot=True):
            canvas.stroke(
                "M .1 -.06 C .38 -.02 .44 -.2 .36 -.32 C .28 -.44 .4 -.56 .44 -.46",
                coat.base,
                0.085,
            )
            canvas.shape(
                "M -.21 0 C -.28 -.2 -.16 -.4 -.12 -.54 L .12 -.54 C .16 -.4 .28 -.2 .21 0",
                coat.base,
            )
        canvas.shape("M -.1 -.46 C -.13 -.3 -.08 -.2 0 -.18 C .08 -.2 .13 -.3 .1 -.46", coat.pale, line=False)
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.oval(0.075, -0.035, 0.07, 0.045, coat.pale)
                with canvas.marked(spot=True):
                    canvas.shape("M .07 -.86 L .25 -1 C .28 -.9 .28 -.8 .24 -.7", coat.base)
                canvas.shape(
                    "M .15 -.87 L .225 -.93 C .24 -.87 .24 -.84 .22 -.79",
                    (240, 160, 164),
                    line=False,
                )
        with canvas.marked(spot=True):
            canvas.oval(0, -0.67, 0.28, 0.23, coat.base)
            for x in (-0.07, 0, 0.07):
                canvas.rect(x - 0.018, -0.895, 0.036, 0.1 if x == 0 else 0.075, coat.shade, 0.018, line=False)
        canvas.oval(0, -0.575, 0.11, 0.075, coat.pale, line=False)
        for side in SIDES:
            for rise in (-0.03, 0.03):
                canvas.stroke(
                    f"M {side * .13} {-.58 + rise / 2} L {side * .36} {-.59 + rise * 1.6}",
                    coat.dark,
                    0.016,
                    line=False,
                )
        eyes(canvas, 0.12, -0.69, 0.052, iris=(188, 220, 92))
        canvas.shape("M -.035 -.625 L .035 -.625 L 0 -.585", (226, 112, 124), line=False)
        canvas.stroke("M -.05 -.55 Q -.02 -.53 0 -.555 Q .02 -.53 .05 -.55", INK, 0.016, line=False)


def owl(canvas, subject, scene, rng) -> None:
    """Perches on a stump and stares."""
    coat = Coat.of(subject.colour)
    canvas.shape("M -.3 0 C -.24 -.06 -.25 -.12 -.25 -.2 L .25 -.2 C .25 -.12 .24 -.06 .3 0", (112, 76, 50))
    canvas.oval(0, -0.2, 0.25, 0.05, (206, 164, 112))
    with canvas.marked(spot=True):
        canvas.shape(
            "M -.3 -1 C -.2 -.93 -.1 -.92 0 -.92 C .1 -.92 .2 -.93 .3 -1 C .34 -.86 .32 -.8 .32 -.7 "
            "C .36 -.4 .24 -.2 0 -.19 C -.24 -.2 -.36 -.4 -.32 -.7 C -.32 -.8 -.34 -.86 -.3 -1",
            coat.base,
        )
    canvas.oval(0, -0.39, 0.19, 0.19, coat.pale, line=False)
    with canvas.marked(spot=True):
        for x, y in ((-0.08, -0.46), (0.08, -0.46), (0, -0.37), (-0.08, -0.28), (0.08, -0.28)):
            canvas.shape(
                f"M {x - .05} {y} Q {x} {y + .1} {x + .05} {y} Q {x} {y + .035} {x - .05} {y}",
                coat.base,
                line=False,
            )
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape("M .27 -.62 C .4 -.56 .42 -.34 .3 -.22 C .2 -.3 .18 -.5 .27 -.62", coat.shade)
    for side in SIDES:
        canvas.oval(side * 0.1, -0.19, 0.06, 0.035, (240, 168, 48))
        canvas.oval(side * 0.145, -0.71, 0.16, 0.16, coat.pale)
        canvas.oval(side * 0.14, -0.71, 0.11, 0.11, (252, 206, 64), line=False)
        canvas.oval(side * 0.13, -0.71, 0.068, 0.068, INK, line=False)
        canvas.oval(side * 0.13 + 0.025, -0.735, 0.024, 0.024, WHITE, line=False)
    canvas.shape("M -.055 -.66 Q 0 -.7 .055 -.66 L 0 -.54", (240, 150, 40))


def dragon(canvas, subject, scene, rng) -> None:
    """Stands with spread wings and smiles."""
    coat = Coat.of(subject.colour)
    horn = (250, 226, 160)
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        with canvas.marked(spot=True):
            for side in SIDES:
                with canvas.at(0, 0, flip=side < 0):
                    canvas.shape(
                        "M .1 -.42 C .16 -.66 .3 -.8 .5 -.84 C .47 -.7 .5 -.6 .52 -.46 "
                        "C .44 -.5 .4 -.46 .37 -.38 C .31 -.43 .26 -.4 .23 -.32 "
                        "C .18 -.36 .12 -.34 .1 -.3",
                        coat.shade,
                    )
            canvas.stroke("M .1 -.07 C .26 -.03 .36 -.06 .39 -.2", coat.base, 0.1)
            canvas.shape(
                "M .39 -.36 C .44 -.28 .48 -.26 .47 -.2 C .42 -.17 .36 -.17 .3 -.2 "
                "C .31 -.26 .35 -.28 .39 -.36",
                coat.shade,
            )
            canvas.shape(
                "M -.24 -.02 C -.3 -.2 -.2 -.4 -.12 -.54 L .12 -.54 C .2 -.4 .3 -.2 .24 -.02",
                coat.base,
            )
        canvas.shape(
            "M -.08 -.5 C -.17 -.36 -.19 -.2 -.12 -.04 L .12 -.04 C .19 -.2 .17 -.36 .08 -.5",
            coat.pale,
            line=False,
        )
        with canvas.marked(spot=True):
            for y, half in ((-0.14, 0.14), (-0.25, 0.135), (-0.36, 0.11)):
                canvas.stroke(
                    f"M {-half} {y} Q 0 {y + .03} {half} {y}",
                    mix(coat.pale, coat.base, 0.45),
                    0.018,
                    line=False,
                )
            for side in SIDES:
                with canvas.at(0, 0, flip=side < 0):
                    canvas.shape("M .08 0 C .06 -.1 .14 -.16 .22 -.13 C .3 -.1 .3 -.04 .29 0", coat.base)
                    canvas.shape(
                        "M .15 -.4 C .24 -.38 .24 -.28 .17 -.25 C .12 -.26 .1 -.3 .1 -.34",
                        coat.base,
                    )
        for side in SIDES:
            with canvas.at(0, 0, flip=side < 0):
                canvas.shape("M .07 -.84 C .1 -.92 .14 -.98 .22 -1 C .22 -.92 .2 -.84 .17 -.78", horn)
        with canvas.marked(spot=True):
            canvas.shape(
                "M 0 -.89 C .16 -.89 .24 -.8 .22 -.68 C .26 -.6 .22 -.5 0 -.5 "
                "C -.22 -.5 -.26 -.6 -.22 -.68 C -.24 -.8 -.16 -.89 0 -.89",
                coat.base,
            )
        canvas.oval(0, -0.585, 0.205, 0.08, coat.pale, line=False)
        eyes(canvas, 0.105, -0.745, 0.055, iris=WHITE)
        for side in SIDES:
            canvas.oval(side * 0.065, -0.625, 0.02, 0.016, INK, line=False)
        canvas.stroke("M -.12 -.57 Q 0 -.51 .12 -.57", INK, 0.02, line=False)


def horse(canvas, subject, scene, rng) -> None:
    """Stands in side view: long legs, arched neck, mane and tail."""
    coat = Coat.of(subject.colour)
    hair = (206, 196, 186) if coat.black else coat.dark
    with canvas.at(0, 0, flip=rng.random() < 0.5):
        canvas.shape("M -.34 -.54 C -.46 -.54 -.48 -.34 -.44 -.12 C -.38 -.16 -.34 -.28 -.32 -.44", hair)
        with canvas.marked(spot=True):
            for x in (-0.2, 0.1):
                canvas.shape(
                    f"M {x - .06} -.3 L {x + .08} -.3 L {x + .045} -.04 L {x - .035} -.04",
                    coat.shade,
                )
        for x in (-0.2, 0.1):
            canvas.shape(f"M {x - .04} 0 L {x - .035} -.06 L {x + .045} -.06 L {x + .06} 0", coat.dark)
        with canvas.marked(spot=True):
            canvas.shape(
                "M -.36 -.5 C -.34 -.6 -.2 -.6 -.06 -.57 C .04 -.56 .1 -.62 .13 -.72 "
                "C .15 -.82 .18 -.88 .23 -.92 "
                "L .3 -.92 C .34 -.9 .37 -.84 .4 -.78 C .44 -.72 .47 -.7 .46 -.65 "
                "C .44 -.6 .38 -.61 .34 -.65 "
                "C .31 -.68 .29 -.69 .28 -.66 C .28 -.56 .27 -.46 .25 -.36 L .225 -.04 L .135 -.04 "
                "L .12 -.28 "
                "C 0 -.24 -.1 -.24 -.19 -.29 C -.2 -.2 -.24 -.14 -.23 -.04 L -.325 -.04 "
                "C -.34 -.14 -.38 -.3 -.36 -.5",
                coat.base,
            )
        for left, right in ((-0.335, -0.22), (0.13, 0.235)):
            canvas.shape(
                f"M {left} 0 L {left + .01} -.065 L {right - .01} -.065 L {right + .01} 0",
                coat.dark,
            )
        canvas.shape(
            "M .33 -.86 C .3 -.97 .2 -.97 .17 -.92 C .1 -.86 .06 -.76 .05 -.68 "
            "C .03 -.64 0 -.6 -.05 -.57 C .06 -.54 .14 -.6 .17 -.7 C .19 -.8 .26 -.86 .33 -.86",
            hair,
        )
        with canvas.marked(spot=True):
            canvas.shape("M .2 -.88 C .19 -.94 .21 -.98 .25 -1 C .31 -.97 .32 -.92 .3 -.87", coat.base)
        canvas.oval(0.315, -0.8, 0.036, 0.036, WHITE, line=False)
        canvas.oval(0.315, -0.8, 0.024, 0.028, INK, line=False)
        canvas.oval(0.425, -0.665, 0.014, 0.014, INK, line=False)


ANIMALS = {"fox": fox, "cat": cat, "owl": owl, "dragon": dragon, "horse": horse}

"""Faces: eyes, brows and mouths for each expression, distinguishable even in a thumbnail.

Lengths are in head units: (0, 0) is the middle of the head, 1 is half its height, y runs down.
Eyes, brows and mouths are `line`d, which makes them black in ink and bright in neon. Soft parts
(lids, cheeks, noses) are half transparent, so that they stay soft in all styles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..canvas import Canvas, Rgb

SHADE = (58, 32, 44)
PUPIL = (40, 36, 42)
MOUTH = (126, 34, 48)
TONGUE = (232, 112, 116)
TEETH = (252, 250, 244)
WATER = (96, 184, 240)


@dataclass(frozen=True)
class Paints:
    """The colours of a face. `white` None makes eyes solid `line`, as on a screen."""

    brow: Rgb
    lid: Rgb | None = None
    cheek: Rgb | None = None
    line: Rgb = SHADE
    white: Rgb | None = (255, 253, 248)
    iris: Rgb = PUPIL
    bushy: float = 1.0  # multiplies the width of brows
    glow: bool = False


@dataclass(frozen=True)
class Look:
    """The effect of an expression on eyes and brows. Pairs of heights are (inner end, outer end).

    `lids` are in eye heights: -1 is open, 0 half shut. `brows` are above the middle of the eye: the
    first pair is the left one's. `bend` lifts the middle of a brow.
    """

    brows: tuple[tuple[float, float], tuple[float, float]]
    bend: float = 0.06
    lids: tuple[float, float] = (-1.0, -1.0)
    size: float = 1.0
    pupil: float = 0.68
    gaze: tuple[float, float] = (0.0, 0.0)
    arcs: bool = False


#: The opacity of cheeks, if it is not 0.45.
BLUSH = {"happy": 0.59, "angry": 0.55, "sad": 0.25, "worried": 0.25, "tired": 0.2}


def _both(inner: float, outer: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (inner, outer), (inner, outer)


LOOKS = {
    "calm": Look(_both(0.36, 0.33)),
    "happy": Look(_both(0.52, 0.44), bend=0.1, arcs=True),
    "sad": Look(_both(0.5, 0.22), bend=0.0, lids=(-0.75, -0.15), gaze=(0.0, 0.3)),
    "angry": Look(_both(0.1, 0.46), bend=-0.02, lids=(0.05, -0.85), pupil=0.55, gaze=(0.0, 0.1)),
    "worried": Look(_both(0.56, 0.32), bend=-0.03, size=1.08, pupil=0.42),
    "surprised": Look(_both(0.52, 0.46), bend=0.1, size=1.35, pupil=0.4),
    "tired": Look(_both(0.32, 0.2), bend=0.02, lids=(0.12, 0.3), gaze=(0.0, 0.45)),
    "sly": Look(((0.18, 0.28), (0.4, 0.52)), bend=0.08, lids=(-0.1, -0.1), gaze=(0.48, 0.1)),
}


def face(canvas: Canvas, expression: str, paints: Paints, eye_x=0.38, eye_y=0.13, mouth_y=0.6) -> None:
    """A whole face: cheeks, eyes, brows, mouth, and a tear or a drop of sweat for some expressions."""
    if paints.cheek:
        _cheeks(canvas, expression, paints.cheek, eye_x + 0.2, eye_y + 0.34)
    eyes(canvas, expression, paints, eye_x, eye_y)
    brows(canvas, expression, paints, eye_x, eye_y)
    mouth(canvas, expression, paints, mouth_y)
    drops(canvas, expression, eye_x, eye_y)


def plain_face(canvas: Canvas, paints: Paints, eye_x=0.36, eye_y=0.16, mouth_y=0.56) -> None:
    """The face of a small figure, with dark eyes, cheeks and a smile as large as possible."""
    for x in (-eye_x, eye_x):
        canvas.oval(x, eye_y, 0.13, 0.18, paints.iris, glow=paints.glow)
        if paints.cheek:
            canvas.oval(x * 1.62, eye_y + 0.32, 0.17, 0.12, paints.cheek, alpha=0.55, line=False)
    smile = f"M -.22 {mouth_y - 0.07} Q 0 {mouth_y + 0.15} .22 {mouth_y - 0.07}"
    canvas.stroke(smile, paints.line, 0.09, glow=paints.glow)


def eyes(canvas: Canvas, expression: str, paints: Paints, x=0.38, y=0.13, size=1.0) -> None:
    """Both eyes, `x` left and right of the middle; `size` scales them."""
    look = LOOKS[expression]
    rx, ry = 0.17 * size * look.size, 0.21 * size * look.size
    for side in (-1, 1):
        cx = side * x
        if look.arcs:
            a, b, low = cx - 0.19 * size, cx + 0.19 * size, y + 0.08 * size
            arc = f"M {a} {low} Q {cx} {y - 0.28 * size} {b} {low}"
            canvas.stroke(arc, paints.line, 0.1 * size, glow=paints.glow)
            continue
        _eye(canvas, look, paints, cx, y, rx, ry, side)
        if expression == "tired" and not paints.glow:
            bag = f"M {cx - rx} {y + ry * 1.18} Q {cx} {y + ry * 1.75} {cx + rx} {y + ry * 1.18}"
            canvas.stroke(bag, (104, 52, 110), 0.075 * size, alpha=0.55, line=False)


def brows(canvas: Canvas, expression: str, paints: Paints, x=0.38, y=0.13, size=1.0) -> None:
    """Both brows over eyes at (-x, y) and (x, y)."""
    look = LOOKS[expression]
    for side, (inner, outer) in zip((-1, 1), look.brows):
        a, b = side * (x - 0.2 * size), side * (x + 0.22 * size)
        ya, yb = y - inner * size, y - outer * size
        middle = (ya + yb) / 2 - 2 * look.bend * size
        width = (0.15 if expression == "angry" else 0.11) * size * paints.bushy
        path = f"M {a} {ya} Q {(a + b) / 2} {middle} {b} {yb}"
        canvas.stroke(path, paints.brow, width, glow=paints.glow)


def mouth(canvas: Canvas, expression: str, paints: Paints, y=0.6, size=1.0) -> None:
    """The mouth, around (0, y)."""
    with canvas.at(0, y, size):
        MOUTHS[expression](canvas, paints)


def drops(canvas: Canvas, expression: str, x=0.38, y=0.13, size=1.0) -> None:
    """A tear for sad, a drop of sweat at the temple for worried."""
    with canvas.marked(spot=True):  # blue in every style
        if expression == "sad":
            _drop(canvas, -x - 0.06 * size, y + 0.5 * size, 0.15 * size)
        elif expression == "worried":
            _drop(canvas, x + 0.38 * size, y - 0.1 * size, 0.15 * size)


def _eye(canvas, look: Look, paints: Paints, cx, cy, rx, ry, side) -> None:
    def lid(x):
        """Height of the lid's edge at x."""
        t = 0.5 + side * (x - cx) / (2 * rx)
        return cy + ry * (look.lids[0] * (1 - t) + look.lids[1] * t)

    def below_lid(x, y, rx, ry):
        ring = ((x + rx * math.cos(0.2618 * i), y + ry * math.sin(0.2618 * i)) for i in range(24))
        return [(px, max(py, lid(px))) for px, py in ring]

    shut = max(look.lids) > -0.9
    if paints.white is None:
        gaze_x = cx + look.gaze[0] * rx * 0.6
        canvas.poly(below_lid(gaze_x, cy, rx, ry), paints.line, glow=paints.glow)
        return
    if shut and paints.lid:
        canvas.oval(cx, cy, rx * 1.06, ry * 1.04, paints.lid, alpha=0.59, line=False)
    canvas.poly(below_lid(cx, cy, rx, ry), paints.white)
    pupil_x, pupil_y = cx + look.gaze[0] * rx, cy + look.gaze[1] * ry
    canvas.poly(below_lid(pupil_x, pupil_y, rx * look.pupil, ry * look.pupil), paints.iris)
    shine_y = max(pupil_y - 0.3 * ry * look.pupil, lid(pupil_x) + 0.3 * ry)
    canvas.oval(pupil_x - 0.2 * rx, shine_y, rx * 0.2, rx * 0.2, paints.white, line=False)
    if shut:
        ends = [(x, lid(x)) for x in (cx - rx, cx + rx)]
        canvas.stroke("M {} {} L {} {}".format(*ends[0], *ends[1]), paints.line, 0.4 * rx)


def _cheeks(canvas, expression, colour, x, y) -> None:
    strength = BLUSH.get(expression, 0.45)
    shade = (226, 52, 44) if expression == "angry" else colour
    for side in (-x, x):
        canvas.oval(side, y, 0.18, 0.13, shade, alpha=strength, line=False)


def _drop(canvas, x, y, r) -> None:
    with canvas.at(x, y, r):
        canvas.shape(
            "M 0 -1.9 C .5 -.9 1 -.4 1 .2 C 1 1.4 -1 1.4 -1 .2 C -1 -.4 -.5 -.9 0 -1.9 Z",
            WATER,
            line=False,
        )
        canvas.oval(-0.35, 0.25, 0.25, 0.35, (226, 244, 255), line=False)


def _line(canvas, paints, path, width=0.1) -> None:
    canvas.stroke(path, paints.line, width, glow=paints.glow)


def _calm(canvas, paints) -> None:
    _line(canvas, paints, "M -.28 -.04 Q 0 .16 .28 -.04")


def _happy(canvas, paints) -> None:
    grin = "M -.46 -.16 Q 0 -.06 .46 -.16 C .44 .5 -.44 .5 -.46 -.16 Z"
    if paints.glow:
        canvas.shape(grin, paints.line, glow=True)
        return
    canvas.shape(grin, MOUTH)
    canvas.shape("M -.4 -.14 Q 0 -.05 .4 -.14 L .36 .02 Q 0 .1 -.36 .02 Z", TEETH, line=False)
    canvas.oval(0, 0.22, 0.2, 0.1, TONGUE, line=False)


def _sad(canvas, paints) -> None:
    _line(canvas, paints, "M -.32 .16 Q 0 -.28 .32 .16", 0.11)


def _angry(canvas, paints) -> None:
    canvas.shape(
        "M -.32 -.14 Q 0 -.22 .32 -.14 Q .44 .02 .42 .2 Q 0 .06 -.42 .2 Q -.44 .02 -.32 -.14 Z",
        paints.line,
        glow=paints.glow,
    )
    if not paints.glow:
        for x in (-0.2, 0.0, 0.2):
            canvas.rect(x - 0.08, -0.11, 0.16, 0.18, TEETH, 0.02, line=False)


def _worried(canvas, paints) -> None:
    _line(canvas, paints, "M -.38 .08 Q -.25 -.2 -.12 .02 Q 0 .24 .12 .02 Q .25 -.2 .38 .08", 0.1)


def _surprised(canvas, paints) -> None:
    canvas.oval(0, 0.06, 0.2, 0.27, paints.line, glow=paints.glow)
    inside = (26, 34, 56) if paints.glow else MOUTH
    canvas.oval(0, 0.06, 0.12, 0.19, inside, line=False)


def _tired(canvas, paints) -> None:
    _line(canvas, paints, "M -.24 .0 Q .04 -.06 .26 .08", 0.11)


def _sly(canvas, paints) -> None:
    _line(canvas, paints, "M -.26 .08 C -.05 .16 .28 .12 .4 -.16", 0.1)
    _line(canvas, paints, "M .32 -.22 Q .42 -.18 .48 -.1", 0.09)


MOUTHS = {
    "calm": _calm,
    "happy": _happy,
    "sad": _sad,
    "angry": _angry,
    "worried": _worried,
    "surprised": _surprised,
    "tired": _tired,
    "sly": _sly,
}

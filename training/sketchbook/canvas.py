"""A canvas with style and light: drawings define shapes, the style defines their look.

Coordinates are in units of a hundredth of the picture's height: y runs from 0 (top) to 100, x from
0 to `Canvas.w`, which is 100 for a square picture and more for a wide one.
"""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import skia

Rgb = tuple[float, float, float]


def mix(a: Rgb, b: Rgb, t: float) -> Rgb:
    """`a` at t = 0, `b` at t = 1."""
    return tuple(x * (1 - t) + y * t for x, y in zip(a, b))


def darker(colour: Rgb, t: float = 0.3) -> Rgb:
    return mix(colour, (0, 0, 0), t)


def lighter(colour: Rgb, t: float = 0.4) -> Rgb:
    return mix(colour, (255, 255, 255), t)


def luminance(colour: Rgb) -> float:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def argb(colour: Rgb, alpha: float = 1.0) -> int:
    r, g, b = (int(min(255, max(0, v))) for v in colour)
    return skia.Color(r, g, b, int(255 * alpha))


@dataclass
class Mark:
    """A shape with the properties that styles use."""

    path: skia.Path
    colour: Rgb  # already lit
    alpha: float = 1.0
    line: bool = True  # whether styles with outlines outline the shape
    glow: bool = False  # emits light: lighting does not darken it
    spot: bool = False  # has a colour that the caption names
    backdrop: bool = False  # sky, walls, floor: the large areas behind everything
    scenery: bool = False  # belongs to the place, not to a subject, and stays in the background


class Style:
    """The look of marks. The base class is the flat style with plain fills."""

    name = "flat"

    def begin(self, canvas: Canvas) -> None:
        """Prepares the paper."""

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        paint = skia.Paint(AntiAlias=True, Color=argb(mark.colour, mark.alpha))
        canvas.skia.drawPath(mark.path, paint)

    def sky(self, canvas: Canvas, path: skia.Path, top: Rgb, bottom: Rgb, y0: float, y1: float) -> None:
        """Fills `path` with a gradient from `top` at height y0 to `bottom` at y1."""
        shader = skia.GradientShader.MakeLinear(
            [skia.Point(0, y0), skia.Point(0, y1)], [argb(top), argb(bottom)]
        )
        canvas.skia.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def finish(self, canvas: Canvas, pixels: np.ndarray) -> np.ndarray:
        """Post-processes the finished picture, (height, width, 3) u8."""
        return pixels


class Canvas:
    def __init__(self, width: int, height: int, style: Style, rng: random.Random):
        self.style, self.rng = style, rng
        self.w = 100 * width / height
        self.surface = skia.Surface(width, height)
        self.skia = self.surface.getCanvas()
        self.skia.scale(height / 100, height / 100)
        #: Multiplies colours channel by channel; (1, 1, 1) is plain daylight.
        self.light: Rgb = (1.0, 1.0, 1.0)
        self.spot = False
        self.backdrop = False
        self.scenery = False
        self._matrix = skia.Matrix()
        style.begin(self)

    # ---- state

    @contextmanager
    def at(self, x: float, y: float, size: float = 1.0, flip: bool = False, turn: float = 0.0):
        """A context with origin (x, y), lengths multiplied by `size`, x mirrored by `flip`, and rotated clockwise by
        `turn` degrees. Line widths of styles stay the same."""
        before, moved = self._matrix, skia.Matrix()
        moved.preConcat(before)
        self._matrix = moved
        moved.preTranslate(x, y)
        moved.preRotate(turn)
        moved.preScale(-size if flip else size, size)
        try:
            yield
        finally:
            self._matrix = before

    def visible(self) -> tuple[float, float, float, float]:
        """The visible area in current coordinates: left, top, right, bottom."""
        inverse = skia.Matrix()
        self._matrix.invert(inverse)
        area = inverse.mapRect(skia.Rect.MakeWH(self.w, 100))
        return area.left(), area.top(), area.right(), area.bottom()

    @contextmanager
    def lit(self, light: Rgb):
        """A context in which colours are multiplied by `light` instead of the scene's light."""
        before, self.light = self.light, light
        try:
            yield
        finally:
            self.light = before

    @contextmanager
    def marked(self, *, spot: bool | None = None, backdrop: bool | None = None, scenery: bool | None = None):
        """A context in which marks have a named colour (`spot`), are `backdrop` or are `scenery`."""
        before = self.spot, self.backdrop, self.scenery
        self.spot = before[0] if spot is None else spot
        self.backdrop = before[1] if backdrop is None else backdrop
        self.scenery = before[2] if scenery is None else scenery
        try:
            yield
        finally:
            self.spot, self.backdrop, self.scenery = before

    @contextmanager
    def clip(self, path: skia.Path):
        """A context that clips drawing to `path`, as built by `shape` and similar functions."""
        self.skia.save()
        self.skia.clipPath(self._moved(path), doAntiAlias=True)
        try:
            yield
        finally:
            self.skia.restore()

    # ---- marks

    def fill(
        self, path: skia.Path, colour: Rgb, *, alpha: float = 1.0, line: bool = True, glow: bool = False
    ) -> None:
        """Draws `path` in `colour`, given by daylight. Lighting is applied unless `glow`."""
        lit = colour if glow else tuple(v * l for v, l in zip(colour, self.light))
        self.style.draw(
            self, Mark(self._moved(path), lit, alpha, line, glow, self.spot, self.backdrop, self.scenery)
        )

    def gradient(self, path: skia.Path, top: Rgb, bottom: Rgb, y0: float, y1: float) -> None:
        """Fills with a vertical gradient, without lighting. y0 and y1 are in picture units."""
        self.style.sky(self, self._moved(path), top, bottom, y0, y1)

    def poly(self, points, colour: Rgb, **kw) -> None:
        self.fill(poly(points), colour, **kw)

    def oval(self, x, y, rx, ry, colour: Rgb, **kw) -> None:
        self.fill(oval(x, y, rx, ry), colour, **kw)

    def rect(self, x, y, w, h, colour: Rgb, radius: float = 0.0, **kw) -> None:
        """Left, top, width, height."""
        self.fill(rect(x, y, w, h, radius), colour, **kw)

    def shape(self, commands: str, colour: Rgb, **kw) -> None:
        """`commands` is SVG path data with absolute M, L, Q, C, Z."""
        self.fill(shape(commands), colour, **kw)

    def stroke(self, commands: str, colour: Rgb, width: float, **kw) -> None:
        """An open SVG path, drawn as a band of `width` with round ends, and filled like any shape."""
        self.fill(stroked(shape(commands, close=False), width), colour, **kw)

    def ground(self, top, colour: Rgb, **kw) -> None:
        """Everything below the curve y = top(x), down to the bottom edge."""
        n = 40
        xs = [-2 + (self.w + 4) * i / n for i in range(n + 1)]
        self.poly([(-2, 102)] + [(x, top(x)) for x in xs] + [(self.w + 2, 102)], colour, **kw)

    def everything(self) -> skia.Path:
        return rect(-2, -2, self.w + 4, 104)

    def pixels(self) -> np.ndarray:
        """The finished picture: (height, width, 3) u8, RGB."""
        raw = self.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]
        return np.ascontiguousarray(self.style.finish(self, np.ascontiguousarray(raw)))

    def _moved(self, path: skia.Path) -> skia.Path:
        moved = skia.Path(path)
        moved.transform(self._matrix)
        return moved


# ---- paths


def poly(points) -> skia.Path:
    path = skia.Path()
    path.addPoly([skia.Point(float(x), float(y)) for x, y in points], True)
    return path


def oval(x, y, rx, ry) -> skia.Path:
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry))
    return path


def rect(x, y, w, h, radius: float = 0.0) -> skia.Path:
    path = skia.Path()
    path.addRoundRect(skia.Rect.MakeXYWH(x, y, w, h), radius, radius)
    return path


def shape(commands: str, close: bool = True) -> skia.Path:
    """From SVG path data with absolute M, L, Q, C, Z commands, separated by spaces or commas."""
    path, words = skia.Path(), commands.replace(",", " ").split()
    i, verb = 0, "M"
    needed = {"M": (2, path.moveTo), "L": (2, path.lineTo), "Q": (4, path.quadTo), "C": (6, path.cubicTo)}
    while i < len(words):
        if words[i] == "Z":
            path.close()
            i += 1
            continue
        if words[i] in needed:
            verb = words[i]
            i += 1
        count, add = needed[verb]
        add(*(float(v) for v in words[i : i + count]))
        i += count
    if close:
        path.close()
    return path


def stroked(path: skia.Path, width: float) -> skia.Path:
    paint = skia.Paint(
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )
    out = skia.Path()
    # A scale of 100 keeps curves smooth for subjects drawn in lengths below one.
    paint.getFillPath(path, out, None, 100.0)
    return out


def wave(rng: random.Random, base: float, height: float, length: float):
    """A smooth hill line y(x) around `base`, with hills about `height` high and `length` wide."""
    a, b = rng.uniform(0, 6.28), rng.uniform(0, 6.28)
    return lambda x: base + height * (
        0.7 * math.sin(6.28 * x / length + a) + 0.3 * math.sin(6.28 * x / (length * 0.41) + b)
    )

"""Helpers for several styles: random numbers, unlit colours, paints."""

from __future__ import annotations

import random

import numpy as np
import skia

from ..canvas import Canvas, Mark, Rgb, argb


def own_rng(canvas: Canvas) -> random.Random:
    """A random generator for the style, seeded with the picture's seed. It is separate from the picture's
    generator, so that one seed draws the same scene in every style."""
    rng = random.Random()
    rng.setstate(canvas.rng.getstate())
    return rng


def unlit(canvas: Canvas, mark: Mark) -> Rgb:
    """The mark's colour by daylight."""
    if mark.glow:
        return mark.colour
    return tuple(min(255, v / max(light, 0.05)) for v, light in zip(mark.colour, canvas.light))


def plain(colour: Rgb, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=argb(colour, alpha))


def pen(colour: Rgb, width: float, alpha: float = 1.0) -> skia.Paint:
    """An outline `width` units wide."""
    return skia.Paint(
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeJoin=skia.Paint.kRound_Join,
        Color=argb(colour, alpha),
    )


def ramp(start: skia.Point, end: skia.Point, first: Rgb, last: Rgb, alpha: float = 1.0) -> skia.Paint:
    """A linear gradient between two points."""
    shader = skia.GradientShader.MakeLinear([start, end], [argb(first, alpha), argb(last, alpha)])
    return skia.Paint(AntiAlias=True, Shader=shader)


def span(path: skia.Path) -> float:
    """The shorter side of the path's bounding box, in units."""
    box = path.getBounds()
    return min(box.width(), box.height())


def repaint(canvas: Canvas) -> np.ndarray:
    """The canvas's pixels after more drawing in `finish`."""
    raw = canvas.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]
    return np.ascontiguousarray(raw)

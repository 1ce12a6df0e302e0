"""Flat: a clean modern picture book. Every shape has one colour, a little lighter towards the light."""

import skia

from ..canvas import Canvas, Mark, Style, darker, lighter
from .common import plain, ramp, span


class Flat(Style):
    name = "flat"

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        # Small shapes keep a plain colour, because a gradient would not be visible.
        if mark.alpha < 0.95 or mark.glow or span(mark.path) < 4:
            canvas.skia.drawPath(mark.path, plain(mark.colour, mark.alpha))
            return
        box = mark.path.getBounds()
        first, last = lighter(mark.colour, 0.09), darker(mark.colour, 0.07)
        start = skia.Point(box.left(), box.top())
        end = skia.Point(box.left() + 0.4 * box.width(), box.bottom())
        canvas.skia.drawPath(mark.path, ramp(start, end, first, last))

"""Papercut: layers of coloured card that cast soft shadows down and to the right."""

import math

import skia

from ..canvas import Canvas, Mark, Style, lighter, mix
from .common import own_rng, plain, span

SHADOW = (24, 18, 40)
BANDS = 5


class Papercut(Style):
    name = "papercut"

    def begin(self, canvas: Canvas) -> None:
        self.rng = own_rng(canvas)

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        small = span(mark.path)
        colour = mark.colour if mark.glow else mix(mark.colour, (150, 144, 138), 0.1)
        if mark.line and mark.alpha > 0.9 and small > 1.5:
            if not (mark.backdrop and small > 70):
                self._shadow(canvas, mark.path, min(1.4, 0.4 + small / 25))
            self._shifted(canvas, mark.path, -0.6, -0.6, plain(lighter(colour, 0.38)))
        canvas.skia.drawPath(mark.path, plain(colour, mark.alpha))

    def sky(self, canvas, path, top, bottom, y0, y1) -> None:
        canvas.skia.save()
        canvas.skia.clipPath(path, doAntiAlias=True)
        canvas.skia.drawPath(path, plain(bottom))
        # From the lowest band upwards: each band overlaps the one below.
        for i in range(BANDS - 2, -1, -1):
            edge, phase = y0 + (y1 - y0) * (i + 1) / BANDS, self.rng.uniform(0, 6.28)
            height = 0.02 * (y1 - y0)
            points = [skia.Point(-3, -3), skia.Point(canvas.w + 3, -3)]
            for j in range(25):
                x = (canvas.w + 6) * (1 - j / 24) - 3
                points.append(skia.Point(x, edge + height * math.sin(x / 13 + phase)))
            band = skia.Path()
            band.addPoly(points, True)
            self._shadow(canvas, band, 0.6)
            canvas.skia.drawPath(band, plain(mix(top, bottom, i / (BANDS - 1))))
        canvas.skia.restore()

    def _shadow(self, canvas: Canvas, path: skia.Path, reach: float) -> None:
        """Three faint copies at increasing distances form one soft shadow."""
        for far, alpha in ((0.7, 0.22), (1.4, 0.17), (2.4, 0.12)):
            self._shifted(canvas, path, 0.8 * far * reach, far * reach, plain(SHADOW, alpha))

    @staticmethod
    def _shifted(canvas: Canvas, path: skia.Path, x: float, y: float, paint: skia.Paint) -> None:
        canvas.skia.save()
        canvas.skia.translate(x, y)
        canvas.skia.drawPath(path, paint)
        canvas.skia.restore()

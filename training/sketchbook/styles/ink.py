"""Ink: dark lines on cream paper, soft washes, and a little colour on subjects."""

import skia

from ..canvas import Canvas, Mark, Rgb, Style, luminance, mix
from .common import own_rng, pen, plain, ramp, span, unlit
from .texture import blotches

PAPER = (250, 243, 228)
INK = (30, 26, 36)


def washed(colour: Rgb, tint: float) -> Rgb:
    """The wash for `colour`: diluted ink on paper, with `tint` (0 to 1) of the colour."""
    grey = mix(INK, PAPER, 1 - 0.92 * (1 - luminance(colour) / 255) ** 2.2)
    return mix(grey, colour, tint)


class Ink(Style):
    name = "ink"

    def begin(self, canvas: Canvas) -> None:
        self.rng = own_rng(canvas)
        canvas.skia.clear(skia.Color(*PAPER))

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        box, small = mark.path.getBounds(), span(mark.path)
        if mark.spot:
            # Night dims named colours less than washes, so that they stay recognisable.
            colour = mix(mark.colour, unlit(canvas, mark), 0.4)
            colour = washed(colour, 0.68)
        elif not mark.line and small < 12 and mark.alpha > 0.9 and luminance(mark.colour) < 75:
            colour = INK  # eyes, mouths: drawn with the pen
        else:
            colour = washed(mark.colour, 0.3 if mark.glow else 0.06)
            if not mark.glow:
                # Washes lose most of the light's colour, so add some of it again.
                colour = tuple(v * light**0.5 for v, light in zip(colour, canvas.light))
        if mark.alpha < 0.95 or not 4 < small < 30:
            canvas.skia.drawPath(mark.path, plain(colour, mark.alpha))
        else:
            start, end = skia.Point(0, box.top()), skia.Point(0, box.bottom())
            wash = ramp(start, end, mix(colour, PAPER, 0.16), mix(colour, INK, 0.05))
            canvas.skia.drawPath(mark.path, wash)
        if mark.line and not mark.backdrop and mark.alpha > 0.6 and small > 3:
            # Scenery is drawn with thinned ink, so that subjects stand out from it.
            ink = mix(INK, colour, 0.55) if mark.scenery else INK
            canvas.skia.drawPath(mark.path, pen(ink, 0.9 if small > 5 else 0.55))
            if small > 12 and not mark.scenery:
                # A second line, slightly lower and to the right, because a pen presses more on that side.
                canvas.skia.save()
                canvas.skia.translate(0.22, 0.26)
                canvas.skia.drawPath(mark.path, pen(INK, 0.6))
                canvas.skia.restore()

    def sky(self, canvas, path, top, bottom, y0, y1) -> None:
        shades = ramp(skia.Point(0, y0), skia.Point(0, y1), washed(top, 0.3), washed(bottom, 0.3))
        canvas.skia.drawPath(path, shades)

    def finish(self, canvas, pixels):
        return blotches(pixels, self.rng, 0.2, 4)

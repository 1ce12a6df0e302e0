"""Watercolour: clear pigments on warm white paper, darker wet edges, and a ragged unpainted border."""

import colorsys
import math
import random
from functools import lru_cache

import skia

from ..canvas import Canvas, Mark, Rgb, Style, darker, lighter, mix
from .common import own_rng, pen, plain, ramp, repaint, span
from .texture import overlay, wavering

PAPER = (252, 247, 236)
#: The width of the dried rim of a wash, in units.
RIM = 0.8
#: The opacity of a wash.
COVER = 0.94
#: Side of the repeating sheet of pools, in texels; one texel is TEXEL units.
SHEET, TEXEL = 256, 0.5
#: Shapes at least this broad, in units, show pools; narrower ones a gradient.
POOLED = 9


def pigment(colour: Rgb, thin: float = 0.2) -> Rgb:
    """A clear colour with a share of the paper shining through."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in colour))
    clear = colorsys.hsv_to_rgb(hue, min(1, 1.25 * saturation), value)
    # Dark pigments are more opaque, so that night and black stay dark.
    return mix(tuple(255 * v for v in clear), PAPER, thin * (0.3 + 0.7 * value))


@lru_cache(maxsize=1)
def pool_sheet() -> skia.Image:
    """A seamless sheet of soft patches with more or less pigment."""
    rng, surface = random.Random(5), skia.Surface(SHEET, SHEET)
    sheet = surface.getCanvas()
    sheet.clear(0)
    soft = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 3)
    for _ in range(70):
        x, y, size = rng.uniform(0, SHEET), rng.uniform(0, SHEET), rng.uniform(14, 44)
        tint = rng.choice(((255, 255, 255), (255, 255, 255), (0, 0, 0)))
        paint = plain(tint, rng.uniform(0.1, 0.3) * (1 if tint[0] else 0.7))
        paint.setMaskFilter(soft)
        outline = [(size * rng.uniform(0.6, 1.2), 6.2832 * k / 9) for k in range(9)]
        for dx in (-SHEET, 0, SHEET):
            for dy in (-SHEET, 0, SHEET):
                points = [(x + dx + r * math.cos(a), y + dy + 0.7 * r * math.sin(a)) for r, a in outline]
                sheet.drawPath(smooth_loop(points), paint)
    return surface.makeImageSnapshot()


def smooth_loop(points) -> skia.Path:
    """A closed curve that rounds the corners of a polygon."""
    path, n = skia.Path(), len(points)
    middles = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in zip(points, points[1:] + points[:1])]
    path.moveTo(*middles[-1])
    for i in range(n):
        path.quadTo(*points[i], *middles[i])
    return path


class Watercolour(Style):
    name = "watercolour"

    def begin(self, canvas: Canvas) -> None:
        self.rng = own_rng(canvas)
        self.inside = skia.MaskFilter.MakeBlur(skia.kInner_BlurStyle, RIM)
        canvas.skia.clear(skia.Color(*PAPER))

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        colour, small = pigment(mark.colour), span(mark.path)
        if small < 3 or mark.alpha < 0.6:
            canvas.skia.drawPath(mark.path, plain(colour, mark.alpha))
            return
        alpha = COVER * mark.alpha
        wash = self._wash(mark.path, colour, alpha) if small < POOLED else plain(colour, alpha)
        if mark.line and not mark.backdrop and mark.alpha > 0.9:
            # The rim colour first, then the wash, which fades towards its rim.
            canvas.skia.drawPath(mark.path, plain(darker(pigment(mark.colour, 0.0), 0.35)))
            wash.setMaskFilter(self.inside)
        canvas.skia.drawPath(mark.path, wash)
        if small >= POOLED:
            overlay(canvas, mark.path, pool_sheet(), TEXEL, self.rng.uniform(-40, 40), self.rng)

    def _wash(self, path: skia.Path, colour: Rgb, alpha: float) -> skia.Paint:
        """Makes a wash thin at its top and thick at its bottom, because pigment sinks."""
        box, lean = path.getBounds(), self.rng.uniform(-0.5, 0.5)
        start = skia.Point(box.centerX() - lean * box.width(), box.top())
        end = skia.Point(box.centerX() + lean * box.width(), box.bottom())
        return ramp(start, end, mix(colour, PAPER, 0.2), darker(colour, 0.06), alpha)

    def sky(self, canvas, path, top, bottom, y0, y1) -> None:
        first, last = pigment(top), pigment(bottom, 0.35)
        canvas.skia.drawPath(path, ramp(skia.Point(0, y0), skia.Point(0, y1), first, last))
        overlay(canvas, path, pool_sheet(), 1.4 * TEXEL, self.rng.uniform(-20, 20), self.rng)

    def finish(self, canvas, pixels):
        self._border(canvas)
        return wavering(repaint(canvas), 0.45, 6)

    def _border(self, canvas: Canvas) -> None:
        """Leaves the paper bare outside a ragged outline, 2 to 6 units from the edges."""
        phases = [self.rng.uniform(0, 6.28) for _ in range(3)]
        points, n = [], 120
        for i in range(n):
            turn = 6.2832 * i / n
            wobble = sum(math.sin(k * turn + p) for k, p in zip((5, 9, 14), phases)) / 3
            # A rounded rectangle as a superellipse, then pulled in by the wobble.
            c, s = math.cos(turn), math.sin(turn)
            reach = (abs(c) ** 14 + abs(s) ** 14) ** (-1 / 14)
            inset = 3.6 + 2.2 * wobble
            x = canvas.w / 2 + c * reach * (canvas.w / 2 - inset)
            points.append(skia.Point(x, 50 + s * reach * (50 - inset)))
        outline = skia.Path()
        outline.addPoly(points, True)
        canvas.skia.drawPath(outline, pen(darker(PAPER, 0.6), 1.2, 0.22))
        outline.setFillType(skia.PathFillType.kInverseWinding)
        canvas.skia.drawPath(outline, plain(lighter(PAPER, 0.2)))

"""Oil: broad strokes of a flat brush inside every shape, and wavering edges."""

import random
from functools import lru_cache

import skia

from ..canvas import Canvas, Mark, Style
from .common import own_rng, pen, plain, ramp, span
from .texture import overlay, wavering

#: Side of the repeating sheet of strokes, in texels; one texel is TEXEL units.
SHEET, TEXEL = 320, 0.4
#: The colours of strokes over a shape, RGB: lighter or darker, warmer or cooler.
TINTS = ((255, 250, 225), (255, 226, 160), (235, 240, 255), (20, 16, 60), (60, 10, 20), (0, 20, 40))
#: The amplitude and the width of the waves of edges, in units.
WAVER, GRAIN = 0.9, 5


def stroke_paths(rng: random.Random, count: int, length: float, width: float):
    """Slightly bent horizontal strokes all over the sheet, each with its wrapped copies, and their widths.
    `length` and `width` are in texels."""
    for _ in range(count):
        x, y = rng.uniform(0, SHEET), rng.uniform(0, SHEET)
        half, bend = length * rng.uniform(0.6, 1.2) / 2, rng.uniform(-0.6, 0.6) * width
        drop = rng.uniform(-0.1, 0.1) * width
        path = skia.Path()
        for dx in (-SHEET, 0, SHEET):
            for dy in (-SHEET, 0, SHEET):
                path.moveTo(x + dx - half, y + dy)
                path.quadTo(x + dx, y + dy + bend, x + dx + half, y + dy + drop)
        yield path, width * rng.uniform(0.7, 1.3)


@lru_cache(maxsize=1)
def stroke_sheet() -> skia.Image:
    """A seamless sheet of translucent horizontal strokes, to lay over any colour."""
    rng, surface = random.Random(7), skia.Surface(SHEET, SHEET)
    sheet = surface.getCanvas()
    sheet.clear(0)
    for path, width in stroke_paths(rng, 420, 60, 8.5):
        sheet.drawPath(path, pen(rng.choice(TINTS), width, rng.uniform(0.12, 0.27)))
    return surface.makeImageSnapshot()


class Oil(Style):
    name = "oil"

    def begin(self, canvas: Canvas) -> None:
        self.rng = own_rng(canvas)

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        canvas.skia.drawPath(mark.path, plain(mark.colour, mark.alpha))
        if mark.alpha > 0.8 and span(mark.path) > 3.5:
            turn = self.rng.uniform(-18, 18) if mark.backdrop else self.rng.choice((-55, -35, 35, 60))
            size = TEXEL * (1.25 if mark.backdrop else 0.85)
            overlay(canvas, mark.path, stroke_sheet(), size, turn, self.rng)

    def sky(self, canvas, path, top, bottom, y0, y1) -> None:
        canvas.skia.drawPath(path, ramp(skia.Point(0, y0), skia.Point(0, y1), top, bottom))
        overlay(canvas, path, stroke_sheet(), 1.5 * TEXEL, self.rng.uniform(-20, 20), self.rng)

    def finish(self, canvas, pixels):
        return wavering(pixels, WAVER, GRAIN)

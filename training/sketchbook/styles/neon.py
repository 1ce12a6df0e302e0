"""Neon: glowing tubes on blue-black; shapes are faint inside their bright outlines."""

import colorsys

import numpy as np
import skia

from ..canvas import Canvas, Mark, Rgb, Style, lighter, luminance, mix
from .common import pen, plain, ramp, span, unlit
from .texture import spread

DARK = (10, 8, 26)
BLACK_TUBE, BROWN_TUBE = (112, 100, 142), (150, 102, 66)

#: The glow is computed on cells of COARSE x COARSE pixels; sizes of pictures are multiples of it.
COARSE = 4
#: The layers of the glow: their blur (sigma, in units) and their strength.
SPILLS = ((1.0, 0.5), (3.2, 0.65))
#: Only pixels brighter than this (0 to 255, times 1.6) glow, so that skies and fills stay dark.
THRESHOLD = 130


def tube_of(colour: Rgb) -> tuple[Rgb, float]:
    """The light of a tube for `colour`, and how strongly it fills its shape (0 to 1)."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in colour))
    if saturation < 0.22:
        if value < 0.3:
            return BLACK_TUBE, 0.08
        return mix((130, 130, 160), (248, 248, 255), min(1, (value - 0.3) / 0.6)), 0.25
    if 0.02 < hue < 0.13 and (value < 0.5 or value < 0.8 and saturation < 0.72):
        return mix((0, 0, 0), BROWN_TUBE, 0.65 + 0.6 * value), 0.5
    if 0.02 < hue < 0.14 and saturation < 0.5:
        # Skin: filled more and kept pale, so that the features of faces stand out.
        return lighter(colour, 0.25), 0.47
    saturation, value = min(1, saturation * (1 + 0.5 * saturation)), min(1, 0.6 + 0.5 * value)
    return tuple(255 * v for v in colorsys.hsv_to_rgb(hue, saturation, value)), 0.22


class Neon(Style):
    name = "neon"

    def begin(self, canvas: Canvas) -> None:
        canvas.skia.clear(skia.Color(*DARK))

    def draw(self, canvas: Canvas, mark: Mark) -> None:
        colour, small = unlit(canvas, mark), span(mark.path)
        if mark.alpha < 0.6:
            # Veils, shadows and halos.
            canvas.skia.drawPath(mark.path, plain(mix(DARK, mark.colour, 0.4), mark.alpha))
            return
        tube, strength = tube_of(colour)
        if mark.backdrop:
            strength = min(strength, 0.24)
        elif luminance(colour) > 60 and (small < 3 or not mark.line and small < 12):
            # Buttons, flakes and stars are too small for an outline, so their fill shines. Eyes stay dark.
            strength = 0.8 if small < 5 else 0.55
        elif mark.glow:
            strength = 0.55
        if not mark.glow and not mark.spot:
            # Fills follow the brightness and warmth of the scene's light.
            hour = tuple(t * light**1.3 for t, light in zip(tube, canvas.light))
            tube = tuple(t * light**0.5 for t, light in zip(tube, canvas.light))
        else:
            hour = tube
        canvas.skia.drawPath(mark.path, plain(mix(DARK, hour, strength), mark.alpha))
        if mark.line and small > 3:
            width = 1.15 if mark.spot else 0.6 if small < 5 else 0.85
            # Tubes of the scenery are dim, so that subjects stand out.
            canvas.skia.drawPath(
                mark.path, pen(tube, width, 0.4 if mark.backdrop else 0.55 if mark.scenery else 1)
            )

    def sky(self, canvas, path, top, bottom, y0, y1) -> None:
        first, last = (mix(DARK, colour, share) for colour, share in ((top, 0.26), (bottom, 0.46)))
        canvas.skia.drawPath(path, ramp(skia.Point(0, y0), skia.Point(0, y1), first, last))

    def finish(self, canvas, pixels):
        """Adds the glow: a blurred copy of the bright pixels."""
        height, width = pixels.shape[:2]
        rows, columns = height // COARSE, width // COARSE
        strips = pixels.reshape(rows, COARSE, width * 3).sum(axis=1, dtype=np.uint16)
        cells = strips.reshape(rows, columns, COARSE, 3).sum(axis=2, dtype=np.uint16)
        bright = np.maximum(0, 1.6 / COARSE**2 * cells.astype(np.float32) - THRESHOLD)
        lit = pixels.astype(np.float32)
        for sigma, strength in SPILLS:
            sigma *= rows / 100
            tall = np.tensordot(spread(height, rows, sigma), bright, 1)
            lit += strength * np.matmul(spread(width, columns, sigma), tall)
        return np.minimum(lit, 255).astype(np.uint8)

"""The effect of distance and snow on the colours of a landscape."""

from contextlib import contextmanager

from ...canvas import Canvas, Rgb, mix
from ...scene import Scene
from ...sky import sky_colours
from ...weather import cover


class Air:
    """Tints daylight colours for one picture: snow on top of things, haze in front of them."""

    def __init__(self, canvas: Canvas, scene: Scene):
        self.scene = scene
        #: Less haze when it snows: both are white, and trees and rocks must stand out from the ground.
        self.thickness = 0.6 if scene.weather == "snow" else 1.0
        #: At night, even near things are tinted blue.
        self.least = 0.14 if scene.time == "night" else 0.0
        bottom = sky_colours(scene)[1]
        # Fills are multiplied by the light, unlike the sky. Divide by it, so that full haze equals the sky.
        self.sky: Rgb = tuple(v / max(l, 0.05) for v, l in zip(bottom, canvas.light))

    def tint(self, colour: Rgb, haze: float = 0.0, snow: float = 0.75) -> Rgb:
        """`colour` seen through `haze` (0 = near, 1 = lost in the sky); `snow` is the share of it
        that turns white when it snows."""
        if snow:
            colour = cover(self.scene, colour, snow)
        return mix(colour, self.sky, max(self.least, haze * self.thickness))


@contextmanager
def frame(canvas: Canvas):
    """A context in which y from 0 to 100 and x from 0 to `canvas.w` span the picture, even if it shows only a
    section of the place. It is for near things that frame the view."""
    left, top, _, bottom = canvas.visible()
    with canvas.at(left, top, (bottom - top) / 100):
        yield

"""The sky by time and weather, and its light."""

from __future__ import annotations

import random

import skia

from .canvas import Canvas, Rgb, darker, lighter, mix, rect
from .scene import Scene
from .words import INDOORS

#: By time: the sky's colour at the top and at the horizon.
SKIES: dict[str, tuple[Rgb, Rgb]] = {
    "dawn": ((158, 150, 220), (255, 196, 178)),
    "day": ((72, 158, 240), (208, 238, 252)),
    "dusk": ((74, 40, 122), (255, 116, 62)),
    "night": ((10, 16, 52), (38, 58, 124)),
}
#: By weather: a grey for the top and the bottom (as bright as by day) and how much of it covers the sky.
GREYS: dict[str, tuple[Rgb, Rgb, float]] = {
    "rain": ((96, 118, 150), (158, 178, 198), 0.62),
    "snow": ((164, 180, 202), (212, 222, 233), 0.72),
    "fog": ((212, 220, 226), (232, 236, 238), 0.68),
    "storm": ((34, 40, 56), (92, 100, 120), 0.66),
}
#: By time: how bright the greys of the weather are, channel by channel.
DAYLIGHT: dict[str, Rgb] = {
    "dawn": (1.0, 0.9, 0.92),
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.78, 0.58, 0.62),
    "night": (0.27, 0.33, 0.49),
}
#: By time: the factor for the colours of objects under a clear sky.
LIGHTS: dict[str, Rgb] = {
    "dawn": (1.0, 0.91, 0.9),
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.92, 0.7, 0.68),
    "night": (0.36, 0.44, 0.72),
}
#: By weather: the remaining share of that light.
DIMMING = {"clear": 1.0, "rain": 0.86, "snow": 1.0, "fog": 0.97, "storm": 0.78}
#: The share of daylight that lamps and hearths add to the light indoors.
INDOOR_LIFT = 0.35

SUN_AT_DUSK, SUN_AT_DAWN = 0.72, 0.28  # of the width
STAR: Rgb = (255, 248, 214)
#: The x of lightning, as a fraction of the width, by the position of a subject in front of it.
BOLTS = {"left": 0.22, "centre": 0.52, "right": 0.8}
BOLT: Rgb = (255, 238, 130)


def sky_colours(scene: Scene) -> tuple[Rgb, Rgb]:
    """The sky's colours at the top and at the horizon, already lit."""
    top, bottom = SKIES[scene.time]
    if scene.weather == "clear":
        return top, bottom
    grey_top, grey_bottom, amount = GREYS[scene.weather]
    day = DAYLIGHT[scene.time]
    return mix(top, _lit(grey_top, day), amount), mix(bottom, _lit(grey_bottom, day), amount)


def light_of(scene: Scene) -> Rgb:
    """The factor for the colours of objects, for `canvas.light`."""
    light = LIGHTS[scene.time]
    if scene.place in INDOORS:
        return mix(light, (1.0, 1.0, 1.0), INDOOR_LIFT)
    return tuple(v * DIMMING[scene.weather] for v in light)


def lamp_lit(scene: Scene) -> Rgb:
    """The colour of a window seen from outside, to be drawn with glow. The window is lit when it is dark."""
    if scene.time in ("dusk", "night"):
        return (255, 212, 96)
    return mix((186, 220, 240), sky_colours(scene)[1], 0.3)


def paint_sky(
    canvas: Canvas, scene: Scene, horizon: float, rng: random.Random, area: skia.Path | None = None
) -> None:
    """Fills the sky from the top of the picture down to y = `horizon`, or inside `area`, such as a window.
    Also draws clouds, stars, the low sun and lightning."""
    if area is None:
        with canvas.lit((1.0, 1.0, 1.0)):
            _Sky(canvas, scene, rng, 0, 0, canvas.w, horizon).paint(rect(-2, -2, canvas.w + 4, horizon + 4))
        return
    box = area.getBounds()
    with canvas.lit((1.0, 1.0, 1.0)), canvas.clip(area):
        bottom = min(box.bottom(), max(horizon, box.top() + 1))
        _Sky(canvas, scene, rng, box.left(), box.top(), box.width(), bottom - box.top()).paint(area)


class _Sky:
    """One sky, its colours as seen, over the box at (x, y), `w` wide and `h` high, in canvas units."""

    def __init__(self, canvas: Canvas, scene: Scene, rng: random.Random, x, y, w, h):
        self.canvas, self.scene, self.rng = canvas, scene, rng
        self.x, self.y, self.w, self.h = x, y, w, h
        self.top, self.bottom = sky_colours(scene)
        #: Scales lengths: 1 for a sky over the whole picture, less for a small window.
        self.unit = min(1.0, w / 78, h / 50)

    def paint(self, path: skia.Path) -> None:
        with self.canvas.marked(backdrop=True):
            self.canvas.gradient(path, self.top, self.bottom, self.y, self.y + self.h)
        if self.scene.weather == "clear":
            hours = {"dawn": self._dawn, "day": self._day, "dusk": self._dusk, "night": self._stars}
            hours[self.scene.time]()
        elif self.scene.weather in ("rain", "storm"):
            self._cloud_band()
        if self.scene.weather == "storm":
            self._lightning()

    def _dawn(self) -> None:
        self._sun(SUN_AT_DAWN, 9, (255, 244, 206), (255, 226, 190), sunk=0.0)

    def _dusk(self) -> None:
        self._sun(SUN_AT_DUSK, 13, (255, 214, 92), (255, 160, 74), sunk=1.0)

    def _sun(self, across: float, radius: float, colour: Rgb, halo: Rgb, sunk: float) -> None:
        """The sun with its centre on the horizon (sunk = 1) or its rim on it (sunk = 0)."""
        radius *= self.unit
        x, y = self.x + across * self.w, self.y + self.h - radius * (1.15 - sunk)
        self.canvas.oval(x, y, radius * 1.7, radius * 1.7, halo, alpha=0.4, line=False, glow=True)
        self.canvas.oval(x, y, radius, radius, colour, glow=True)

    def _day(self) -> None:
        """Two soft clouds, one on either side."""
        for across in (0.22, 0.76):
            x = self.x + (across + self.rng.uniform(-0.08, 0.08)) * self.w
            y = self.y + self.rng.uniform(0.16, 0.34) * self.h
            self._cloud(x, y, self.rng.uniform(10, 12.5) * self.unit, lighter(self.bottom, 0.75))

    def _cloud(self, x: float, y: float, size: float, colour: Rgb) -> None:
        """A flat-bottomed cloud around (x, y), twice `size` wide."""
        left, right, low = x - size, x + size, y + size * 0.3
        self.canvas.shape(
            f"M {left} {low} C {left - size * 0.3} {y - size * 0.3} {left + size * 0.35} {y - size * 0.5} "
            f"{x - size * 0.45} {y - size * 0.2} C {x - size * 0.35} {y - size * 0.85} "
            f"{x + size * 0.4} {y - size * 0.85} {x + size * 0.45} {y - size * 0.2} "
            f"C {right - size * 0.25} {y - size * 0.4} {right + size * 0.3} {y - size * 0.2} {right} {low} Z",
            colour,
        )

    def _stars(self) -> None:
        """About twenty stars, fewer in a small window and more in a wide sky."""
        count = max(4, min(30, round(20 * self.w * self.h / 6000)))
        for i in range(count):
            # One star in each column, so that stars do not form clumps.
            x = self.x + (i + self.rng.uniform(0.15, 0.85)) / count * self.w
            y = self.y + self.rng.uniform(0.04, 0.8) * self.h
            radius = self.rng.choice((0.38, 0.45, 0.6)) * max(0.7, self.unit)
            self.canvas.oval(x, y, radius, radius, STAR, line=False, glow=True)

    def _cloud_band(self) -> None:
        """A heavy roll of cloud along the upper edge, two layers deep."""
        storm = self.scene.weather == "storm"
        for layer, (depth, shade) in enumerate(((0.34, 0.1), (0.2, 0.32))):
            low = self.y + self.h * (depth + (0.06 if storm else 0.0))
            bumps = max(3, round(self.w / (20 * self.unit)))
            step = self.w / bumps
            x = self.x - step * self.rng.uniform(0.3, 0.9)
            path = f"M {x} {self.y - 4} L {x} {low}"
            while x < self.x + self.w:
                sag = self.rng.uniform(0.28, 0.42) * step
                path += f" Q {x + step / 2} {low + sag * 1.6} {x + step} {low}"
                x += step
            path += f" L {x} {self.y - 4} Z"
            self.canvas.shape(path, darker(self.top, shade + (0.1 if storm else 0.0)))

    def _lightning(self) -> None:
        """A lightning bolt from the clouds to the horizon, where no subject hides it."""
        taken = {subject.position for subject in self.scene.subjects}
        across = self.rng.choice([a for at, a in BOLTS.items() if at not in taken] or [0.37])
        if self.scene.framing == "portrait":
            # A portrait shows only the middle of its place.
            across = 0.5 + (across - 0.5) * 0.62
        x = self.x + across * self.w
        top, tall = self.y + self.h * 0.28, self.h * 0.68
        wide = 12 * self.unit
        points = [(0.3, 0), (-0.55, 0.46), (-0.06, 0.44), (-0.5, 1), (0.62, 0.34), (0.14, 0.35), (0.72, 0)]
        self.canvas.poly([(x + wide * px, top + tall * py) for px, py in points], BOLT, glow=True)


def _lit(colour: Rgb, light: Rgb) -> Rgb:
    return tuple(c * v for c, v in zip(colour, light))

"""Rain, snow and fog between the viewer and the scene."""

from __future__ import annotations

import random

from .canvas import Canvas, Rgb, lighter, mix, rect
from .scene import Scene
from .sky import sky_colours
from .words import INDOORS

SNOW: Rgb = (238, 243, 250)
FLAKE: Rgb = (252, 253, 255)
RAIN: Rgb = (226, 238, 250)
#: By weather: streaks per 100 units of width, lean (x per y), length and width of a streak in units.
STREAKS = {"rain": (40, -0.3, 7.5, 0.65), "storm": (46, -0.62, 8.5, 0.7)}
#: Flakes per 100 units of width, and their radii in units: some near, more further away.
FLAKES = ((20, 1.3), (30, 0.75))


def cover(scene: Scene, colour: Rgb, amount: float = 0.75) -> Rgb:
    """`colour` of a surface such as the ground or a roof, whitened by `amount` when it snows."""
    return mix(colour, SNOW, amount) if scene.weather == "snow" else colour


def paint_far_weather(canvas: Canvas, scene: Scene, horizon: float) -> None:
    """Fog between the place and the subjects. It hides distant things around y = `horizon`."""
    if scene.place in INDOORS or scene.weather != "fog":
        return
    colour = _fog_colour(scene)
    # Layered fog: thickest just above the horizon, thinner upwards and towards the viewer.
    for above, below in ((52, 16), (40, 12), (29, 8), (19, 5), (10, 2)):
        veil = rect(-2, horizon - above, canvas.w + 4, above + below)
        canvas.fill(veil, colour, alpha=0.26, line=False, glow=True)


def paint_weather(canvas: Canvas, scene: Scene, rng: random.Random) -> None:
    """Rain, snow and thin fog over everything. Nothing falls indoors."""
    if scene.place in INDOORS:
        return
    # Drops and flakes reflect light: they stay pale at night but do not glow.
    with canvas.lit((1.0, 1.0, 1.0)):
        if scene.weather in STREAKS:
            _rain(canvas, rng, *STREAKS[scene.weather])
        elif scene.weather == "snow":
            _snow(canvas, rng)
        elif scene.weather == "fog":
            _near_fog(canvas, scene, rng)


def _rain(canvas: Canvas, rng: random.Random, density, lean, length, width) -> None:
    for x, y in _spread(canvas, rng, density):
        reach = length * rng.uniform(0.8, 1.2)
        drop = f"M {x:.2f} {y:.2f} L {x + lean * reach:.2f} {y + reach:.2f}"
        canvas.stroke(drop, RAIN, width, alpha=0.85, line=False)


def _snow(canvas: Canvas, rng: random.Random) -> None:
    for density, radius in FLAKES:
        for x, y in _spread(canvas, rng, density):
            canvas.oval(x, y, radius, radius, FLAKE)


def _near_fog(canvas: Canvas, scene: Scene, rng: random.Random) -> None:
    """Long flat banks of fog across the picture, which leave most of it clear."""
    colour = lighter(_fog_colour(scene), 0.12)
    for y, thick, across in ((96, 7, 0.2), (86, 4, 0.9), (62, 4, 0.08), (42, 3.5, 0.95), (24, 3.5, 0.2)):
        half = canvas.w * rng.uniform(0.38, 0.5)
        x = canvas.w * (across + rng.uniform(-0.08, 0.08))
        y += rng.uniform(-2, 2)
        for share in (1.0, 0.72):
            canvas.oval(x, y, half * share, thick * share, colour, alpha=0.3, line=False)


def _fog_colour(scene: Scene) -> Rgb:
    return lighter(sky_colours(scene)[1], 0.22 if scene.time == "night" else 0.1)


def _spread(canvas: Canvas, rng: random.Random, density: float) -> list[tuple[float, float]]:
    """Points all over the picture, `density` per 100 units of width: one in each cell of a jittered grid."""
    rows = 7
    columns = max(1, round(density * canvas.w / 100 / rows))
    return [
        ((i + rng.random()) / columns * canvas.w, (j + rng.random()) / rows * 108 - 6)
        for j in range(rows)
        for i in range(columns)
    ]

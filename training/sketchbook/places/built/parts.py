"""Parts that several built places share: windows, lamps and light."""

from __future__ import annotations

from ...canvas import Canvas, Rgb, lighter, mix, shape
from ...scene import Scene
from ...sky import sky_colours

#: Lamp light: of windows, street lamps and torches.
LAMPLIGHT: Rgb = (255, 212, 112)
#: The factor that indoor lamps multiply colours by.
LAMPLIT: Rgb = (0.96, 0.7, 0.42)


def dark(scene: Scene) -> bool:
    """Whether lamps and windows are lit."""
    return scene.time in ("dusk", "night")


def room_light(canvas: Canvas, scene: Scene, lamps: float) -> Rgb:
    """The light inside a room: daylight and, when it is dark, `lamps` (0 to 1) of lamp light."""
    return mix(canvas.light, LAMPLIT, lamps) if dark(scene) else canvas.light


def fallen_light(canvas: Canvas, scene: Scene, path) -> None:
    """Light from the sky that lies on the floor inside `path`."""
    alpha = 0.14 if scene.time == "night" else 0.3
    canvas.fill(path, lighter(sky_colours(scene)[1], 0.3), alpha=alpha, line=False, glow=True)


def boxes(corners) -> str:
    """Path data of upright boxes, each (left, top, width, height), as a single mark."""
    return " ".join(f"M {x} {y} L {x + w} {y} L {x + w} {y + h} L {x} {y + h} Z" for x, y, w, h in corners)


def arch(x: float, top: float, width: float, bottom: float) -> str:
    """Path data of a pointed arch around the middle line `x`."""
    r = width / 2
    spring = top + 1.1 * r  # where the sides begin to lean together
    return (
        f"M {x - r} {bottom} L {x - r} {spring} Q {x - r} {top + 0.35 * r} {x} {top} "
        f"Q {x + r} {top + 0.35 * r} {x + r} {spring} L {x + r} {bottom} Z"
    )


def arches(xs, top: float, width: float, bottom: float):
    """The path of a row of equal arches."""
    return shape(" ".join(arch(x, top, width, bottom) for x in xs))


def halo(canvas: Canvas, x: float, y: float, radius: float, colour: Rgb = LAMPLIGHT) -> None:
    """A soft light around a lamp: two pale discs, which keep it a simple shape."""
    canvas.oval(x, y, radius, radius, colour, alpha=0.13, line=False, glow=True)
    canvas.oval(x, y, 0.55 * radius, 0.55 * radius, colour, alpha=0.2, line=False, glow=True)

"""Trees, leaves and flowers that the outdoor places share. Lengths are in picture units."""

import math
import random

from ...canvas import Canvas, Rgb, darker, lighter


def cloud(x: float, y: float, rx: float, ry: float, lobes: int, turn: float = 0.0) -> str:
    """Path data of a crown with round lobes about an oval."""

    def on(angle: float, reach: float) -> str:
        return f"{x + reach * rx * math.cos(angle):.3f} {y + reach * ry * math.sin(angle):.3f}"

    step = 2 * math.pi / lobes
    data = f"M {on(turn, 0.88)}"
    for i in range(lobes):
        data += f" Q {on(turn + (i + 0.5) * step, 1.36)} {on(turn + (i + 1) * step, 0.88)}"
    return data


def round_tree(canvas: Canvas, x, y, height: float, leaf: Rgb, top: Rgb, trunk: Rgb, turn: float):
    """A broad-leaved tree standing on (x, y); `top` is the sunny (or snowy) part of the crown, which
    is turned by `turn` radians."""
    with canvas.at(x, y, height):
        canvas.poly([(-0.06, 0), (-0.035, -0.5), (0.035, -0.5), (0.06, 0)], trunk)
        canvas.shape(cloud(0, -0.64, 0.31, 0.36, 8, turn), leaf)
        canvas.shape(cloud(-0.05, -0.76, 0.18, 0.17, 6, turn), top, line=False)


def spruce_points(x: float, y: float, height: float, width: float, tiers: int = 3):
    """Outline of a pointed tree from its lower left to its lower right corner."""
    left = []
    for i in range(tiers):
        low, high = y - height * i / tiers, y - height * (i + 1) / tiers
        spread = width * (1 - 0.26 * i)
        left += [(x - spread, low), (x - spread * 0.36, high + height * 0.03)]
    left[-1] = (x, y - height)
    return left + [(2 * x - px, py) for px, py in reversed(left[:-1])]


def spruce(canvas: Canvas, x, y, height: float, leaf: Rgb, top: Rgb, trunk: Rgb):
    """A pointed tree standing on (x, y); `top` is the sunny (or snowy) side."""
    h, foot = height * 0.88, y - height * 0.12
    canvas.rect(x - height * 0.04, foot - 1, height * 0.08, height * 0.12 + 1, trunk)
    outline = spruce_points(x, foot, h, height * 0.27)
    canvas.poly(outline, leaf)
    half = outline[: len(outline) // 2 + 1]
    inner = [(x - (x - px) * 0.25, py) for px, py in reversed(half[:-1])]
    canvas.poly(half + inner, top, line=False)


def treeline(canvas: Canvas, base: float, height, pitch: float, colour: Rgb, rng: random.Random):
    """A row of far trees, round and pointed, as one silhouette: `height(x)` tall, about `pitch` apart."""
    points, x = [(-4.0, 102.0)], -4.0
    while x < canvas.w + 4:
        h = height(x) * rng.uniform(0.82, 1.1)
        half = pitch * 0.62
        if rng.random() < 0.5:
            # Overlap the crowns, so that no sky is visible between the stems.
            points += spruce_points(x, base - h * 0.4, h * 0.6, half)
        else:
            # A round crown: half an oval that stands on a straight side.
            for i in range(9):
                a = math.pi * (1 - i / 8)
                points.append((x + half * math.cos(a), base - h * (0.45 + 0.4 * math.sin(a))))
        x += pitch * rng.uniform(0.85, 1.1)
    points.append((canvas.w + 4, 102))
    canvas.poly(points, colour)


def leaf(canvas: Canvas, length: float, width: float, colour: Rgb, cuts: int = 0):
    """A big leaf from (0, 0) to (length, 0) with `cuts` notches on either side."""

    def rim(t: float) -> float:
        return width / 2 * math.sin(math.pi * t**0.75) ** 0.8

    upper = [(i / 16 * length, -rim(i / 16)) for i in range(17)]
    for k in range(cuts):
        t = (k + 1) / (cuts + 1) * 0.78 + 0.08
        at = next(i for i, (x, _) in enumerate(upper) if x > t * length)
        upper.insert(at, (length * (t - 0.09), -rim(t) * 0.4))
    lower = [(x, -y) for x, y in reversed(upper[1:-1])]
    canvas.poly(upper + lower, colour)
    rib = width * 0.045
    canvas.poly([(0, -rib), (length * 0.9, 0), (0, rib)], lighter(colour, 0.28), line=False)


def fern(canvas: Canvas, x: float, y: float, length: float, colour: Rgb):
    """A plant of five broad arching leaves that grows at (x, y), the upright one in front."""
    for k, lean in enumerate((-1.0, 1.0, -0.5, 0.5, 0.0)):
        side = abs(lean)
        # The tip, the knee where the leaf is highest, and half its breadth there, in leaf lengths.
        tip_x, tip_y = 0.95 * side, 0.75 * side - 1
        knee_x, knee_y, half = 0.45 * side, -0.6 - 0.12 * side, 0.17
        with canvas.at(x, y, length * (1 - 0.12 * side), flip=lean < 0):
            canvas.shape(
                f"M -0.02 0 Q {knee_x - half} {knee_y - half * side} {tip_x} {tip_y} "
                f"Q {knee_x + half} {knee_y + half * 1.6 * side} 0.02 0",
                darker(colour, 0.24 - 0.06 * k),
            )


def tuft(canvas: Canvas, x: float, y: float, height: float, colour: Rgb, blades: int = 5):
    """A clump of grass blades as one mark."""
    points = [(x - height * 0.35, y)]
    for i in range(blades):
        lean = -1 + 2 * i / (blades - 1)
        tall = height * (1 - 0.3 * abs(lean))
        points += [
            (x + lean * height * 0.62, y - tall),
            (x + (lean + 1 / blades) * height * 0.3, y - tall * 0.22),
        ]
    canvas.poly(points[:-1] + [(x + height * 0.35, y)], colour)


def flower(
    canvas: Canvas, x: float, y: float, size: float, petals: Rgb, heart: Rgb, stem: Rgb, stalk: float = 1.6
):
    """A flower whose blossom is `size` across, on a stem `stalk` blossoms long that ends at (x, y)."""
    top = y - size * stalk
    canvas.stroke(f"M {x} {y} Q {x + size * 0.18} {(y + top) / 2} {x} {top}", stem, size * 0.14)
    with canvas.at(x, y, size):
        canvas.shape("M 0 0 Q 0.8 -0.1 0.62 -0.7 Q 0.1 -0.6 0 0", stem)
    canvas.shape(cloud(x, top, size * 0.5, size * 0.5, 6, 0.5), petals)
    canvas.oval(x, top, size * 0.19, size * 0.19, heart, line=False)

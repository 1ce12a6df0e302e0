"""Measures of what a picture looks like: its colours, lines, layout and style. Pictures are u8 (height, width, 3).

All of them are classical formulas on pixels, without networks and without code of the losses that they check.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from metrics import frechet, lab

# ---- colours


def palette_distance(picture: np.ndarray, palette: np.ndarray, mask: np.ndarray | None = None) -> float:
    """The mean CIE76 distance between each pixel, of those in `mask`, and the nearest colour of (count, 3) u8."""
    pixels = lab(picture if mask is None else picture[mask]).reshape(-1, 1, 3)
    return float(np.linalg.norm(pixels - lab(palette), axis=-1).min(1).mean())


def saturation(picture: np.ndarray, mask: np.ndarray | None = None) -> float:
    """The mean saturation in HSV, from 0 to 1, of the pixels in `mask`."""
    pixels = (picture if mask is None else picture[mask]).astype(np.float64)
    largest, smallest = pixels.max(-1), pixels.min(-1)
    return float(((largest - smallest) / np.maximum(largest, 1)).mean())


def variation(picture: np.ndarray) -> float:
    """The mean absolute difference of neighbours, from 0 to 255."""
    pixels = picture.astype(np.float64)
    across, down = np.abs(np.diff(pixels, axis=1)), np.abs(np.diff(pixels, axis=0))
    return float((across.sum() + down.sum()) / (across.size + down.size))


def blocks(picture: np.ndarray, side: int = 16) -> float:
    """The mean difference of neighbours across the borders of blocks, divided by that elsewhere. 1 if there are no
    blocks."""
    pixels = lab(picture)
    on, off = [], []
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(pixels, axis=axis), axis=-1)
        border = np.arange(steps.shape[axis]) % side == side - 1
        on.append(np.compress(border, steps, axis).ravel())
        off.append(np.compress(~border, steps, axis).ravel())
    return float(np.concatenate(on).mean() / max(np.concatenate(off).mean(), 1e-9))


# ---- layout


def shrunk(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resizes a picture by averaging."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def layout_correlation(a: np.ndarray, b: np.ndarray, side: int = 16) -> float:
    """The correlation of two pictures of `side` x `side` colours in Lab, each without its mean colour."""
    x, y = (lab(shrunk(picture, side, side)) for picture in (a, b))
    x, y = x - x.mean((0, 1)), y - y.mean((0, 1))
    return float((x * y).sum() / max(np.linalg.norm(x) * np.linalg.norm(y), 1e-9))


# ---- lines


def gradient(picture: np.ndarray, blur: float) -> tuple[np.ndarray, np.ndarray]:
    """The slopes of the lightness downwards and to the right, (height, width) each."""
    soft = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(blur))
    return np.gradient(lab(np.asarray(soft))[..., 0])


def edge_strength(picture: np.ndarray) -> np.ndarray:
    """(height, width): the slope of the lightness."""
    return np.hypot(*gradient(picture, 1.0))


def widened(mask: np.ndarray, radius: int) -> np.ndarray:
    """All pixels at most `radius` from the mask in both directions, (height, width) bool."""
    image = Image.fromarray((255 * mask).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * radius + 1))) > 0


def lines(picture: np.ndarray, blur: float = 1.5, low: float = 1.5, high: float = 4.0) -> np.ndarray:
    """The lines of a picture, one pixel wide, (height, width) bool (Canny 1986). `low` and `high` are slopes of
    lightness per pixel: a line has all of its pixels above one and some above the other."""
    down, right = gradient(picture, blur)
    strength = np.pad(np.hypot(down, right), 1)
    # The pixels on both sides, in the nearest of four directions.
    direction = (np.round(np.arctan2(down, right) / (np.pi / 4)) % 4).astype(int)
    sides = ((0, 1), (1, 1), (1, 0), (1, -1))
    rows, columns = np.indices(down.shape) + 1
    step_down, step_right = np.array(sides)[direction].transpose(2, 0, 1)
    here = strength[1:-1, 1:-1]
    before = strength[rows - step_down, columns - step_right]
    after = strength[rows + step_down, columns + step_right]
    ridge = (here > before) & (here >= after) & (here > low)
    found = ridge & (here > high)
    while True:
        more = widened(found, 1) & ridge
        if (more == found).all():
            return found
        found = more


def line_drawing(mask: np.ndarray) -> np.ndarray:
    """Lines three pixels wide, black on white, (height, width, 3) u8."""
    return np.repeat(np.where(widened(mask, 1), 0, 255).astype(np.uint8)[..., None], 3, 2)


def edges_on_lines(picture: np.ndarray, mask: np.ndarray) -> float:
    """The mean edge strength within 2 pixels of lines, divided by that at 5 to 12 pixels from them."""
    strength = edge_strength(picture)
    beside = widened(mask, 12) & ~widened(mask, 4)
    return float(strength[widened(mask, 2)].mean() / max(strength[beside].mean(), 1e-9))


# ---- style

#: The sizes of pixels in the statistics of style.
SCALES = (1, 2, 4, 8)
#: Typical deviations of lightness and colours, and of slopes.
_COLOUR, _SLOPE = np.array([20.0, 12.0, 16.0]), np.array([3.0, 3.0, 3.0, 3.0, 2.0, 2.0])


def style_features(picture: np.ndarray) -> np.ndarray:
    """(height, width, 9): Lab, and the sizes of slopes: of lightness in four directions, and of both colour axes."""
    colours = lab(picture)
    down, right = np.gradient(colours, axis=(0, 1))
    slanted = np.stack([down[..., 0] + right[..., 0], down[..., 0] - right[..., 0]], -1) / np.sqrt(2)
    straight = np.stack([down[..., 0], right[..., 0]], -1)
    chroma = np.hypot(down[..., 1:], right[..., 1:])
    slopes = np.abs(np.concatenate([straight, slanted, chroma], -1))
    return np.concatenate([colours / _COLOUR, slopes / _SLOPE], -1)


def style_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet's distance between the style features of two pictures, the mean over several scales. Their positions do
    not count."""
    total = 0.0
    for scale in SCALES:
        statistics = []
        for picture in (a, b):
            height, width = picture.shape[0] // scale, picture.shape[1] // scale
            features = style_features(shrunk(picture, width, height)).reshape(-1, 9)
            statistics += [features.mean(0), np.cov(features, rowvar=False)]
        total += max(frechet(*statistics), 0.0)
    return total / len(SCALES)

"""Textures of low amplitude or large scale: sheets laid over shapes, blotches, wavering edges."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import skia

from ..canvas import Canvas


@lru_cache(maxsize=64)
def spread(out: int, cells: int, sigma: float) -> np.ndarray:
    """An (out, cells) matrix that blurs `cells` samples with a Gaussian (sigma in cells) and resamples
    them to `out`: multiplied on both sides of an image, two small matrices blur and enlarge it."""
    at = (np.arange(out) + 0.5) * cells / out - 0.5
    weights = np.exp(-((at[:, None] - np.arange(cells)) ** 2) / (2 * sigma**2))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def blotches(pixels: np.ndarray, rng: random.Random, strength: float, cells: int = 6) -> np.ndarray:
    """Lightens and darkens a picture in soft patches by up to `strength` (0 to 1), with about `cells`
    patches over the height. White and black stay unchanged."""
    height, width = pixels.shape[:2]
    across = max(2, round(cells * width / height))
    field = [[strength * rng.uniform(-0.7, 1) for _ in range(across)] for _ in range(cells)]
    field = spread(height, cells, 0.6) @ np.array(field, np.float32) @ spread(width, across, 0.6).T
    share = pixels * np.float32(1 / 255)
    share += field[..., None] * share * (1 - share)
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)


@lru_cache(maxsize=16)
def wavering_source(height: int, width: int, reach: float, grain: float) -> np.ndarray:
    """For each pixel of a picture, the flat index of the pixel whose colour `wavering` takes."""
    rng = random.Random(11)  # the same for all pictures
    rows, columns = round(100 / grain), round(100 / grain * width / height)
    shifts = []
    for _ in range(2):
        coarse = np.array([[rng.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)], np.float32)
        fine = spread(height, rows, 0.45) @ coarse @ spread(width, columns, 0.45).T
        shifts.append(np.rint(fine * reach * height / 100).astype(np.int64))
    down = np.clip(np.arange(height)[:, None] + shifts[0], 0, height - 1)
    across = np.clip(np.arange(width)[None, :] + shifts[1], 0, width - 1)
    return down * width + across


def wavering(pixels: np.ndarray, reach: float, grain: float) -> np.ndarray:
    """Bends edges by up to `reach` units, in waves of about `grain` units."""
    return pixels.reshape(-1, 3)[wavering_source(*pixels.shape[:2], reach, grain)]


def overlay(
    canvas: Canvas, path: skia.Path, sheet: skia.Image, texel: float, turn: float, rng: random.Random
) -> None:
    """Lays a seamless sheet over `path`, with `texel` units per pixel, rotated by degrees and shifted randomly."""
    local = skia.Matrix()
    local.preRotate(turn)
    local.preScale(texel, texel)
    local.preTranslate(rng.uniform(0, sheet.width()), rng.uniform(0, sheet.height()))
    # Sampling the nearest texel is twice as fast, and sufficient for soft sheets with texels of about a pixel.
    repeat, nearest = skia.TileMode.kRepeat, skia.SamplingOptions(skia.FilterMode.kNearest)
    shader = sheet.makeShader(repeat, repeat, nearest, local)
    # Soft light keeps the texture as faint on dark colours as on light ones.
    paint = skia.Paint(AntiAlias=True, Shader=shader, BlendMode=skia.BlendMode.kSoftLight)
    canvas.skia.drawPath(path, paint)

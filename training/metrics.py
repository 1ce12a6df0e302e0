"""Measurement formulas on numpy arrays. Pictures are u8 (height, width, 3) in sRGB."""

from __future__ import annotations

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels. Infinite for equal pictures."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


# D65 white, and linear sRGB to XYZ, IEC 61966-2-1.
WHITE = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(pixels: np.ndarray) -> np.ndarray:
    """Converts sRGB u8, channels last, to CIE L*a*b* (D65). L is from 0 to 100."""
    srgb = pixels.astype(np.float64) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    t = linear @ TO_XYZ.T / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def colour_error(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean CIE76 distance over the pixels in `mask`, (height, width) bool. A difference of 2.3 is just
    noticeable."""
    distance = np.linalg.norm(lab(a) - lab(b), axis=-1)
    return float(distance.mean() if mask is None else distance[mask].mean())


def changed(a: np.ndarray, b: np.ndarray, least: int = 24) -> np.ndarray:
    """The pixels in which two pictures differ by at least `least` of 255 in a channel, (height, width) bool. The
    threshold ignores differences of paper grain."""
    return np.abs(a.astype(np.int16) - b.astype(np.int16)).max(-1) >= least


def frechet(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
    """Fréchet distance between two Gaussians (Dowson and Landau 1982):
    |ma - mb|^2 + tr(Ca + Cb - 2 (Ca Cb)^(1/2))."""
    # Ca Cb has the eigenvalues of Ca^(1/2) Cb Ca^(1/2), which is symmetric: they stay real where
    # covariances are close to singular.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    between = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    return float(np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * between)


def frechet_of(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance between Gaussians fitted to two samples, (count, dimensions) each."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return frechet(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def rate(hits: list[bool]) -> float:
    """The percentage of true values. NaN for an empty list."""
    return 100 * sum(hits) / len(hits) if hits else float("nan")

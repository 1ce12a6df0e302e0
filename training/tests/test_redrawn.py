"""Crops of drawings and of their redrawn latents show the same place."""

import random

import numpy as np
import torch

from principal import CHANNELS, FACTOR, Code, tensor
from train_vae import CROP, Redrawn


def test_the_latents_of_a_crop_are_those_of_its_pixels(tmp_path):
    rng = np.random.default_rng(0)
    code = Code(torch.randn(CHANNELS, 3, FACTOR, FACTOR) / 20, torch.randn(CHANNELS))
    pictures = {}
    for first, (width, height) in ((0, (256, 256)), (10, (384, 224))):
        numbers = [first + 3, first + 1]
        for number in numbers:
            pictures[number] = rng.integers(0, 256, (height, width, 3), np.uint8)
        latents = [code(tensor(pictures[number][None])).numpy() for number in numbers]
        np.save(tmp_path / f"numbers-{width}x{height}.npy", np.array(numbers))
        np.save(tmp_path / f"redrawn-{width}x{height}.npy", np.concatenate(latents))
    crops, latents = Redrawn(tmp_path, pictures.__getitem__).batch(40, random.Random(0))
    assert crops.shape == (40, 3, CROP, CROP)
    assert torch.allclose(code(crops), latents, atol=1e-4)
    assert len({crop.sum().item() for crop in crops}) > 30

"""Tests of the autoencoder's loss, training samples and saved weights."""

import random

import torch

from sketchbook.sampling import sample_scene
from train_vae import FINE_STYLES, Decoder, autoencoder, half_fine, join, roughness


def stripes(shift: int) -> torch.Tensor:
    """Stripes: four light pixels, then four dark ones."""
    column = torch.arange(64) + shift
    return (column // 4 % 2 * 2.0 - 1).expand(1, 3, 64, 64)


def test_shifted_strokes_are_equally_rough_and_a_blur_is_not():
    def apart(a, b):
        return sum((p - q).abs().mean() for p, q in zip(roughness(a), roughness(b))).item()

    drawn = stripes(0)
    assert apart(drawn, stripes(2)) < 0.05
    # Two steps of 2 in 8 pixels each.
    assert abs(apart(drawn, torch.zeros_like(drawn)) - 0.5) < 0.05


def test_half_of_the_training_drawings_have_fine_styles():
    scenes = [sample_scene(random.Random(i)) for i in range(600)]
    numbers = half_fine(scenes, range(60, 600))
    assert set(numbers) == set(range(60, 600))
    assert 0.45 < sum(scenes[number].style in FINE_STYLES for number in numbers) / len(numbers) < 0.55
    flat = [number for number in range(600) if scenes[number].style == "flat"]
    assert half_fine(scenes, flat) == flat


def test_join_copies_untrained_parts_from_the_start(tmp_path):
    torch.manual_seed(0)
    start, trained = autoencoder(), autoencoder()
    start.save_pretrained(tmp_path / "start")
    torch.save(Decoder(trained).state_dict(), tmp_path / "decoder.pt")
    join(["--start", str(tmp_path / "start"), "--out", str(tmp_path)])
    joined = autoencoder(tmp_path / "vae").state_dict()
    for name, values in joined.items():
        of = trained if name.startswith(("decoder", "post_quant_conv")) else start
        assert torch.equal(values, of.state_dict()[name]), name

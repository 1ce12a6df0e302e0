"""Tests of the denoiser's training samples and loss."""

import random
from types import SimpleNamespace

import pytest
import torch

from export import schedule
from sketchbook.scene import Scene, Subject
from train_unet import KNOWN, random_box, loss_of, edit_caption

ALPHAS = schedule().alphas_cumprod
#: A schedule with identical timesteps: half picture, half noise.
FAINT = torch.full((10,), 0.5)


def test_predicting_known_latents_exactly_has_no_loss():
    torch.manual_seed(0)
    latents = torch.randn(8, 32, 16, 16)

    def network(noisy, times, _):
        signal = ALPHAS[times].sqrt().view(-1, 1, 1, 1)
        spread = (1 - ALPHAS[times]).sqrt().view(-1, 1, 1, 1)
        # x0 = signal * x - spread * v, solved for the v of x0 = x.
        return SimpleNamespace(sample=(signal - 1) / spread * noisy)

    known = torch.ones(8, 1, 16, 16, dtype=torch.bool)
    assert loss_of(network, latents, None, ALPHAS, known) < 1e-10
    assert loss_of(network, latents, None, ALPHAS) > 0.1


def test_errors_in_the_surroundings_weigh_less_than_errors_in_the_hole():
    known = torch.zeros(4, 1, 8, 8, dtype=torch.bool)
    known[..., :4] = True

    def loss(where):
        def network(noisy, times, _):
            # If the picture is 0 everywhere, v is `signal` times the noise, and the noise is the noisy picture divided
            # by `spread`. `signal` and `spread` are equal here.
            return SimpleNamespace(sample=noisy + where.float())

        return loss_of(network, torch.zeros(4, 32, 8, 8), None, FAINT, known).item()

    mean = (KNOWN + 1) / 2
    assert loss(known) == pytest.approx(KNOWN / 2 / mean, rel=1e-3)
    assert loss(~known) == pytest.approx(1 / 2 / mean, rel=1e-3)


def test_the_caption_of_a_hole_often_names_only_its_subject():
    fox, girl = Subject("fox", "orange", "left"), Subject("girl", "red", "right")
    scene = Scene("forest", "night", "rain", "ink", "full", [fox, girl])
    rng = random.Random(0)
    about_fox = [edit_caption(scene, ["fox"], rng) for _ in range(400)]
    about_nobody = [edit_caption(scene, [], rng) for _ in range(400)]
    unasked = [edit_caption(scene, None, rng) for _ in range(400)]

    def share(texts, *nouns):
        return sum(any(noun in text.lower() for noun in nouns) for text in texts) / len(texts)

    people = ("girl", "woman")
    assert share(about_fox, "fox") > 0.8 and 0.25 < share(about_fox, *people) < 0.5
    assert 0.2 < share(about_nobody, "fox") < 0.45 and 0.2 < share(about_nobody, *people, "girl") < 0.75
    assert share(unasked, "fox") > 0.7 and share(unasked, *people) > 0.7
    assert 0.05 < sum(text == "" for text in unasked) / 400 < 0.15


def test_random_boxes_are_inside_the_picture():
    rng = random.Random(0)
    for _ in range(200):
        left, top, right, bottom = random_box(24, 14, rng)
        assert 0 <= left < right <= 24 and 0 <= top < bottom <= 14


def test_the_target_for_pure_noise_is_its_v():
    torch.manual_seed(0)
    latents = torch.randn(8, 32, 16, 16)
    known = torch.zeros(8, 1, 16, 16, dtype=torch.bool)

    def network(noisy, times, _):
        signal = ALPHAS[times].sqrt().view(-1, 1, 1, 1)
        spread = (1 - ALPHAS[times]).sqrt().view(-1, 1, 1, 1)
        noise = (noisy - signal * latents) / spread
        return SimpleNamespace(sample=signal * noise - spread * latents)

    assert loss_of(network, latents, None, ALPHAS, known).item() == pytest.approx(0, abs=1e-4)

"""What the denoiser is shown, and what it is asked for."""

import random
from types import SimpleNamespace

import pytest
import torch

from export import schedule
from train_unet import loss_of, surroundings

ALPHAS = schedule().alphas_cumprod


def test_an_edit_has_something_around_it_and_no_two_of_a_batch_are_alike():
    known = surroundings(64, 14, 24, random.Random(3))
    shares = known.float().mean((1, 2, 3))
    assert known.shape == (64, 1, 14, 24)
    assert (shares > 0).all() and (shares < 1).all()
    assert len({mask.numpy().tobytes() for mask in known}) > 60


def test_a_network_that_says_of_what_is_known_that_it_is_so_has_no_loss_there():
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


def test_the_answer_to_noise_is_its_v():
    torch.manual_seed(0)
    latents = torch.randn(8, 32, 16, 16)
    known = torch.zeros(8, 1, 16, 16, dtype=torch.bool)

    def network(noisy, times, _):
        signal = ALPHAS[times].sqrt().view(-1, 1, 1, 1)
        spread = (1 - ALPHAS[times]).sqrt().view(-1, 1, 1, 1)
        noise = (noisy - signal * latents) / spread
        return SimpleNamespace(sample=signal * noise - spread * latents)

    assert loss_of(network, latents, None, ALPHAS, known).item() == pytest.approx(0, abs=1e-4)

"""Tests of the latents of principal.py."""

import pytest
import torch

import principal


@pytest.fixture
def pictures():
    """Patches that mix forty patterns with decreasing strength."""
    torch.manual_seed(0)
    patterns = torch.linalg.qr(torch.randn(3 * 16 * 16, 40))[0].T
    return (torch.randn(4000, 40) * 0.8 ** torch.arange(40) @ patterns).reshape(-1, 3, 16, 16) + 0.25


def test_components_keep_all_but_the_weakest_patterns(pictures):
    code = principal.found(pictures)
    latents = code(pictures)[:, :, 0, 0]
    kernel = code.kernel.flatten(1)
    restored = (latents - code.bias) @ torch.linalg.pinv(kernel.T)
    # The patterns 33 to 40 are omitted. The strength of pattern i is 0.8 ** i.
    lost = sum(0.64**i for i in range(32, 40))
    error = restored - pictures.flatten(1)
    assert (error - error.mean(0)).square().sum(1).mean() == pytest.approx(lost, rel=0.1)


def test_latents_have_zero_mean_and_decreasing_variances(pictures):
    latents = principal.found(pictures)(pictures)[:, :, 0, 0]
    assert latents.mean(0).abs().max() < 1e-3
    deviations = latents.std(0)
    assert (deviations[:-1] >= deviations[1:]).all()
    assert latents.square().mean() == pytest.approx(1, rel=0.02)


def test_half_whitening_divides_by_the_root_of_the_deviation(pictures):
    deviations = principal.found(pictures)(pictures)[:, :, 0, 0].std(0)
    # The strengths of patterns 0 and 20 differ by 0.8 ** 20, and their latents by its square root.
    assert deviations[20] / deviations[0] == pytest.approx(0.8**10, rel=0.1)

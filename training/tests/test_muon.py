"""Tests of Muon: its step matches the paper, and it learns."""

import torch
from torch import nn

from muon import Muon, optimizers, orthogonal


def by_the_paper(matrix: torch.Tensor) -> torch.Tensor:
    """Jordan et al. 2024, the quintic iteration on the matrix itself."""
    x = matrix / matrix.norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x - 4.7750 * square @ x + 2.0315 * square @ square @ x
    return x


def test_orthogonal_matches_the_iteration_in_the_paper():
    torch.manual_seed(0)
    for shape in [(64, 576), (16, 16), (8, 100)]:
        matrix = torch.randn(shape)
        assert torch.allclose(orthogonal(matrix), by_the_paper(matrix), atol=1e-4)
        assert torch.allclose(orthogonal(matrix.T), by_the_paper(matrix).T, atol=1e-4)


def test_singular_values_approach_one_and_directions_are_kept():
    torch.manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(32, 32))
    v, _ = torch.linalg.qr(torch.randn(200, 32))
    matrix = u @ torch.diag(torch.linspace(0.2, 3, 32)) @ v.T
    inner = u.T @ orthogonal(matrix) @ v
    assert ((inner.diag() > 0.6) & (inner.diag() < 1.3)).all()
    assert (inner - inner.diag().diag()).abs().max() < 1e-3


def test_matrices_go_to_muon_and_the_rest_to_adam():
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.Conv2d(16, 16, 3))
    muon, adam = optimizers(model, 0.01, 0.0, plain=("0.",))
    assert isinstance(muon, Muon)
    assert [w.shape for w in muon.param_groups[0]["params"]] == [(16, 16, 3, 3)]
    assert len(adam.param_groups[0]["params"]) == 5


def test_muon_learns_a_linear_map():
    torch.manual_seed(0)
    truth, model = torch.randn(16, 16), nn.Linear(16, 16)
    steppers = optimizers(model, 0.02, 0.0, plain=())
    for step in range(400):
        for stepper in steppers:
            stepper.param_groups[0]["lr"] = 0.1 * (1 - step / 400)
        x = torch.randn(64, 16)
        loss = (model(x) - x @ truth.T).square().mean()
        model.zero_grad()
        loss.backward()
        for stepper in steppers:
            stepper.step()
    assert loss.item() < 0.02

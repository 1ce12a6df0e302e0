"""Minimizes Rosenbrock's function with torch.optim, and records every step."""

import torch

from common import save_tensors

STEPS = 30

OPTIMIZERS = {
    "SGD": lambda x: torch.optim.SGD(x, lr=0.001, momentum=0.9),
    "Adam": lambda x: torch.optim.Adam(x, lr=0.05),
    # One iteration in each step. The history is short, so that steps are dropped.
    "LBFGS": lambda x: torch.optim.LBFGS(x, lr=0.5, max_iter=1, history_size=3),
}


def points(make):
    """The start and the points after all steps, (STEPS + 1, 2)."""
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = make([x])

    def value():
        optimizer.zero_grad()
        value = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        value.backward()
        return value

    found = [x.detach().clone()]
    for _ in range(STEPS):
        optimizer.step(value)
        found.append(x.detach().clone())
    return torch.stack(found)


def record():
    with torch.enable_grad():
        found = {name: points(make) for name, make in OPTIMIZERS.items()}
    save_tensors("optimizers/rosenbrock.safetensors", found)

"""The shared training loop: optimizers, weight averaging, a learning rate that decays with the
training time, and checkpoints."""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from averages import Average


def arguments(description: str | None, lr: float, batch: int) -> argparse.ArgumentParser:
    """The options of every training run."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="total training time of all runs")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="minutes until this run pauses")
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--seed", type=int, default=0)
    return parser


#: In seconds. Time beyond this in one step does not count as training, because the run was suspended.
PAUSE = 20.0


class Training:
    """Continues from `out/state.pt` if it exists. Usage:

    for _ in training:
        training.learn(loss, {"loss": ...})
        if training.step % 1000 == 0:
            training.save()
    """

    def __init__(
        self, model: nn.Module, optimizers: list, args: argparse.Namespace, *, keep: float, steady: float
    ):
        """`optimizers` are pairs of an optimizer and its share of the learning rate. `keep` is the decay of the weight
        average. The learning rate decays linearly after the `steady` share of the time."""
        self.model, self._optimizers, self._args, self._steady = model, optimizers, args, steady
        self.average = Average(model, keep)
        self.step, self._spent = 0, 0.0
        self._recent: list[dict[str, float]] = []
        args.out.mkdir(parents=True, exist_ok=True)
        self._file = args.out / "state.pt"
        if self._file.exists():
            self._load(torch.load(self._file))
        self.rng = random.Random(f"{args.seed}/{self.step}")
        torch.manual_seed(args.seed + self.step)

    def __iter__(self):
        before = self._spent
        while self._spent < 60 * self._args.minutes and self._spent - before < 60 * self._args.stop_after:
            part = self._spent / (60 * self._args.minutes)
            rate = min(1, (self.step + 1) / 100)
            rate *= 1 if part < self._steady else 0.02 + 0.98 * (1 - part) / (1 - self._steady)
            for optimizer, share in self._optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = self._args.lr * rate * share
            begun = time.monotonic()
            yield self.step
            self._spent += min(time.monotonic() - begun, PAUSE)

    def learn(self, loss: torch.Tensor, figures: dict[str, float]) -> None:
        """Runs one optimizer step. Every hundredth step prints the means of `figures`."""
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        self.average.update()
        self.step += 1
        self._recent.append(figures)
        if self.step % 100 == 0:
            means = {name: float(np.mean([f[name] for f in self._recent])) for name in figures}
            self._recent.clear()
            self.report(**means)

    def report(self, **figures: float) -> None:
        line = {"step": self.step, "minutes": self._spent / 60, **figures}
        print(json.dumps({name: float(f"{value:.5g}") for name, value in line.items()}), flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.values,
            "optimizers": [optimizer.state_dict() for optimizer, _ in self._optimizers],
            "step": self.step,
            "spent": self._spent,
        }
        # A run can be killed while it writes.
        new = self._file.with_suffix(".new")
        torch.save(state, new)
        new.replace(self._file)

    def _load(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load(state["average"])
        for (optimizer, _), values in zip(self._optimizers, state["optimizers"]):
            optimizer.load_state_dict(values)
        self.step, self._spent = state["step"], state["spent"]

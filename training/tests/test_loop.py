"""Tests of the training loop: a stopped run continues exactly, and the learning rate decays with time."""

import argparse
import math

import pytest
import torch
from torch import nn

import loop
from loop import Training


class Clock:
    """A clock that advances one second with each reading."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def training(tmp_path, monkeypatch):
    monkeypatch.setattr(loop.time, "monotonic", Clock())

    def start(minutes: float, stop_after: float = math.inf) -> tuple[Training, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
        args = argparse.Namespace(
            out=tmp_path, minutes=minutes, stop_after=stop_after, lr=0.1, batch=1, seed=0
        )
        return Training(model, [(optimizer, 0.5)], args, keep=0.9, steady=0.5), optimizer

    return start


def learn(training: Training) -> None:
    for _ in training:
        training.learn(training.model(torch.ones(1, 4)).square().sum(), {})


def test_a_stopped_run_continues_where_it_stopped(training):
    first, _ = training(minutes=2, stop_after=0.5)
    learn(first)
    first.save()
    second, optimizer = training(minutes=2)
    assert 0 < second.step == first.step
    for mine, its in zip(second.model.parameters(), first.model.parameters()):
        assert torch.equal(mine, its)
    assert second.average.values["weight"].equal(first.average.values["weight"])
    assert "momentum_buffer" in next(iter(optimizer.state.values()))
    learn(second)
    # 90 seconds were left, and each step takes one second.
    assert second.step == pytest.approx(120, abs=2)


def test_the_rate_is_constant_and_then_falls_to_a_fiftieth(training):
    run, optimizer = training(minutes=10)
    rates = []
    for step in run:
        rates.append(optimizer.param_groups[0]["lr"])
        run.step += 1
    assert rates[0] == pytest.approx(0.05 / 100)
    assert rates[200] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0.05 * 0.02, rel=0.2)
    assert rates == sorted(rates[:300]) + sorted(rates[300:], reverse=True)


def test_suspended_time_does_not_count(training, monkeypatch):
    run, _ = training(minutes=1)
    for _ in run:
        loop.time.monotonic.now += 3600
        run.step += 1
    assert run.step == 60 / loop.PAUSE


def test_a_continued_run_uses_new_random_numbers(training):
    first, _ = training(minutes=1, stop_after=0.2)
    before = first.rng.random()
    learn(first)
    first.save()
    second, _ = training(minutes=1)
    assert second.rng.random() != before

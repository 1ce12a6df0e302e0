"""Tests of the statistics about negative prompts."""

from types import SimpleNamespace

import numpy as np

import probes
from judge import NONE, QUESTIONS, Reading


def reading(prompt: str, negative: str) -> Reading:
    """The answers of a perfect judge for a picture that follows a negative prompt."""
    asked = next(each for each in probes.OPEN if each.prompt == prompt)
    answers = {"place": asked.place, "time": "day", "weather": "clear", "style": "flat"}
    if negative == "by day":
        answers["time"] = "night"
    position = "left" if negative == "in the middle" else "centre"
    answers[f"{position} kind"] = asked.kind
    answers[f"{position} colour"] = "pink" if asked.colour in negative else asked.colour
    odds = {}
    for question, possible in QUESTIONS.items():
        default = NONE if NONE in possible else possible[-1]
        odds[question] = np.zeros(len(possible))
        odds[question][possible.index(answers.get(question, default))] = 1
    return Reading(odds)


def test_attributes_that_disappear_and_that_stay_are_counted_separately():
    painter = SimpleNamespace(paint=lambda prompts, _, negative: list(zip(prompts, negative)))
    judge = SimpleNamespace(read=lambda pictures: [reading(*picture) for picture in pictures])
    report = probes.negatives(SimpleNamespace(painter=painter, judge=judge, count=250, seed=0))
    rows = {row.split(" | ")[0]: row for row in report.splitlines() if row.startswith("| ")}
    assert "16 pictures" in report
    for title in ("`by day`", "`in the middle`", "its usual colour, as `orange fox`"):
        assert rows[f"| {title}"].endswith("| 100.0 | 100.0 | 100.0 | 100.0 |"), title
    for title in ("`clear sky`", "`flat colours`"):
        assert rows[f"| {title}"].endswith("| 100.0 | 0.0 | 100.0 | 100.0 |"), title

"""Tests of random edits and their verdicts."""

import random
from dataclasses import replace

import numpy as np
import pytest

import edits
from judge import QUESTIONS, Reading, truth
from sketchbook.draw import ACROSS, draw


def reading(scene) -> Reading:
    """The answers of a perfect judge for a scene."""
    right = truth(scene)
    odds = {}
    for question, answers in QUESTIONS.items():
        odds[question] = np.zeros(len(answers))
        odds[question][answers.index(right[question] or answers[0])] = 1
    return Reading(odds)


@pytest.fixture(scope="module")
def scenes():
    return edits.parents(6, "test")


@pytest.mark.parametrize("name", list(edits.KINDS))
def test_a_perfect_edit_passes_and_an_unchanged_picture_fails(name, scenes):
    for scene in scenes:
        edit = edits.KINDS[name](scene, random.Random(7))
        before = reading(edit.parent or edit.scene)
        assert edits.judged(edit, before, reading(edit.wanted)) == {"did": True, "kept": True, "both": True}
        if name in ("refine", "replace", "add", "remove"):
            assert not edits.judged(edit, before, before)["did"]


def test_keep_needs_equal_pixels_and_embolden_needs_more_contrast(scenes):
    for name, change in (("keep", -1), ("embolden", 0)):
        edit = edits.KINDS[name](scenes[0], random.Random(7))
        seen, drawing, mask = reading(edit.scene), edit.drawing(), edit.mask()
        # One pixel changes, or the contrast stays the same.
        worse = drawing.copy()
        worse[mask.nonzero()[0][0], mask.nonzero()[1][0], 0] ^= -change
        assert not edits.judged(edit, seen, seen, worse)["did"]
        surroundings = drawing[~mask].mean(0)
        bolder = np.clip(surroundings + 1.3 * (drawing - surroundings), 0, 255).astype(np.uint8)
        better = np.where(mask[..., None], bolder, drawing) if name == "embolden" else drawing
        assert edits.judged(edit, seen, seen, better)["did"]


def test_an_edit_that_turns_day_into_night_does_not_keep_the_rest(scenes):
    edit = edits.remove(scenes[0], random.Random(7))
    before = reading(edit.scene)
    other = reading(edit.wanted)
    other.odds["time"] = np.roll(other.odds["time"], 1)
    assert edits.judged(edit, before, other) == {"did": True, "kept": False, "both": False}


def test_an_answer_that_becomes_right_and_the_weather_of_a_room_are_no_changes(scenes):
    edit = edits.remove(replace(scenes[0], place="studio"), random.Random(7))
    before, after = reading(edit.scene), reading(edit.wanted)
    before.odds["style"] = np.roll(before.odds["style"], 1)
    assert edits.judged(edit, before, after)["kept"]
    assert not edits.judged(edit, after, before)["kept"], "a right answer becomes wrong"
    after.odds["weather"] = np.roll(after.odds["weather"], 1)
    assert edits.judged(edit, before, after)["kept"]
    edit.wanted = replace(edit.wanted, place="meadow")
    assert not edits.judged(edit, before, after)["kept"], "outdoors, the weather matters"


def test_masks_and_scribbles_cover_the_subject(scenes):
    for scene in scenes:
        edit = edits.add(scene, random.Random(7))
        mask, drawing = edit.mask(), draw(scene)
        assert 0 < mask.mean() < 0.6
        across = mask.nonzero()[1].mean() / mask.shape[1]
        assert abs(across - ACROSS[scene.subjects[0].position]) < 0.17
        covered = edit.scribble[..., 3] > 0
        assert (covered & mask).sum() > 0.6 * mask.sum()
        inside = covered & mask
        far = np.abs(edit.scribble[..., :3].astype(int) - drawing.astype(int))[inside].mean()
        assert far < 60, "a scribble has approximately the colours of its subject"


def test_ron_has_named_fields_and_unquoted_kinds():
    text = edits.ron({"prompt": 'a "b"', "parts": [{"edit": "Add", "strength": 0.7}]})
    assert text == '(prompt: "a \\"b\\"", parts: [(edit: Add, strength: 0.7)])'

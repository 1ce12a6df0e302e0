"""Tests of parts of drawings and their texts."""

import random
from dataclasses import replace

import numpy as np
import pytest

import parts
from metrics import changed
from sketchbook.draw import draw
from sketchbook.sampling import COLOURS_OF, of_edits, stands_by_itself
from sketchbook.scene import Scene, Subject
from sketchbook.words import THINGS

SCENE = Scene("forest", "day", "clear", "flat", "full", [Subject("fox", "blue", "left")])
NOBODY = replace(SCENE, subjects=[])


def test_scenes_as_after_edits_have_one_subject_of_any_colour_or_none():
    scenes = [of_edits(random.Random(i)) for i in range(300)]
    assert all(len(scene.subjects) <= 1 and stands_by_itself(scene) for scene in scenes)
    assert 10 < sum(not scene.subjects for scene in scenes) < 60
    # Things keep their kind, so that another colour is a new one.
    subjects = [scene.subjects[0] for scene in scenes if scene.subjects]
    assert any(each.kind in THINGS and each.colour not in COLOURS_OF[each.kind] for each in subjects)


def test_both_parts_have_the_same_mask_which_contains_the_subject():
    picture = draw(SCENE)
    for seed in range(12):
        subject, empty = parts.parts(picture, SCENE, random.Random(seed))
        assert subject.scene == SCENE and empty.scene == NOBODY
        assert np.array_equal(subject.mask, empty.mask) and 0 < subject.mask.mean() < 1
        assert subject.picture.shape == (16 * subject.mask.shape[1], 16 * subject.mask.shape[2], 3)
        differs = changed(subject.picture, empty.picture)
        assert differs.sum() == changed(picture, draw(NOBODY)).sum(), "the crop contains the whole subject"
        height, width = subject.mask.shape[1:]
        touched = differs.reshape(height, 16, width, 16).any((1, 3))
        # An oval can cut off the corners of a box.
        assert (subject.mask[0][touched] > 0).mean() > 0.9


def test_subjects_that_change_the_rest_are_no_parts():
    for scene in (replace(SCENE, weather="rain"), replace(SCENE, framing="portrait"), NOBODY):
        assert parts.parts(draw(scene), scene, random.Random(0)) == []


@pytest.mark.parametrize("form", parts.FORMS)
def test_texts_name_the_subject_and_wrong_ones_differ(form):
    right = parts.text(SCENE, form, 7)
    assert "fox" in right
    for other in parts.others(SCENE, random.Random(1)):
        assert parts.text(other, form, 7) != right
    assert "fox" not in parts.text(NOBODY, form, 7)


def test_the_wrong_texts_of_a_part_change_the_kind_the_colour_and_both_or_remove_it():
    seen = set()
    for seed in range(40):
        for other in parts.others(SCENE, random.Random(seed)):
            if other.subjects:
                [subject] = other.subjects
                seen.add((subject.kind != "fox", subject.colour != "blue"))
            else:
                seen.add("nobody")
    assert seen == {(True, False), (False, True), (True, True), "nobody"}
    assert all(len(other.subjects) == 1 for other in parts.others(NOBODY, random.Random(0)))


def test_the_number_of_a_part_is_that_of_its_name():
    assert parts.names()[parts.number(SCENE)] == "a blue fox"
    assert parts.names()[parts.number(NOBODY)] == "an empty scene"

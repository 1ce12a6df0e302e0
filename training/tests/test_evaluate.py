"""Tests of the measurements, with values computed by hand."""

import math
import random

import numpy as np
import pytest

from drawings import Drawings, endless, make, sampled
from evaluate import checked, counted
from judge import COLOURS, KINDS, NONE, QUESTIONS, Reading, labels, truth
from metrics import changed, colour_error, frechet, frechet_of, lab, psnr, rate
from painter import same_size_batches
from sketchbook.draw import draw
from sketchbook.scene import Scene, Subject
from tables import table


def scene(**changes) -> Scene:
    fox = Subject("fox", "orange", "left")
    values = {
        "place": "forest",
        "time": "night",
        "weather": "rain",
        "style": "ink",
        "framing": "full",
        "subjects": [fox],
    }
    return Scene(**values | changes)


def reading(**answers: str) -> Reading:
    """A judge that is certain of `answers`, and sees no other subject."""
    odds = {}
    for question, possible in QUESTIONS.items():
        default = NONE if NONE in possible else possible[-1]
        odds[question] = np.zeros(len(possible))
        odds[question][possible.index(answers.get(question.replace(" ", "_"), default))] = 1
    return Reading(odds)


SEES_THE_FOX = {
    "place": "forest",
    "time": "night",
    "weather": "rain",
    "style": "ink",
    "framing": "full",
    "left_kind": "fox",
}


def test_an_error_of_a_fifth_of_the_range_is_14_db():
    grey = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(grey, grey + np.uint8(51)) == pytest.approx(13.9794, abs=5e-4)  # 20 lg 5
    assert psnr(grey, grey) == math.inf


def test_lab_matches_reference_colours():
    # From Bruce Lindbloom's calculator, sRGB with D65.
    known = {
        (255, 255, 255): (100, 0, 0),
        (0, 0, 0): (0, 0, 0),
        (255, 0, 0): (53.24, 80.09, 67.20),
        (0, 0, 255): (32.30, 79.19, -107.86),
        (119, 119, 119): (50.03, 0, 0),
    }
    for rgb, expected in known.items():
        np.testing.assert_allclose(lab(np.array(rgb, np.uint8)), expected, atol=0.02)


def test_the_colour_error_counts_masked_pixels_only():
    white, black = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)
    half = white.copy()
    half[0] = 0
    assert colour_error(white, half) == pytest.approx(50, abs=5e-3)
    top = np.array([[True, True], [False, False]])
    assert colour_error(white, half, top) == pytest.approx(100, abs=5e-3)
    np.testing.assert_array_equal(changed(half, black), [[False, False], [True, True]])


def test_the_frechet_distance_of_two_gaussians_matches_the_formula():
    # 3^2 + (1 - 2)^2 + (4 - 1)^2, for the variances 1, 16 and 4, 1.
    a, b = np.diag([1.0, 16.0]), np.diag([4.0, 1.0])
    assert frechet(np.zeros(2), a, np.array([3.0, 0.0]), b) == pytest.approx(9 + 1 + 9, abs=1e-7)
    # Not diagonal: Ca = [[2, 1], [1, 2]] has the eigenvalues 3 and 1; with Cb = 4 I,
    # tr = 4 + 8 - 2 * 2 * (sqrt 3 + 1).
    turned = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert frechet(np.zeros(2), turned, np.zeros(2), 4 * np.eye(2)) == pytest.approx(8 - 4 * math.sqrt(3), abs=1e-7)


def test_the_frechet_distance_of_samples_uses_unbiased_variances():
    # Variances 2 and 8 (n - 1 in the denominator), means 1 and 5; the second dimension never changes.
    a, b = np.array([[0.0, 7.0], [2.0, 7.0]]), np.array([[3.0, 7.0], [7.0, 7.0]])
    assert frechet_of(a, b) == pytest.approx(16 + (math.sqrt(8) - math.sqrt(2)) ** 2, abs=1e-7)
    assert frechet_of(a, a) == pytest.approx(0, abs=1e-7)


def test_the_rate_of_an_empty_list_is_nan():
    assert rate([True, False, False, True]) == 50
    assert math.isnan(rate([]))
    assert table(["a", "b"], [["x", math.nan], ["y", 1.26]], [0, 1]) == "| a | b |\n| --- | ---: |\n| x | - |\n| y | 1.3 |\n"


def test_labels_follow_the_questions():
    answers = dict(zip(QUESTIONS, labels(scene())))
    assert answers["left kind"] == KINDS.index("fox")
    assert answers["left colour"] == COLOURS.index("orange")
    assert answers["right kind"] == KINDS.index(NONE)
    assert answers["expression"] == -100


def test_there_is_no_weather_indoors():
    assert truth(scene(place="cave"))["weather"] is None
    assert "weather" not in checked(scene(place="cave"), reading())


def test_a_correct_picture_hits_every_attribute():
    hits = checked(scene(), reading(**SEES_THE_FOX, left_colour="orange"))
    assert all(all(values) for values in hits.values())
    assert "expression" not in hits


def test_a_subject_in_the_wrong_place_is_seen_but_wrong():
    moved = SEES_THE_FOX | {"left_kind": NONE, "right_kind": "fox", "right_colour": "orange"}
    hits = checked(scene(), reading(**moved))
    assert hits["kind"] == [True]
    assert hits["colour"] == [True]
    assert hits["position"] == [False]
    assert hits["subject"] == [False]
    assert hits["nothing else"] == [True, False]
    assert hits["everything"] == [False]


def test_a_wrong_colour_affects_only_its_subject():
    hits = checked(scene(), reading(**SEES_THE_FOX, left_colour="black"))
    assert (hits["kind"], hits["colour"], hits["subject"]) == ([True], [False], [False])
    assert (hits["position"], hits["place"]) == ([True], [True])


def test_portraits_have_no_position():
    assert "position" not in checked(scene(framing="portrait", expression="sad"), reading())


def test_hits_of_several_pictures_are_combined():
    right, wrong = reading(**SEES_THE_FOX), reading(place="cave")
    assert counted([scene(), scene()], [right, wrong])["place"] == [True, False]


def test_written_drawings_are_read_back(tmp_path):
    make(tmp_path, endless(3), count=6, processes=1)
    drawings = Drawings(tmp_path)
    assert sorted(map(repr, drawings.scenes)) == sorted(map(repr, sampled(6, 3)))
    for picture, scene in drawings:
        np.testing.assert_array_equal(picture, draw(scene))
    for (width, height), numbers in drawings.sizes.items():
        for number in numbers:
            assert drawings.picture(number).shape == (height, width, 3)


def test_batches_exclude_held_out_drawings(tmp_path, monkeypatch):
    monkeypatch.setattr("drawings.UNSEEN", 1)
    make(tmp_path, endless(3), count=12, processes=1)
    drawings = Drawings(tmp_path)
    unseen = {numbers.start for numbers in drawings.sizes.values()}
    assert set(drawings.unseen()) == unseen == set(range(12)) - set(drawings.seen())
    batches = drawings.batches(2, 32, random.Random(0))
    shown = set()
    for _ in range(20):
        numbers, pictures = next(batches)
        assert pictures.shape == (2, 32, 32, 3)
        shown.update(numbers)
    batches.close()
    assert shown and not shown & unseen


def test_a_batch_has_one_size():
    sizes = [(2, 2), (1, 1), (2, 2), (2, 2)]
    assert list(same_size_batches(sizes, 2)) == [[1], [0, 2], [3]]


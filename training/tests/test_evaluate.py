"""The formulas of the measurements against values computed by hand.

`python -m unittest discover training/tests`
"""

import math
import random
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from drawings import Drawings, make, sampled
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
    """A judge who is sure of `answers`, sees no other subject, and knows nothing else."""
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


class Formulas(unittest.TestCase):
    def test_an_error_of_a_fifth_of_the_range_is_14_db(self):
        grey = np.full((4, 4, 3), 100, np.uint8)
        self.assertAlmostEqual(psnr(grey, grey + np.uint8(51)), 13.9794, places=3)  # 20 lg 5
        self.assertEqual(psnr(grey, grey), math.inf)

    def test_lab_of_known_colours(self):
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

    def test_the_colour_error_counts_masked_pixels_only(self):
        white, black = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)
        half = white.copy()
        half[0] = 0
        self.assertAlmostEqual(colour_error(white, half), 50, places=2)
        top = np.array([[True, True], [False, False]])
        self.assertAlmostEqual(colour_error(white, half, top), 100, places=2)
        np.testing.assert_array_equal(changed(half, black), [[False, False], [True, True]])

    def test_the_frechet_distance_of_two_gaussians(self):
        # 3^2 + (1 - 2)^2 + (4 - 1)^2, by variances 1, 16 against 4, 1.
        a, b = np.diag([1.0, 16.0]), np.diag([4.0, 1.0])
        self.assertAlmostEqual(frechet(np.zeros(2), a, np.array([3.0, 0.0]), b), 9 + 1 + 9)
        # Not diagonal: Ca = [[2, 1], [1, 2]] has the eigenvalues 3 and 1, against Cb = 4 I
        # tr = 4 + 8 - 2 * 2 * (sqrt 3 + 1).
        turned = np.array([[2.0, 1.0], [1.0, 2.0]])
        self.assertAlmostEqual(frechet(np.zeros(2), turned, np.zeros(2), 4 * np.eye(2)), 8 - 4 * math.sqrt(3))

    def test_the_frechet_distance_of_samples(self):
        # Variances 2 and 8 (n - 1 in the denominator), means 1 and 5; the second dimension never changes.
        a, b = np.array([[0.0, 7.0], [2.0, 7.0]]), np.array([[3.0, 7.0], [7.0, 7.0]])
        self.assertAlmostEqual(frechet_of(a, b), 16 + (math.sqrt(8) - math.sqrt(2)) ** 2)
        self.assertAlmostEqual(frechet_of(a, a), 0)

    def test_nothing_counted_is_not_a_number(self):
        self.assertEqual(rate([True, False, False, True]), 50)
        self.assertTrue(math.isnan(rate([])))
        self.assertEqual(
            table(["a", "b"], [["x", math.nan], ["y", 1.26]], [0, 1]),
            "| a | b |\n| --- | ---: |\n| x | - |\n| y | 1.3 |\n",
        )


class Judging(unittest.TestCase):
    def test_labels_follow_the_questions(self):
        answers = dict(zip(QUESTIONS, labels(scene())))
        self.assertEqual(answers["left kind"], KINDS.index("fox"))
        self.assertEqual(answers["left colour"], COLOURS.index("orange"))
        self.assertEqual(answers["right kind"], KINDS.index(NONE))
        self.assertEqual(answers["expression"], -100)

    def test_there_is_no_weather_indoors(self):
        self.assertIsNone(truth(scene(place="cave"))["weather"])
        self.assertNotIn("weather", checked(scene(place="cave"), reading()))

    def test_a_picture_that_shows_all(self):
        hits = checked(scene(), reading(**SEES_THE_FOX, left_colour="orange"))
        self.assertTrue(all(all(values) for values in hits.values()))
        self.assertNotIn("expression", hits)

    def test_a_subject_at_the_wrong_place_is_seen_but_not_right(self):
        moved = SEES_THE_FOX | {"left_kind": NONE, "right_kind": "fox", "right_colour": "orange"}
        hits = checked(scene(), reading(**moved))
        self.assertEqual(hits["kind"], [True])
        self.assertEqual(hits["colour"], [True])
        self.assertEqual(hits["position"], [False])
        self.assertEqual(hits["subject"], [False])
        self.assertEqual(hits["nothing else"], [True, False])
        self.assertEqual(hits["everything"], [False])

    def test_a_wrong_colour_spoils_the_subject_only(self):
        hits = checked(scene(), reading(**SEES_THE_FOX, left_colour="black"))
        self.assertEqual((hits["kind"], hits["colour"], hits["subject"]), ([True], [False], [False]))
        self.assertEqual((hits["position"], hits["place"]), ([True], [True]))

    def test_portraits_say_nothing_about_position(self):
        self.assertNotIn("position", checked(scene(framing="portrait", expression="sad"), reading()))

    def test_hits_of_pictures_add_up(self):
        right, wrong = reading(**SEES_THE_FOX), reading(place="cave")
        self.assertEqual(counted([scene(), scene()], [right, wrong])["place"], [True, False])


class OnDisk(unittest.TestCase):
    def test_drawings_come_back_as_they_were_drawn(self):
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), count=6, seed=3, processes=1)
            drawings = Drawings(folder)
            self.assertCountEqual(map(repr, drawings.scenes), map(repr, sampled(6, 3)))
            for picture, scene in drawings:
                np.testing.assert_array_equal(picture, draw(scene))
            for (width, height), numbers in drawings.sizes.items():
                for number in numbers:
                    self.assertEqual(drawings.picture(number).shape, (height, width, 3))

    def test_batches_leave_out_what_is_kept_for_tests(self):
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), count=12, seed=3, processes=1)
            drawings = Drawings(folder)
            batches = drawings.batches(2, 32, random.Random(0), skip=1)
            seen = set()
            for _ in range(20):
                numbers, pictures = next(batches)
                self.assertEqual(pictures.shape, (2, 32, 32, 3))
                seen.update(numbers)
            batches.close()
            self.assertFalse(seen & {numbers.start for numbers in drawings.sizes.values()})


class Batches(unittest.TestCase):
    def test_a_batch_has_one_size(self):
        sizes = [(2, 2), (1, 1), (2, 2), (2, 2)]
        self.assertEqual(list(same_size_batches(sizes, 2)), [[1], [0, 2], [3]])


if __name__ == "__main__":
    unittest.main()

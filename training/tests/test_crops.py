"""Tests of crops: captions describe what is in the crop, and holes cover subjects."""

import random
from dataclasses import replace

import numpy as np

from crops import around, hole, nobody, seen, window
from metrics import changed
from sketchbook import phrases
from sketchbook.caption import caption, fragment
from sketchbook.draw import draw
from sketchbook.sampling import sample_scene
from sketchbook.scene import Scene, Subject


def scene(*subjects: Subject, framing: str = "full") -> Scene:
    expression = "happy" if framing == "portrait" else None
    return Scene("forest", "day", "clear", "flat", framing, list(subjects), expression)


FOX, MOON = Subject("fox", "orange", "left"), Subject("moon", "white", "right")


def test_a_window_of_the_whole_picture_keeps_the_scene():
    for framing in ("full", "wide"):
        both = scene(FOX, MOON, framing=framing)
        assert seen(both, (0, 0, 1, 1)) == both


def test_a_crop_has_no_framing():
    rng, part = random.Random(7), seen(scene(FOX, framing="wide"), (0, 0.2, 0.8, 1))
    texts = [write(part, rng) for write in (caption, fragment) for _ in range(100)]
    framings = "|".join((*phrases.FRAMING_WORD.values(), *phrases.FRAMING_OF.values())).split("|")
    assert not [text for text in texts if any(framing in text.lower() for framing in framings)]


def test_subjects_outside_a_crop_are_left_out():
    assert seen(scene(FOX, MOON), (0, 0, 1, 0.5)).subjects == [MOON]
    assert seen(scene(FOX, MOON), (0, 0.3, 1, 1)).subjects == [FOX]
    assert seen(scene(FOX, MOON), (0.4, 0.4, 0.6, 0.6)).subjects == []


def test_positions_are_relative_to_the_crop():
    assert seen(scene(FOX), (0.0, 0.3, 0.5, 0.8)).subjects[0].position == "centre"
    assert seen(scene(FOX), (0.2, 0.3, 0.7, 0.8)).subjects[0].position == "left"
    assert seen(scene(FOX), (0.0, 0.3, 0.3, 0.8)).subjects[0].position == "right"


def test_only_crops_with_the_face_stay_portraits():
    portrait = scene(Subject("girl", "red"), framing="portrait")
    part = seen(portrait, (0.2, 0.2, 0.7, 0.7))
    assert (part.framing, part.expression, len(part.subjects)) == ("portrait", "happy", 1)
    part = seen(portrait, (0, 0, 0.4, 0.4))
    assert (part.framing, part.expression, part.subjects) == (None, None, [])


def test_windows_are_inside_and_always_have_a_caption():
    rng = random.Random(0)
    for _ in range(500):
        whole = sample_scene(rng)
        size = whole.width // 16, whole.height // 16
        x, y, part = window(whole, size, (12, 10), rng)
        assert 0 <= x <= size[0] - 12 and 0 <= y <= size[1] - 10
        assert caption(part, rng)


def test_a_window_contains_the_requested_box():
    rng, middle = random.Random(1), 0
    for _ in range(300):
        left, top = rng.uniform(0, 18), rng.uniform(0, 7)
        x, y, _ = window(scene(), (24, 14), (9, 8), rng, (left, top, left + 5, top + 6))
        assert x <= left and left + 5 <= x + 9 and y <= top and top + 6 <= y + 8
        middle += 0 < left - x < 3
    assert 50 < middle < 290
    x, y, _ = window(scene(), (24, 14), (9, 8), rng, (2, 0, 23, 14))
    assert (x, y) in ((8, 3), (9, 3))
    x, y, _ = window(scene(), (24, 14), (9, 8), rng, (-2, 5, 3, 15))
    assert (x, y) == (0, 6)


def test_empty_boxes_contain_no_subject():
    rng, boxes = random.Random(5), 0
    for _ in range(300):
        whole = sample_scene(rng)
        box = nobody(whole, rng)
        boxes += box is not None
        for subject in whole.subjects if box else []:
            other = around(subject, whole)
            apart = box[2] < other[0] or other[2] < box[0] or box[3] < other[1] or other[3] < box[1]
            assert apart
    assert boxes > 150


def test_approximate_boxes_match_drawn_subjects():
    rng, hits = random.Random(4), []
    while len(hits) < 60:
        whole = sample_scene(rng)
        # Nothing else changes when the subject is not drawn: see evaluate.of_colour.
        still = whole.framing != "portrait" and whole.weather == "clear" and whole.style == "flat"
        if not (still and len(whole.subjects) == 1) or whole.subjects[0].kind in ("campfire", "lantern"):
            continue
        there = changed(draw(whole), draw(replace(whole, subjects=[])))
        left, top, right, bottom = around(whole.subjects[0], whole)
        y, x = there.nonzero()
        x, y = x / whole.width, y / whole.height
        # Within the mean margin of a hole, which is at least one latent, or 16 pixels.
        inside = (x > left - 0.06) & (x < right + 0.06) & (y > top - 0.07) & (y < bottom + 0.07)
        hits.append(inside.mean())
    assert np.mean(hits) > 0.95 and min(hits) > 0.8


def test_a_hole_has_latents_inside_and_outside():
    rng = random.Random(3)
    holes = [hole((4, 3, 8, 9), (16, 14), rng) for _ in range(64)]
    assert all(known.shape == (14, 16) and not known[4:8, 5:7].any() for known in holes)
    assert len({known.numpy().tobytes() for known in holes}) > 40
    for box in ((-5, -5, 40, 40), (50, 50, 52, 52)):
        known = hole(box, (16, 14), rng)
        assert known.any() and not known.all()

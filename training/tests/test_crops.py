"""What a crop's caption says is what the crop shows."""

import random

from crops import seen, window
from sketchbook.caption import caption
from sketchbook.sampling import sample_scene
from sketchbook.scene import Scene, Subject


def scene(*subjects: Subject, framing: str = "full") -> Scene:
    expression = "happy" if framing == "portrait" else None
    return Scene("forest", "day", "clear", "flat", framing, list(subjects), expression)


FOX, MOON = Subject("fox", "orange", "left"), Subject("moon", "white", "right")


def test_the_whole_picture_is_seen_as_it_is():
    both = scene(FOX, MOON)
    assert seen(both, (0, 0, 1, 1)) == both


def test_who_is_outside_is_not_seen():
    assert seen(scene(FOX, MOON), (0, 0, 1, 0.5)).subjects == [MOON]
    assert seen(scene(FOX, MOON), (0, 0.3, 1, 1)).subjects == [FOX]
    assert seen(scene(FOX, MOON), (0.4, 0.4, 0.6, 0.6)).subjects == []


def test_positions_are_those_in_the_crop():
    assert seen(scene(FOX), (0.0, 0.3, 0.5, 0.8)).subjects[0].position == "centre"
    assert seen(scene(FOX), (0.2, 0.3, 0.7, 0.8)).subjects[0].position == "left"
    assert seen(scene(FOX), (0.0, 0.3, 0.3, 0.8)).subjects[0].position == "right"


def test_a_face_stays_a_face_and_its_absence_is_no_portrait():
    portrait = scene(Subject("girl", "red"), framing="portrait")
    part = seen(portrait, (0.2, 0.2, 0.7, 0.7))
    assert (part.framing, part.expression, len(part.subjects)) == ("portrait", "happy", 1)
    part = seen(portrait, (0, 0, 0.4, 0.4))
    assert (part.framing, part.expression, part.subjects) == ("full", None, [])


def test_windows_lie_inside_and_can_always_be_worded():
    rng = random.Random(0)
    for _ in range(500):
        whole = sample_scene(rng)
        size = whole.width // 16, whole.height // 16
        x, y, part = window(whole, size, 12, rng)
        assert 0 <= x <= size[0] - 12 and 0 <= y <= size[1] - 12
        assert caption(part, rng)

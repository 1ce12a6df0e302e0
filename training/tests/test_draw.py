"""Tests of drawings: they are reproducible and complete, and subjects have the right positions."""

import numpy as np
import pytest

from metrics import changed
from sketchbook import words
from sketchbook.draw import BUSTS, GRID, PLACES, SUBJECTS, draw
from sketchbook.sampling import COLOURS_OF, fits
from sketchbook.scene import Scene, Subject

SIZES = [(256, 256), (384, 224), (224, 288)]
#: Colours that no place has much of, in order of preference.
BOLD = ("red", "blue", "purple", "orange")


def scene(place="meadow", time="day", weather="clear", style="flat", framing="full", subjects=(), **kw):
    return Scene(place, time, weather, style, framing, list(subjects), **kw)


def subject(kind, colour=None, position="centre"):
    hair = "brown" if kind in ("girl", "boy") else None
    return Subject(kind, colour or next(iter(COLOURS_OF[kind])), position, hair)


def check(picture, width=256, height=256):
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8
    assert picture.std() > 8, "an empty picture"


def test_everything_in_the_vocabulary_has_a_drawing():
    assert set(PLACES) == set(words.PLACES)
    assert set(SUBJECTS) == set(words.SUBJECTS)
    assert set(BUSTS) == set(words.PEOPLE + words.ANIMALS)


@pytest.mark.parametrize("style", words.STYLES)
def test_the_same_seed_gives_the_same_picture(style):
    one = scene(weather="rain", style=style, subjects=[subject("girl")], seed=5)
    other = scene(weather="rain", style=style, subjects=[subject("girl")], seed=6)
    assert draw(one).tobytes() == draw(one).tobytes()
    assert draw(one).tobytes() != draw(other).tobytes()


@pytest.mark.parametrize("style", words.STYLES)
@pytest.mark.parametrize("place", words.PLACES)
def test_every_place_is_drawn_in_every_style(place, style):
    for framing in ("wide", "portrait"):
        check(draw(scene(place, style=style, framing=framing, subjects=[subject("man")], expression="calm")))


@pytest.mark.parametrize("weather", words.WEATHERS)
@pytest.mark.parametrize("time", words.TIMES)
def test_every_time_and_weather_differs_from_a_clear_day(time, weather):
    picture = draw(scene(time=time, weather=weather))
    check(picture)
    if (time, weather) != ("day", "clear"):
        clear_day = draw(scene())
        assert np.abs(picture.astype(int) - clear_day).mean() > 8


@pytest.mark.parametrize("kind", words.SUBJECTS)
def test_every_colour_of_every_subject_is_distinct(kind):
    seen = set()
    for colour in COLOURS_OF[kind]:
        picture = draw(scene(subjects=[subject(kind, colour)]))
        check(picture)
        seen.add(picture.tobytes())
    assert len(seen) == len(COLOURS_OF[kind]), "two colours look the same"


@pytest.mark.parametrize("kind", words.PEOPLE + words.ANIMALS)
def test_every_expression_of_every_face_is_distinct(kind):
    seen = set()
    for expression in words.EXPRESSIONS:
        picture = draw(scene(framing="portrait", subjects=[subject(kind)], expression=expression))
        check(picture)
        seen.add(picture.tobytes())
    assert len(seen) == len(words.EXPRESSIONS), "two expressions look the same"


@pytest.mark.parametrize("framing", words.FRAMINGS)
@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_drawn(size, framing):
    width, height = size
    for place in words.PLACES:
        it = scene(place, framing=framing, subjects=[subject("cat")], width=width, height=height)
        it.expression = "sly"
        check(draw(it), width, height)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [k for k in words.SUBJECTS if set(BOLD) & set(COLOURS_OF[k])])
def test_a_subject_stands_in_the_requested_third(kind, size):
    width, height = size
    colour = next(c for c in BOLD if c in COLOURS_OF[kind])
    place = next(p for p in words.PLACES[::-1] if fits(kind, p))
    empty = draw(scene(place, width=width, height=height)).astype(int)
    for third, position in enumerate(words.POSITIONS):
        it = scene(place, subjects=[subject(kind, colour, position)], width=width, height=height)
        picture = draw(it).astype(int)
        changed = np.abs(picture - empty).max(axis=2) > 24
        named = np.linalg.norm(picture - words.COLOURS[colour], axis=2) < 80
        xs = np.nonzero(changed & named)[1]
        assert len(xs) > 0.004 * width * height, f"too few {colour} pixels"
        assert third / 3 < xs.mean() / width < (third + 1) / 3
        inside = (xs >= third / 3 * width - 0.1 * width) & (xs <= (third + 1) / 3 * width + 0.1 * width)
        assert inside.mean() > 0.85


@pytest.mark.parametrize("kind", ("knight", "girl", "dragon", "owl"))
def test_subjects_have_the_same_size_and_grid_alignment_in_every_place_and_size(kind):
    def bounds(place, width, height, position):
        asked = {"place": place, "width": width, "height": height, "framing": "wide"}
        rows, columns = changed(
            draw(scene(**asked, subjects=[subject(kind, "red", position)])), draw(scene(**asked))
        ).nonzero()
        return rows.min(), columns.min(), columns.max() - columns.min()

    top, left, width = bounds("meadow", 256, 256, "left")
    other_top, other_left, other_width = bounds("desert", 384, 224, "centre")
    # The end of a soft edge depends on the background.
    assert abs(width - other_width) <= 2
    for apart in (top - other_top, left - other_left):
        assert abs(apart - round(apart / GRID) * GRID) <= 1

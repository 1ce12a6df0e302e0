"""Tests of scenes and captions: scenes follow the rules, and captions describe them correctly."""

import random
import re

import pytest

from sketchbook import phrases, words
from sketchbook.caption import caption, compose, describe, fragment
from sketchbook.distractions import STORY_WORDS
from sketchbook.sampling import COLOURS_OF, fits, is_held_out, sample_scene
from sketchbook.scene import Scene, Subject

SCENES = 3000
UNTIDY = ("  ", " ,", ",,", "%", "{", "|", "..", ".,", " a a ", " a orange", " a old", " a an", " an b")


@pytest.fixture(scope="module")
def scenes():
    rng = random.Random(1)
    return [sample_scene(rng) for _ in range(SCENES)]


def share(scenes, true) -> float:
    return sum(map(true, scenes)) / len(scenes)


def test_the_same_seed_gives_the_same_scenes_and_captions():
    def made():
        rng = random.Random(7)
        return [caption(sample_scene(rng), rng) for _ in range(50)]

    assert made() == made()


def test_scenes_follow_the_rules(scenes):
    for scene in scenes:
        assert all(fits(s.kind, scene.place) for s in scene.subjects)
        assert all(s.colour in COLOURS_OF[s.kind] for s in scene.subjects)
        assert all((s.hair is not None) == (s.kind in ("girl", "boy")) for s in scene.subjects)
        assert scene.weather == "clear" or scene.place not in words.INDOORS
        assert (
            len({s.position for s in scene.subjects})
            == len({s.kind for s in scene.subjects})
            == len(scene.subjects)
        )
        portrait = scene.framing == "portrait"
        assert portrait == (scene.expression is not None)
        if portrait:
            (subject,) = scene.subjects
            assert subject.kind in words.PEOPLE + words.ANIMALS and subject.position == "centre"
    assert not fits("boat", "desert") and fits("boat", "shore")
    assert not fits("campfire", "studio") and fits("campfire", "cave")


def test_scenes_have_the_intended_frequencies(scenes):
    assert share(scenes, lambda s: s.framing == "portrait") == pytest.approx(0.28, abs=0.03)
    assert share(scenes, lambda s: s.style == "flat") == pytest.approx(0.35, abs=0.03)
    assert share(scenes, lambda s: (s.width, s.height) == (384, 224)) == pytest.approx(0.24, abs=0.03)
    outdoors = [s for s in scenes if s.place not in words.INDOORS]
    assert share(outdoors, lambda s: s.weather == "clear") == pytest.approx(0.48, abs=0.03)
    assert {s.kind for scene in scenes for s in scene.subjects} == set(words.SUBJECTS)


def test_held_out_combinations_are_drawn_only_on_request(scenes):
    assert not any(map(is_held_out, scenes))
    rng = random.Random(2)
    assert all(is_held_out(sample_scene(rng, held_out=True)) for _ in range(200))


@pytest.mark.parametrize(
    "place, kind, colour",
    [
        ("shore", "lighthouse", "red"),
        ("castle", "knight", "blue"),
        ("forest", "fox", "orange"),
        ("desert", "campfire", "orange"),
    ],
)
def test_the_example_story_uses_no_held_out_combination(place, kind, colour):
    assert not is_held_out(Scene(place, "night", "clear", "flat", "full", [Subject(kind, colour)]))


def test_every_name_has_phrases():
    banks = {
        "PLACE": words.PLACES,
        "PLACE_NOUN": words.PLACES,
        "TIME": words.TIMES,
        "TIME_WORD": words.TIMES,
        "WEATHER": words.WEATHERS,
        "WEATHER_WORD": words.WEATHERS,
        "STYLE": words.STYLES,
        "FRAMING_OF": words.FRAMINGS,
        "FRAMING_WORD": words.FRAMINGS,
        "EXPRESSION": words.EXPRESSIONS,
        "COLOUR": words.COLOURS,
        "HAIR": words.HAIR,
        "SUBJECT": words.SUBJECTS,
    }
    for bank, names in banks.items():
        assert set(getattr(phrases, bank)) == set(names), bank


def test_captions_are_true(scenes):
    rng = random.Random(3)
    for scene in scenes:
        said = compose(scene, rng).said
        for key in ("place", "time", "weather", "style", "framing", "expression"):
            assert said.get(key) in (None, getattr(scene, key))
        slots = [key.split(".")[0] for key in said if key.endswith(".kind")]
        assert len(slots) == len(scene.subjects)
        for slot in slots:
            subject = next(s for s in scene.subjects if s.kind == said[f"{slot}.kind"])
            assert slot in ("somewhere", "elsewhere", subject.position)
            assert said.get(f"{slot}.colour") in (None, subject.colour)


def test_mentioned_attributes_are_in_the_text(scenes):
    rng = random.Random(4)
    for scene in scenes:
        made = compose(scene, rng)
        text = made.text.lower()
        for subject in scene.subjects:
            assert any(
                noun in text or noun.split()[-1] in text
                for noun in phrases.SUBJECT[subject.kind][0].split("|")
            )
        if "style" in made.said:
            assert any(style in text for style in phrases.STYLE[scene.style].split("|"))
        if "place" in made.said:
            ways = phrases.PLACE[scene.place].split("|")
            ways += [noun.split(" ", 1)[1] for noun in phrases.PLACE_NOUN[scene.place].split("|")]
            plain = re.sub(f" ({'|'.join(phrases.WEATHER_ADJECTIVE.values())})", "", text)
            assert any(place in text or place in plain for place in ways)


def test_captions_are_tidy_and_of_good_length(scenes):
    rng = random.Random(5)
    texts = [caption(scene, rng) for scene in scenes]
    for text in texts:
        assert not any(bad in text for bad in UNTIDY), text
    lengths = sorted(len(text.replace(",", " ,").split()) for text in texts)
    assert 12 <= lengths[len(lengths) // 2] <= 30 and lengths[-1] < 70
    assert len(set(texts)) > 0.97 * len(texts)


def test_the_plain_caption_names_everything():
    subjects = [Subject("girl", "red", "left", "brown"), Subject("fox", "orange", "right")]
    scene = Scene("forest", "night", "rain", "ink", "wide", subjects)
    assert describe(scene) == (
        "wide shot of a girl with brown hair in a red coat on the left and an orange fox on the right, "
        "in a forest, at night, in the rain, ink drawing"
    )
    bust = Scene("studio", "day", "clear", "flat", "portrait", [Subject("man", "blue")], "tired")
    assert (
        describe(bust)
        == "portrait of an old man in a blue coat, tired, in a cosy room, by day, storybook illustration"
    )
    nobody = Scene("cave", "dusk", "clear", "neon", "full")
    assert describe(nobody) == "an empty scene, in a cave, at dusk, neon style"


def test_story_words_have_no_visual_meaning():
    assert len(STORY_WORDS) > 800
    assert not {"red", "night", "left", "girl", "forest", "rain", "neon", "smiling"} & set(STORY_WORDS)


def test_a_fragment_mentions_one_or_two_things_in_the_scene():
    rng = random.Random(5)
    scene = Scene("forest", "night", "rain", "ink", "full", [Subject("fox", "orange", "left")])
    words_of = {
        "place": phrases.PLACE["forest"] + "|" + phrases.PLACE_NOUN["forest"],
        "time": phrases.TIME["night"] + "|" + phrases.TIME_WORD["night"],
        "weather": phrases.WEATHER["rain"] + "|" + phrases.WEATHER_WORD["rain"],
        "style": phrases.STYLE["ink"],
        "framing": phrases.FRAMING_WORD["full"],
        "position": phrases.POSITION["left"],
    }
    said = set()
    for _ in range(600):
        pieces = fragment(scene, rng).split(", ")
        assert 1 <= len(pieces) <= 2
        for piece in pieces:
            of = {key for key, bank in words_of.items() if piece in bank.split("|")}
            assert of or "fox" in piece, piece
            said |= of or {"subject"}
    assert said == {*words_of, "subject"}


def test_a_caption_without_positions_has_none():
    rng = random.Random(6)
    scene = Scene("forest", "night", "rain", "ink", "full", [Subject("fox", "orange", "left")])
    left = phrases.POSITION["left"].split("|")

    def placed(text: str) -> bool:
        return any(words in text for words in left)

    assert not any(placed(caption(scene, rng, placed=False)) for _ in range(300))
    assert any(placed(caption(scene, rng)) for _ in range(10))

"""Random scenes: which combinations are drawn, how often, and which are held out for evaluation."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace

from sketchbook import words
from sketchbook.scene import Scene, Subject


def _weights(table: str) -> dict[str, int]:
    """From "name weight, name weight"."""
    return {name: int(weight) for name, weight in (entry.split() for entry in table.split(", "))}


#: The weights of colours for each kind. Natural colours have higher weights, absent colours are never drawn.
_CLOTHES = _weights("red 4, blue 4, green 3, yellow 3, purple 3, orange 2, white 2, pink 2, black 1")
_PAINT = _weights("red 4, blue 3, white 3, green 2, yellow 3, orange 2, purple 1, pink 1, black 1")
COLOURS_OF = {
    "girl": _CLOTHES,
    "boy": _CLOTHES,
    "man": _weights("blue 5, brown 3, green 3, red 3, purple 2, black 1, orange 1, yellow 1, white 1"),
    "knight": _weights("blue 4, red 4, green 3, purple 3, yellow 2, white 2, black 2, orange 1"),
    "wizard": _weights("purple 5, blue 4, red 2, green 2, black 2, white 2, orange 1, yellow 1, pink 1"),
    "robot": _weights("blue 4, red 3, yellow 3, green 3, orange 2, white 3, purple 1, pink 1, black 1"),
    "fox": _weights("orange 10, red 4, white 4, black 2"),
    "cat": _weights("black 5, orange 5, white 4, brown 3"),
    "owl": _weights("brown 5, white 4, blue 2, purple 2, orange 1, black 1"),
    "dragon": _weights(
        "green 5, red 5, blue 3, purple 3, black 2, yellow 2, orange 2, white 2, pink 2, brown 1"
    ),
    "horse": _weights("brown 6, white 4, black 4, orange 1"),
    "tree": _weights("green 7, orange 3, pink 3, red 3, yellow 3, purple 1, white 1"),
    "boat": _PAINT,
    "spaceship": _PAINT,
    "moon": _weights("yellow 6, white 6, orange 2, red 2, blue 2, pink 1"),
    "lantern": _weights("yellow 5, red 4, green 2, blue 2, orange 2, purple 1, white 1"),
    "campfire": _weights("orange 8, red 2, blue 2, green 1, purple 1"),
    "tower": _weights("white 4, brown 3, black 2, red 2, blue 2, purple 2, yellow 1, pink 1"),
    "house": _weights("red 4, yellow 4, blue 3, white 4, green 2, pink 2, brown 2, orange 2, purple 1"),
    "lighthouse": _weights("red 6, white 3, blue 3, yellow 2, green 2, black 2, orange 1"),
    "door": _weights(
        "red 4, blue 4, green 3, yellow 3, brown 3, purple 2, white 2, orange 2, pink 1, black 1"
    ),
}
_HAIR_OF = _weights("black 3, brown 4, red 3, blond 4, white 1")

_FRAMINGS = {"full": 55, "wide": 17, "portrait": 28}
_COUNTS = {"full": (14, 60, 26), "wide": (35, 45, 20), "portrait": (0, 100, 0)}
_SIZES = {
    "portrait": {(256, 256): 60, (224, 288): 40},
    "full": {(256, 256): 62, (384, 224): 33, (224, 288): 5},
    "wide": {(256, 256): 62, (384, 224): 33, (224, 288): 5},
}
_STYLES = {style: 35 if style == "flat" else 13 for style in words.STYLES}
_WEATHERS = {weather: 48 if weather == "clear" else 13 for weather in words.WEATHERS}

_AFLOAT = ("shore", "spaceport")
_OUTDOORS_ONLY = ("house", "lighthouse", "tower", "tree", "spaceship", "moon")
_NO_FIRES = ("studio", "castle")
#: Drawn more often where they fit. Boats and moons fit few scenes and would otherwise be rare.
_AT_HOME = {
    "shore": {"boat": 9, "lighthouse": 3},
    "spaceport": {"boat": 7, "spaceship": 3, "robot": 2},
    "castle": {"knight": 3},
    "mountains": {"knight": 2, "horse": 2},
    "forest": {"fox": 2, "owl": 2, "tree": 2},
    "desert": {"campfire": 3},
    "cave": {"dragon": 2, "lantern": 2},
    "studio": {"girl": 2, "man": 2, "lantern": 2},
    "village": {"house": 3},
}
#: Weather that hides the moon.
_HIDES_MOON = ("rain", "storm")

#: Chosen so that the scenes of the example story are drawn.
_SALT = 35
_HELD_OUT_PERCENT = 8


def sample_scene(rng: random.Random, held_out: bool = False) -> Scene:
    """A random training scene, or a scene with a held-out combination."""
    while True:
        scene = _any_scene(rng)
        if is_held_out(scene) == held_out:
            return scene


def is_held_out(scene: Scene) -> bool:
    """Whether the scene has a held-out (place, kind, colour) or (style, place, time)."""
    triples = [(scene.place, s.kind, s.colour) for s in scene.subjects]
    return any(_kept_back(*names) for names in [*triples, (scene.style, scene.place, scene.time)])


def fits(kind: str, place: str) -> bool:
    """Whether a subject of this kind may stand in this place."""
    if kind == "boat":
        return place in _AFLOAT
    if kind == "campfire":
        return place not in _NO_FIRES
    return not (kind in _OUTDOORS_ONLY and place in words.INDOORS)


def stands_by_itself(scene: Scene) -> bool:
    """Whether a subject can be removed without changing the rest of the drawing. Weather and ragged watercolour edges
    depend on the number of shapes, and portraits have a different background."""
    return scene.framing != "portrait" and scene.weather == "clear" and scene.style != "watercolour"


def of_edits(rng: random.Random) -> Scene:
    """A scene as after an edit: its only subject can be removed without any other change and has any colour, also one
    that other training scenes do not have. One in ten has no subject. No combination is held out."""
    while True:
        scene = sample_scene(rng)
        if len(scene.subjects) == 1 and stands_by_itself(scene):
            edited = _edited(scene, rng)
            if not is_held_out(edited):
                return edited


def _edited(scene: Scene, rng: random.Random) -> Scene:
    [subject] = scene.subjects
    chance = rng.random()
    if chance < 0.1:
        return replace(scene, subjects=[])
    if chance < 0.5:
        subject = replace(subject, kind=rng.choice(words.PEOPLE + words.ANIMALS), hair=None)
    if chance < 0.8:
        subject = replace(subject, colour=rng.choice(list(words.COLOURS)))
    return replace(scene, subjects=[subject])


def _kept_back(*names: str) -> bool:
    return zlib.crc32("/".join((str(_SALT), *names)).encode()) % 100 < _HELD_OUT_PERCENT


def _any_scene(rng: random.Random) -> Scene:
    place, time, framing = rng.choice(words.PLACES), rng.choice(words.TIMES), _pick(rng, _FRAMINGS)
    weather = "clear" if place in words.INDOORS else _pick(rng, _WEATHERS)
    count = rng.choices((0, 1, 2), _COUNTS[framing])[0]
    moonlit = time != "day" and weather not in _HIDES_MOON
    kinds = words.PEOPLE + words.ANIMALS if framing == "portrait" else words.SUBJECTS
    kinds = [k for k in kinds if fits(k, place) and (k != "moon" or moonlit)]
    positions = ["centre"] if framing == "portrait" else rng.sample(words.POSITIONS, count)
    width, height = _pick(rng, _SIZES[framing])
    return Scene(
        place=place,
        time=time,
        weather=weather,
        style=_pick(rng, _STYLES),
        framing=framing,
        subjects=[_subject(rng, kind, at) for kind, at in zip(_several(rng, kinds, place, count), positions)],
        expression=rng.choice(words.EXPRESSIONS) if framing == "portrait" else None,
        width=width,
        height=height,
        seed=rng.getrandbits(31),
    )


def _several(rng: random.Random, kinds: list[str], place: str, count: int) -> list[str]:
    """Different kinds."""
    often = {"moon": 3, **_AT_HOME.get(place, {})}
    weights = {kind: often.get(kind, 1) for kind in kinds}
    chosen = []
    for _ in range(count):
        chosen.append(_pick(rng, weights))
        del weights[chosen[-1]]
    return chosen


def _subject(rng: random.Random, kind: str, position: str) -> Subject:
    hair = _pick(rng, _HAIR_OF) if kind in ("girl", "boy") else None
    return Subject(kind, _pick(rng, COLOURS_OF[kind]), position, hair)


def _pick(rng: random.Random, weights: dict):
    return rng.choices(list(weights), list(weights.values()))[0]


assert set(COLOURS_OF) == set(words.SUBJECTS) and set(_HAIR_OF) == set(words.HAIR)

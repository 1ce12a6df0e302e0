"""Pictures to draw without and with a loss on texts: scenes in which one attribute should change. The judge
measures the result."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from loss_cases import Case, answers
from sketchbook import phrases, words
from sketchbook.caption import describe, name
from sketchbook.draw import draw
from sketchbook.sampling import COLOURS_OF, fits
from sketchbook.scene import Scene


@dataclass
class Attribute:
    """An attribute of a scene that a text asks for."""

    values: Callable[[Scene], list[str]]  # all that fit the scene
    change: Callable[[Scene, str], Scene]
    text: Callable[[Scene], str]  # what the scene has
    suits: Callable[[Scene], bool] = lambda _: True
    #: The value of most pictures whose prompt does not mention it. No text asks for it.
    usual: str | None = None
    #: Whether a caption may leave it out.
    optional: bool = True
    seen: Callable[[Scene, str], Callable] | None = None


def phrase(bank: dict[str, str], attribute: str) -> Callable[[Scene], str]:
    return lambda scene: phrases.options(bank[getattr(scene, attribute)])[0]


def with_subject(scene: Scene, **changes) -> Scene:
    return replace(scene, subjects=[replace(scene.subjects[0], **changes)])


def of_scene(attribute: str, values: tuple[str, ...], bank: dict[str, str], **more) -> Attribute:
    return Attribute(
        values=more.pop("fitting", lambda _: list(values)),
        change=lambda scene, value: replace(scene, **{attribute: value}),
        text=phrase(bank, attribute),
        seen=lambda _, value: answers(attribute, value),
        **more,
    )


def colour_seen(scene: Scene, colour: str):
    kind = scene.subjects[0].kind
    return lambda _, reading: 100.0 * (reading.answer(f"{reading.likeliest(kind)} colour") == colour)


def is_outdoors(scene: Scene) -> bool:
    return scene.place not in words.INDOORS


def places_of(scene: Scene) -> list[str]:
    """The places of the same weather that fit all subjects."""
    places = [p for p in words.PLACES if (p not in words.INDOORS) == is_outdoors(scene)]
    return [place for place in places if all(fits(s.kind, place) for s in scene.subjects)]


def kinds_of(scene: Scene) -> list[str]:
    """The people and animals without hair, which fit all places and need no more words."""
    return [
        kind
        for kind in words.PEOPLE + words.ANIMALS
        if kind not in words.HAIR and kind not in ("girl", "boy")
    ]


def one_creature(scene: Scene) -> bool:
    return len(scene.subjects) == 1 and scene.subjects[0].kind in kinds_of(scene)


ATTRIBUTES = {
    "time": of_scene("time", words.TIMES, phrases.TIME),
    "weather": of_scene("weather", words.WEATHERS, phrases.WEATHER, suits=is_outdoors, usual="clear"),
    "place": of_scene("place", words.PLACES, phrases.PLACE, fitting=places_of),
    "style": of_scene("style", words.STYLES, phrases.STYLE, usual="flat"),
    "colour": Attribute(
        values=lambda scene: list(COLOURS_OF[scene.subjects[0].kind]),
        change=lambda scene, colour: with_subject(scene, colour=colour),
        text=lambda scene: name(scene.subjects[0]),
        suits=lambda scene: len(scene.subjects) == 1 and len(COLOURS_OF[scene.subjects[0].kind]) > 2,
        seen=colour_seen,
    ),
    "kind": Attribute(
        values=kinds_of,
        change=lambda scene, kind: with_subject(scene, kind=kind),
        text=lambda scene: name(scene.subjects[0]),
        suits=one_creature,
        optional=False,
        seen=lambda _, kind: lambda picture, reading: 100.0 * reading.sees(kind),
    ),
}  # fmt: skip


def changes(attribute: str, asked: list[Scene], seed: int) -> list[tuple[Scene, Scene, str]]:
    """For each scene: the scene, the scene with another value of the attribute, and that value."""
    rng, kind = random.Random(f"{seed} {attribute}"), ATTRIBUTES[attribute]
    found = []
    for scene in asked:
        own = getattr(scene.subjects[0] if attribute in ("colour", "kind") else scene, attribute)
        value = rng.choice([value for value in kind.values(scene) if value not in (own, kind.usual)])
        found.append((scene, kind.change(scene, value), value))
    return found


def without(scene: Scene, attribute: str) -> str:
    """The plain caption of a scene without an attribute, if a caption may leave it out."""
    kind, text = ATTRIBUTES[attribute], describe(scene)
    if attribute == "colour":
        marked = name(replace(scene.subjects[0], colour="@"))
        plain = re.sub("a @ (?=[aeiou])", "an ", marked).replace(" in @", "").replace("@ ", "")
        return text.replace(name(scene.subjects[0]), plain)
    if not kind.optional:
        return text
    gone = kind.text(scene)
    return ", ".join(part for part in text.split(", ") if part != gone)


def texts(attribute: str) -> Callable[[list[Scene], int], list[Case]]:
    """The prompt leaves the attribute out, or has another value of it, and the text names the wanted value."""

    def cases(asked: list[Scene], seed: int) -> list[Case]:
        kind, found = ATTRIBUTES[attribute], []
        for i, (scene, wanted, value) in enumerate(changes(attribute, asked, seed)):
            loss = f"text:{kind.text(wanted)}"
            seen = kind.seen(wanted, value)
            found.append(Case(without(scene, attribute), loss, seed + i, seen, ideal=draw(wanted)))
        return found

    return cases


def directions(attribute: str) -> Callable[[list[Scene], int], list[Case]]:
    """From the value in the prompt to another one."""

    def cases(asked: list[Scene], seed: int) -> list[Case]:
        kind, found = ATTRIBUTES[attribute], []
        for i, (scene, wanted, value) in enumerate(changes(attribute, asked, seed)):
            loss = f"direction:{kind.text(scene)}=>{kind.text(wanted)}"
            seen = kind.seen(wanted, value)
            found.append(Case(describe(scene), loss, seed + i, seen, ideal=draw(wanted)))
        return found

    return cases

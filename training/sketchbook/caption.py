"""Captions of scenes: prompt lists, phrases and sentences, and the plain caption."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sketchbook import phrases
from sketchbook.phrases import options
from sketchbook.scene import Scene, Subject
from sketchbook.words import INDOORS
from sketchbook.writer import Writer, with_article


@dataclass
class Caption:
    """A text and the attributes that it mentions.

    `said` maps place, time, weather, style, framing and expression to their names in `words.py`. Keys
of subjects are `left.kind`, `left.colour`, `left.hair` and so on. The first subject without a mentioned
position is `somewhere`, the second `elsewhere`. Attributes that are not in `said` are not in the text.
    """

    text: str
    said: dict[str, str] = field(default_factory=dict)


def caption(scene: Scene, rng: random.Random, placed: bool = True) -> str:
    """A random caption, which may be incomplete. Without `placed` it mentions no positions."""
    return Writer(scene, rng, placed).text()


def fragment(scene: Scene, rng: random.Random) -> str:
    """One or two things in the scene, as in negative prompts: "rain", "a red fox, by day"."""
    return Writer(scene, rng).fragment()


def compose(scene: Scene, rng: random.Random) -> Caption:
    """A random caption with the attributes that it mentions."""
    writer = Writer(scene, rng)
    return Caption(writer.text(), writer.said)


def describe(scene: Scene) -> str:
    """The plain caption that names everything except the full framing, which is the default."""
    framing = {"wide": "wide shot of ", "full": "", "portrait": "portrait of "}[scene.framing]
    named = []
    for subject in scene.subjects:
        where = "" if scene.framing == "portrait" else " " + options(phrases.POSITION[subject.position])[0]
        named.append(name(subject) + where)
    parts = [framing + (" and ".join(named) or "an empty scene"), scene.expression or ""]
    parts += [options(phrases.PLACE[scene.place])[0], options(phrases.TIME[scene.time])[0]]
    if scene.place not in INDOORS:
        parts.append(options(phrases.WEATHER[scene.weather])[0])
    parts.append(options(phrases.STYLE[scene.style])[0])
    return ", ".join(part for part in parts if part)


def name(subject: Subject) -> str:
    """A subject in plain words: "a girl with red hair in an orange coat"."""
    (noun, *_), (pattern, *_) = map(options, phrases.SUBJECT[subject.kind])
    hair = f" with {subject.hair} hair" if subject.hair else ""
    if subject.colour[0] in "aeiou":
        pattern = pattern.replace("a {c}", "an {c}")
    return with_article(pattern.format(n=noun + hair, c=subject.colour))

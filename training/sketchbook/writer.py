"""Writes captions: chooses the mentioned attributes and their phrases."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sketchbook import phrases
from sketchbook.distractions import NAMES, distraction
from sketchbook.phrases import options
from sketchbook.scene import Scene, Subject
from sketchbook.words import ANIMALS, INDOORS, PEOPLE

_ALIVE = PEOPLE + ANIMALS

#: How often a caption mentions an attribute, by attribute and by whether its value is the usual one. Guidance draws
#: the usual value of an unmentioned attribute. For negative prompts to work, captions must sometimes omit
#: unusual values.
_SAYS_COLOUR, _SAYS_HAIR = 0.95, 0.6
#: Positions are omitted only where they are implied: in the centre, and for two subjects from left to right. A subject
#: that could be in several places would be drawn in several.
_SAYS_MIDDLE, _SAYS_SIDES = 0.6, 0.35
_ALSO_STORYBOOK = 0.12
_DISTRACTED = 0.12
#: Adjectives that precede a colour: "a big yellow moon".
_BEFORE_COLOURS = ("big", "great", "little", "old", "tall", "wise")


@dataclass
class _Named:
    """A subject in words, and its position if the caption mentions it."""

    text: str
    kind: str
    position: str | None


class Writer:
    """Writes one caption of a scene. `said` holds the mentioned attributes, see `Caption`.

    Without `placed` it mentions no positions.
    """

    def __init__(self, scene: Scene, rng: random.Random, placed: bool = True):
        self.scene, self.rng, self._placed = scene, rng, placed
        self.said = self._choose()
        self.distraction = distraction(rng) if rng.random() < _DISTRACTED else None
        self.expression = None  # its words that are not used yet
        self.adjective = None
        if "expression" in self.said:
            adjectives, others = map(options, phrases.EXPRESSION[scene.expression])
            self.adjective = rng.choice(adjectives + others)
            # Words such as "smiling" can't follow "looks".
            self.looks = self.adjective in adjectives
            if rng.random() < 0.55:
                self.expression, self.adjective = self.adjective, None
        self.named = self._name_subjects()

    def text(self) -> str:
        """The caption in a random form. Call this once."""
        form = self.rng.choices((self._list, self._phrase, self._sentence), (42, 36, 22))[0]
        return self._tidied(form())

    def fragment(self) -> str:
        """One or two things in the scene, phrased as in a negative prompt."""
        rng, scene = self.rng, self.scene
        banks = [
            rng.choice((phrases.PLACE, phrases.PLACE_NOUN))[scene.place],
            rng.choice((phrases.TIME, phrases.TIME_WORD))[scene.time],
            phrases.STYLE[scene.style],
        ]
        if scene.framing:
            banks.append(phrases.FRAMING_WORD[scene.framing])
        if scene.place not in INDOORS:
            banks.append(rng.choice((phrases.WEATHER, phrases.WEATHER_WORD))[scene.weather])
        pieces = [self._pick(bank) for bank in banks] + [self.adjective or self.expression or ""]
        for named in self.named:
            text, at = named.text, "".join(self._at(named))
            if rng.random() < 0.5:
                text = text.split(" ", 1)[1]
            pieces += rng.sample((text, at, f"{text} {at}"), 2)
        pieces = [piece.strip() for piece in pieces if piece]
        return ", ".join(rng.sample(pieces, rng.choice((1, 1, 2))))

    # ---- mentioned attributes

    def _choose(self) -> dict[str, str]:
        scene, says = self.scene, lambda p: self.rng.random() < p
        said = {}
        if says(0.95):
            said["place"] = scene.place
        if says(0.92):
            said["time"] = scene.time
        if scene.place not in INDOORS and says(0.25 if scene.weather == "clear" else 0.5):
            said["weather"] = scene.weather
        if says(0.35 if scene.style == "flat" else 0.8):
            said["style"] = scene.style
        if scene.framing and says({"wide": 0.9, "full": 0.2, "portrait": 0.95}[scene.framing]):
            said["framing"] = scene.framing
        if scene.expression and says(0.95):
            said["expression"] = scene.expression
        return said

    def _name_subjects(self) -> list[_Named]:
        subjects = self.rng.sample(self.scene.subjects, len(self.scene.subjects))
        silent = self.scene.framing == "portrait" or not self._placed
        if {subject.position for subject in subjects} == {"left", "right"} and self.rng.random() > _SAYS_SIDES:
            silent = True
            subjects.sort(key=lambda subject: subject.position)
        says = [
            not silent and (subject.position != "centre" or self.rng.random() < _SAYS_MIDDLE)
            for subject in subjects
        ]
        # "A knight and a fox on the right" could put both on the right, so subjects with a position come first.
        ordered = sorted(zip(subjects, says), key=lambda pair: not pair[1])
        slots = iter(("somewhere", "elsewhere"))
        return [self._name(s, s.position if said else None, slots) for s, said in ordered]

    def _name(self, subject: Subject, position: str | None, nowhere: Iterator[str]) -> _Named:
        rng, slot = self.rng, position or next(nowhere)
        nouns, patterns = map(options, phrases.SUBJECT[subject.kind])
        noun, before = rng.choice(nouns), [self.adjective] if self.adjective else []
        self.said[f"{slot}.kind"] = subject.kind
        if subject.hair and rng.random() < _SAYS_HAIR:
            self.said[f"{slot}.hair"] = subject.hair
            hair = self._pick(phrases.HAIR[subject.hair])
            if hair.startswith("with"):
                noun = f"{noun} {hair}"
            else:
                before.append(hair)
        pattern = "{n}"
        if rng.random() < _SAYS_COLOUR:
            self.said[f"{slot}.colour"] = subject.colour
            pattern = rng.choice(patterns)
        colour = subject.colour if rng.random() < 0.93 else self._pick(phrases.COLOUR[subject.colour])
        pattern = pattern.replace("a {c}", "an {c}") if colour[0] in "aeiou" else pattern
        if " with " in noun:
            pattern = pattern.replace("} with ", "} and ")
        if pattern.startswith("{c}") and noun.split()[0] in _BEFORE_COLOURS:
            adjective, noun = noun.split(" ", 1)
            before.append(adjective)
        text = " ".join([*before, pattern.format(n=noun, c=colour)])
        text = f"the {text}" if rng.random() < 0.08 else with_article(text)
        return _Named(text, subject.kind, position)

    # ---- pieces

    def _pick(self, bank: str) -> str:
        return self.rng.choice(options(bank))

    def _when(self) -> list[str]:
        """Time and weather for a sentence."""
        rng, scene, said = self.rng, self.scene, self.said
        if "time" in said and "weather" in said and rng.random() < 0.22:
            if (scene.time, scene.weather) == ("day", "clear") and rng.random() < 0.5:
                return [rng.choice(phrases.SUNNY)]
            adjective = self._pick(phrases.WEATHER_ADJECTIVE[scene.weather])
            return [f"on {with_article(adjective + ' ' + self._pick(phrases.TIME_NOUN[scene.time]))}"]
        when = [self._time()] if "time" in said else []
        return when + ([self._pick(phrases.WEATHER[scene.weather])] if "weather" in said else [])

    def _where_in_words(self) -> list[str]:
        """Place, time and weather for a list: "forest", "rainy night"."""
        rng, scene = self.rng, self.scene
        place = [self._pick(phrases.PLACE_NOUN[scene.place])] if "place" in self.said else []
        if place and rng.random() < 0.75:
            place = [place[0].split(" ", 1)[1]]
        if rng.random() < 0.3:
            return place + [re.sub("^on an? ", "", when) for when in self._when()]
        banks = (("time", phrases.TIME_WORD, scene.time), ("weather", phrases.WEATHER_WORD, scene.weather))
        return place + [self._pick(bank[value]) for key, bank, value in banks if key in self.said]

    def _time(self) -> str:
        scene, rng = self.scene, self.rng
        if scene.time == "night" and scene.place not in INDOORS and rng.random() < 0.2:
            if any(subject.kind == "moon" for subject in scene.subjects):
                return rng.choice(phrases.MOONLIT)
            if scene.weather == "clear":
                return rng.choice(phrases.STARRY)
        return self._pick(phrases.TIME[scene.time])

    def _place(self) -> list[str]:
        return [self._pick(phrases.PLACE[self.scene.place])] if "place" in self.said else []

    def _where(self) -> list[str]:
        """Place, time and weather for a sentence."""
        scene, place = self.scene, self._place()
        weathered = scene.weather != "clear" and {"place", "weather"} <= self.said.keys()
        if weathered and self.rng.random() < 0.15:
            adjective = self._pick(phrases.WEATHER_ADJECTIVE[scene.weather])
            # "In a forest" becomes "in a foggy forest". Not all places have an article.
            foggy, changed = re.subn(r"\b(a|the) ", rf"\1 {adjective} ", place[0], count=1)
            if changed:
                return [foggy] + ([self._time()] if "time" in self.said else [])
        return place + self._when()

    def _style(self) -> list[str]:
        if "style" not in self.said:
            return []
        style = [self._pick(phrases.STYLE[self.scene.style])]
        # Stories end all prompts with their style's words, and the words of a place override them.
        if self.scene.style != "flat" and self.rng.random() < _ALSO_STORYBOOK:
            style.append(self._pick(phrases.STORYBOOK))
        return style

    def _framing(self) -> list[str]:
        return [self._pick(phrases.FRAMING_WORD[self.scene.framing])] if "framing" in self.said else []

    def _expression(self) -> list[str]:
        if not self.expression:
            return []
        ways = [self.expression, self.expression, f"with {with_article(self.expression)} face"]
        if self.looks:
            ways += [f"looking {self.expression}", f"feeling {self.expression}"]
        return [self.rng.choice(ways)]

    def _at(self, named: _Named) -> list[str]:
        return [self._pick(phrases.POSITION[named.position])] if named.position else []

    def _subjects(self) -> str:
        """All subjects, with mentioned positions, or words for an empty scene."""
        placed = [" ".join([named.text, *self._at(named)]) for named in self.named]
        joints = (" and ", " and ", " with ", ", ") if all(n.position for n in self.named) else (" and ",)
        joint = self.rng.choice(joints)
        return joint.join(placed) or self.rng.choice(phrases.EMPTY)

    # ---- forms

    def _list(self) -> str:
        """A comma-separated list, as in prompts."""
        rng, scene = self.rng, self.scene
        if len(self.named) == 1 and self.named[0].position and rng.random() < 0.3:
            main = [self.named[0].text, self._pick(phrases.SIDE_WORD[self.named[0].position])]
        elif self.named or rng.random() < 0.5:
            main = [self._subjects()]
        else:
            main = [rng.choice(phrases.EMPTY_WORD)]
        if rng.random() < 0.15:
            main[0] = main[0].removeprefix("a ").removeprefix("an ")
        where = self._where() if rng.random() < 0.5 else self._where_in_words()
        framing = self._framing()
        if framing and self.named and rng.random() < 0.6:
            main[0], framing = f"{self._pick(phrases.FRAMING_OF[scene.framing])} of {main[0]}", []
        others = [*self._expression(), *where, *framing]
        if rng.random() < 0.5:
            rng.shuffle(others)
        pieces = main + others
        if rng.random() < 0.2:
            # Keep the subject's pieces together.
            at = rng.randint(0, len(others))
            pieces = others[:at] + main + others[at:]
        distraction = [self.distraction.rstrip(".")] if self.distraction else []
        for piece in [*self._style(), *distraction]:
            end = len(pieces)
            pieces.insert(rng.choice((0, end, end, rng.randint(0, end))), piece)
        return ", ".join(pieces)

    def _phrase(self) -> str:
        """A noun phrase with the style before or after it."""
        rng = self.rng
        head, style, framing = self._subjects(), self._style(), self._framing()
        if framing and rng.random() < 0.8:
            head, framing = f"{self._pick(phrases.FRAMING_OF[self.scene.framing])} of {head}", []
        elif style and rng.random() < 0.35:
            head, style = f"{style[0]} of {head}", style[1:]
        elif rng.random() < 0.06:
            head = f"{rng.choice(phrases.PICTURE)} of {head}"
        where = self._where()
        if rng.random() < 0.35:
            rng.shuffle(where)
        expression = self._expression()
        if expression and rng.random() < 0.6:
            head, expression = f"{head}, {expression[0]}", []
            where = [", " + where[0], *where[1:]] if where else []
        body = head + "".join(w if w[0] == "," else rng.choice((" ", " ", ", ")) + w for w in where)
        return self._surround(body, [*expression, *framing, *style], ", ")

    def _sentence(self) -> str:
        """A sentence, as in a story."""
        rng = self.rng
        where = self._where()
        if rng.random() < 0.3:
            rng.shuffle(where)
        if not self.named:
            body = self._nobody(where)
        elif self.expression:
            verb = "looks" if self.looks else "is"
            body = " ".join([f"{self.named[0].text} {verb} {self.expression}", *where])
        elif len(self.named) == 1:
            body = self._one(self.named[0], where)
        else:
            body = self._two(where)
        body = body[0].upper() + body[1:] + "."
        return self._surround(body, [*self._framing(), *self._style()], " ")

    def _surround(self, body: str, pieces: list[str], joint: str) -> str:
        """Adds pieces and distractions before or after the body."""
        rng = self.rng
        before, behind = [], []
        for piece in pieces:
            (before if rng.random() < 0.35 else behind).append(piece)
        if self.distraction:
            (before if rng.random() < 0.5 else behind).append(self.distraction)
        if joint == " " and rng.random() < 0.5:
            before, behind = ([p.rstrip(".") + "." for p in side] for side in (before, behind))
            return " ".join([*before, body, *behind])
        before = [piece.rstrip(".") for piece in before]
        return ", ".join([*before, body.rstrip(".") if behind else body, *behind])

    def _nobody(self, where: list[str]) -> str:
        return " ".join([self.rng.choice(phrases.NOBODY), *where])

    def _one(self, named: _Named, where: list[str]) -> str:
        rng, verb, when = self.rng, self._verb(named), self._when()
        at = self._at(named)
        ways = [
            lambda: [named.text, verb, *at, *where],
            lambda: [f"{where[0]},", named.text, verb, *at, *where[1:]],
            lambda: ["there is", named.text, *at, *where],
        ]
        if at and "place" in self.said:
            place = self._pick(phrases.PLACE_NOUN[self.scene.place])
            side = f"{self._pick(phrases.SIDE_OF[named.position])} of {place}"
            ways += [lambda: [named.text, verb, side, *when], lambda: [side, verb, named.text, *when]]
        elif not where:
            ways.pop(1)
        return " ".join(rng.choice(ways)())

    def _two(self, where: list[str]) -> str:
        first, second = self.named
        at = [" ".join(self._at(named)) for named in self.named]
        verbs = [self._verb(n) for n in self.named]
        both = f"{first.text} {verbs[0]} {at[0]} and {second.text} {verbs[1]} {at[1]}"
        ways = [
            [both, *where],
            [*where[:1], both, *where[1:]],
            [f"there is {first.text} {at[0]} and {second.text} {at[1]}", *where],
        ]
        if all(at):
            ways.append([f"{at[0]} {verbs[0]} {first.text}, {at[1]} {verbs[1]} {second.text}", *where])
        return " ".join(self.rng.choice(ways))

    def _verb(self, named: _Named) -> str:
        usual = phrases.STANDS["alive" if named.kind in _ALIVE else "thing"]
        return self._pick(phrases.VERB.get(named.kind, usual))

    def _tidied(self, text: str) -> str:
        """Inserts names now and then and removes double spaces."""
        text = " ".join(text.split()).replace(" ,", ",")
        person = next((n for n in self.named if n.kind in _ALIVE), None)
        if person and self.rng.random() < 0.03:
            name = self.rng.choice(NAMES)
            named = self.rng.choice((f"{name}, {person.text}", f"{person.text} called {name}"))
            text = text.replace(person.text, named)
        return text


def with_article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun

"""Measures sampling settings: negative prompts, guidance and number of steps.

All pictures of a comparison start from the same noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from judge import Reading
from metrics import rate
from tables import table

if TYPE_CHECKING:
    from evaluate import Exam

#: Guidance scales with their rescale values.
GUIDANCES = ((1.0, 0.0), (2.0, 0.0), (3.5, 0.0), (5.0, 0.0), (3.5, 0.7), (5.0, 0.5), (5.0, 0.7), (7.5, 0.5))
STEPS = (4, 6, 8, 12, 20)


@dataclass
class Open:
    """A prompt without time, weather, style, colour or position, and the attributes that must stay."""

    prompt: str
    place: str
    kind: str
    colour: str  # attributes of most drawings of this kind


OPEN = (
    Open("a fox in a forest", "forest", "fox", "orange"),
    Open("a campfire in the desert", "desert", "campfire", "orange"),
    Open("a tree in a meadow", "meadow", "tree", "green"),
    Open("a lighthouse by the sea", "shore", "lighthouse", "red"),
    Open("a horse in the mountains", "mountains", "horse", "brown"),
    Open("a wizard in the jungle", "jungle", "wizard", "purple"),
    Open("an owl in a village", "village", "owl", "brown"),
    Open("a lantern in a city street", "city", "lantern", "yellow"),
)


@dataclass
class Unwanted:
    """An attribute that the model adds to an open prompt, and a negative prompt against it."""

    title: str
    negative: Callable[[Open], str]
    seen: Callable[[Reading, Open], bool]


UNWANTED = (
    Unwanted("`by day`", lambda _: "by day", lambda r, _: r.answer("time") == "day"),
    Unwanted("`clear sky`", lambda _: "clear sky", lambda r, _: r.answer("weather") == "clear"),
    Unwanted("`flat colours`", lambda _: "flat colours", lambda r, _: r.answer("style") == "flat"),
    Unwanted("`in the middle`", lambda _: "in the middle", lambda r, _: r.occupied() == "centre"),
    Unwanted(
        "its usual colour, as `orange fox`",
        lambda asked: f"{asked.colour} {asked.kind}",
        lambda r, asked: r.answer(f"{r.likeliest(asked.kind)} colour") == asked.colour,
    ),
)


def negatives(exam: Exam) -> str:
    """How often the model adds an unmentioned attribute, with and without a negative prompt against it."""
    seeds = max(exam.count // 125, 1)  # for each prompt
    asked = [each for each in OPEN for _ in range(seeds)]

    def read(negatives: list[str]) -> list[Reading]:
        noises = [exam.seed + i for i in range(len(asked))]
        prompts = [each.prompt for each in asked]
        return exam.judge.read(exam.painter.paint(prompts, noises, negative=negatives))

    def kept(readings: list[Reading]) -> float:
        return rate([r.answer("place") == a.place and r.sees(a.kind) for r, a in zip(readings, asked)])

    plain, rows = read([""] * len(asked)), []
    for unwanted in UNWANTED:
        against = read([unwanted.negative(each) for each in asked])
        # Count only pictures that have the attribute without the negative prompt.
        there = [unwanted.seen(reading, each) for reading, each in zip(plain, asked)]
        gone = [not unwanted.seen(r, a) for r, a, was in zip(against, asked, there) if was]
        rows.append([unwanted.title, rate(there), rate(gone), kept(plain), kept(against)])
    columns = ("recognised without", "of these removed with", "place and subject right without", "with")
    lines = [
        "## Negative prompts\n",
        (
            f"{len(asked)} pictures of prompts that do not mention the attribute in the negative prompt. In percent: how "
            "often the judge recognises the attribute, how often the negative prompt removes it, and how often place "
            "and subject are right. (A negative prompt against an attribute in the prompt has no effect: both cancel "
            "out.)\n"
        ),
        table(["negative prompt", *columns], rows, digits=[0] + [1] * 4),
    ]
    return "\n".join(lines)


def guidance(exam: Exam) -> str:
    """Recognition rates for several guidance scales."""
    settings = [
        (f"{scale:g} rescaled by {rescale:g}" if rescale else f"{scale:g}", {"guidance": scale, "rescale": rescale})
        for scale, rescale in GUIDANCES
    ]
    return _compared(exam, "Guidance", settings)


def steps(exam: Exam) -> str:
    """Recognition rates for several numbers of steps."""
    return _compared(exam, "Steps (DPM++ 2M)", [(str(n), {"steps": n}) for n in STEPS])


def _compared(exam: Exam, title: str, settings: list[tuple[str, dict]]) -> str:
    attributes = ("place", "time", "weather", "style", "kind", "colour", "position", "everything")
    scenes = exam.scenes(max(exam.count // 4, 4), "asked", held_out=True)
    texts, rows = exam.prompts(scenes), []
    for name, changes in settings:
        pictures = exam.paint(scenes, **changes)
        hits = exam.counted(scenes, pictures)
        rows.append([name, *(rate(hits[a]) for a in attributes), exam.clip.score(pictures, texts)])
    lines = [
        f"## {title}\n",
        f"The percentage of correct attributes in {len(scenes)} held-out scenes, and the CLIP score.\n",
        table(["", *attributes, "CLIP"], rows, digits=[0] + [1] * (len(attributes) + 1)),
    ]
    return "\n".join(lines)

"""What the settings of sampling do: negative prompts, guidance, number of steps.

All pictures of a comparison start from the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from judge import Reading
from metrics import rate
from tables import table

if TYPE_CHECKING:
    from evaluate import Exam

GUIDANCES = (1.0, 2.0, 2.5, 3.5, 5.0)
STEPS = (4, 6, 8, 12, 20)


@dataclass
class Unwanted:
    """Something that a negative prompt is to keep out."""

    word: str  # the negative prompt
    said: str  # words that ask for it, after a prompt
    question: str  # of the judge; "subject" where it may stand anywhere
    answer: str

    def seen(self, reading: Reading) -> bool:
        if self.question == "subject":
            return reading.sees(self.answer)
        return reading.answer(self.question) == self.answer


UNWANTED = (
    Unwanted("rain", ", in the rain", "weather", "rain"),
    Unwanted("snow", ", in the snow", "weather", "snow"),
    Unwanted("night", " at night", "time", "night"),
    Unwanted("neon style", ", neon style", "style", "neon"),
    Unwanted("ink drawing", ", ink drawing", "style", "ink"),
    Unwanted("a lantern", " and a lantern", "subject", "lantern"),
)
#: Prompts that leave weather, time and style open, with the place and the kind that must stay.
OPEN = (
    ("a red house in a meadow", "meadow", "house"),
    ("an orange fox in a forest", "forest", "fox"),
    ("a girl in a blue coat in a village", "village", "girl"),
    ("a white boat by the sea", "shore", "boat"),
    ("a green dragon in the mountains", "mountains", "dragon"),
    ("a black cat in a city street", "city", "cat"),
    ("a brown horse in the desert", "desert", "horse"),
    ("a wizard in a purple robe in the jungle", "jungle", "wizard"),
)


def negatives(exam: Exam) -> str:
    """How often something is seen with and without a word for it as the negative prompt: where the prompt
    leaves it open, and, since that may be rare, where the prompt asks for it."""
    seeds = max(exam.count // 125, 1)  # for each prompt
    noises = [exam.seed + i for i in range(seeds * len(OPEN))]

    def read(said: str, negative: str) -> list[Reading]:
        prompts = [prompt + said for prompt, _, _ in OPEN for _ in range(seeds)]
        return exam.judge.read(exam.painter.paint(prompts, noises, negative=negative))

    def kept(readings: list[Reading]) -> list[bool]:
        expected = [(place, kind) for _, place, kind in OPEN for _ in range(seeds)]
        return [r.answer("place") == place and r.sees(kind) for r, (place, kind) in zip(readings, expected)]

    def percent(hits) -> float:
        return rate(list(hits))

    plain, rows = read("", ""), []
    for unwanted in UNWANTED:
        without = read("", unwanted.word)
        asked, against = read(unwanted.said, ""), read(unwanted.said, unwanted.word)
        seen = [percent(map(unwanted.seen, readings)) for readings in (plain, without, asked, against)]
        rows.append([unwanted.word, *seen, rate(kept(asked)), rate(kept(against))])
    columns = [f"{what}, {how}" for what in ("open", "asked", "rest") for how in ("without", "with")]
    lines = [
        "## Negative prompts\n",
        (
            f"Percent of {len(noises)} pictures in which the judge sees what the negative prompt names, without "
            "and with it: under prompts that leave it open, and under prompts that ask for it. The rest: how "
            "often place and subject of the prompts that ask for it are right.\n"
        ),
        table(["negative prompt", *columns], rows, digits=[0] + [1] * 6),
    ]
    return "\n".join(lines)


def guidance(exam: Exam) -> str:
    """Rates of right attributes under several guidances."""
    return _compared(exam, "Guidance", [(f"{g:g}", {"guidance": g}) for g in GUIDANCES])


def steps(exam: Exam) -> str:
    """Rates of right attributes after several numbers of steps."""
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
        f"Percent of right attributes of {len(scenes)} held-out scenes, and the CLIP score.\n",
        table(["", *attributes, "CLIP"], rows, digits=[0] + [1] * (len(attributes) + 1)),
    ]
    return "\n".join(lines)

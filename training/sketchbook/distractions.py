"""Caption words without information about the picture, as in real prompts and stories."""

from __future__ import annotations

import random
import re
from pathlib import Path

from sketchbook import phrases
from sketchbook.phrases import options

QUALITY = options(
    "beautiful|detailed|beautiful, detailed|highly detailed|masterpiece|high quality|best quality|charming"
    "|lovely|cute|magical|whimsical|soft colours|cinematic|sharp|award winning|fairy tale|fantasy|elegant"
    "|simple|atmospheric|a lovely picture|from a story for children"
)
NAMES = options(
    "Ines|Tobias|Umber|Odo|Mira|Anna|Tom|Clara|Ansel|Vell|Sam|Lena|Oskar|Ruby|Finn|Ada|Hugo|Nora|Sir Odo"
    "|Master Vell|Maria|Peter|Alice|Max|Emma"
)
ASIDES = options(
    "Nobody answers.|It was a long way to go.|You talk too much.|She holds up the brush.|He shakes his head."
    "|They climb together.|Nobody says never.|There was nothing left to say.|This is how it begins."
    "|She puts it in her pocket.|He was always late.|That is his handwriting.|What shall we do next?"
    "|Something has changed.|We should go home.|I have never been here before.|Come on.|Look at this."
    "|He tells a long story.|The kettle is warm.|Two cups stand on the table.|They sit and say nothing."
    "|Once upon a time|Nothing moves.|It is very quiet.|Somebody is coming.|We have to hurry."
    "|She has been waiting for years.|Who are you?|Carry me a little.|He has gone in.|It is the last one."
)


def distraction(rng: random.Random) -> str:
    """Praise, a sentence or some story words."""
    some = " ".join(rng.sample(STORY_WORDS, rng.randint(1, 5)))
    return rng.choices((rng.choice(QUALITY), rng.choice(ASIDES), some), (50, 35, 15))[0]


def _story_words() -> list[str]:
    """Story words that no phrase uses, so that they carry no information about a picture."""
    banks = " ".join(str(bank) for name, bank in vars(phrases).items() if name.isupper())
    used = set(re.findall("[a-z]+", banks.lower()))
    path = Path(__file__).with_name("story_words.txt")
    return [word for word in path.read_text().split() if word not in used]


STORY_WORDS = _story_words()

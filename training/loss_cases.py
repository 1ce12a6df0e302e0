"""Pictures to draw without and with a loss, and measures that do not use the loss or its networks (looks.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

import looks
from drawings import sampled
from judge import Reading
from metrics import psnr
from sketchbook.caption import describe
from sketchbook.draw import draw
from sketchbook.scene import Scene

SIDE = 256  # the width and height of the pictures


@dataclass
class Case:
    """A picture to draw without and with a loss, and its measure."""

    prompt: str
    loss: str  # KIND:VALUE, with the name of a file in place of an image
    seed: int
    value: Callable[[np.ndarray, Reading | None], float]
    image: np.ndarray | None = None  # the image of the loss
    ideal: np.ndarray | None = None  # a drawing that has what the loss wants
    mask: tuple[np.ndarray, np.ndarray] | None = None  # two parts with opposite losses
    losses: tuple[dict, dict] | None = None  # of the two parts


def scenes(count: int, seed: int, kind: str, suits: Callable[[Scene], bool] = lambda _: True) -> list[Scene]:
    """Square scenes that no training drawing has and that suit the kind."""
    found, number = [], 0
    while len(found) < count:
        found += filter(suits, sampled(200, f"losses {seed} {kind} {number}", held_out=True))
        number += 1
    return [replace(scene, width=SIDE, height=SIDE) for scene in found[:count]]


def answers(question: str, wanted: str) -> Callable[[np.ndarray, Reading | None], float]:
    return lambda _, reading: 100.0 * (reading.answer(question) == wanted)


def drawn(scene: Scene, **changes) -> np.ndarray:
    return draw(replace(scene, **changes))


def others(asked: list[Scene], seed: int, suits: Callable[[Scene, Scene], bool]) -> list[Scene]:
    """For each scene another one that suits it."""
    pool = scenes(20 * len(asked) + 1000, seed, "others")
    found = []
    for scene in asked:
        at = next(i for i, other in enumerate(pool) if suits(scene, other))
        found.append(pool.pop(at))
    return found


# ---- losses of pixels

PALETTES = (
    ("#1b2a49", "#e8d5b0", "#c0392b"),
    ("#203020", "#508040", "#d0e090", "#f4f4e0"),
    ("#2b1b2e", "#8e3b6e", "#f0a0c0"),
    ("#0a2a3a", "#2f8fa0", "#f0f0e8", "#f09030"),
)


def colours(palette: tuple[str, ...]) -> np.ndarray:
    """(count, 3) u8."""
    return np.array([list(bytes.fromhex(colour[1:])) for colour in palette], np.uint8)


def palettes(asked: list[Scene], seed: int) -> list[Case]:
    def case(i: int, scene: Scene) -> Case:
        palette = PALETTES[i % len(PALETTES)]

        def value(picture: np.ndarray, _) -> float:
            return looks.palette_distance(picture, colours(palette))

        return Case(describe(scene), f"palette:{','.join(palette)}", seed + i, value)

    return [case(i, scene) for i, scene in enumerate(asked)]


def total_variation(asked: list[Scene], seed: int) -> list[Case]:
    def value(picture: np.ndarray, _) -> float:
        return looks.variation(picture)

    return [Case(describe(scene), "total-variation", seed + i, value) for i, scene in enumerate(asked)]


SATURATIONS = (0.0, 0.3, 0.6, 0.9)


def saturations(asked: list[Scene], seed: int) -> list[Case]:
    def case(i: int, scene: Scene) -> Case:
        wanted = SATURATIONS[i % len(SATURATIONS)]

        def value(picture: np.ndarray, _) -> float:
            return abs(looks.saturation(picture) - wanted)

        return Case(describe(scene), f"saturation:{wanted:g}", seed + i, value)

    return [case(i, scene) for i, scene in enumerate(asked)]


# ---- losses of images


def outlines(asked: list[Scene], seed: int) -> list[Case]:
    """The lines of drawings of other scenes with a subject, in flat colours."""

    def suits(scene: Scene, other: Scene) -> bool:
        return bool(other.subjects) and other.place != scene.place and other.weather == "clear"

    def case(i: int, scene: Scene, other: Scene) -> Case:
        drawing = drawn(other, style="flat")
        mask = looks.lines(drawing)

        def value(picture: np.ndarray, _) -> float:
            return looks.edges_on_lines(picture, mask)

        image = looks.line_drawing(mask)
        return Case(describe(scene), "outline:FILE", seed + i, value, image, drawing)

    return [case(i, *both) for i, both in enumerate(zip(asked, others(asked, seed, suits)))]


def contents(asked: list[Scene], seed: int) -> list[Case]:
    def suits(scene: Scene, other: Scene) -> bool:
        return other.place != scene.place

    def case(i: int, scene: Scene, other: Scene) -> Case:
        image = draw(other)

        def value(picture: np.ndarray, _) -> float:
            return looks.layout_correlation(picture, image)

        return Case(describe(scene), "content:FILE", seed + i, value, image, image)

    return [case(i, *both) for i, both in enumerate(zip(asked, others(asked, seed, suits)))]


def latents(asked: list[Scene], seed: int) -> list[Case]:
    def value_of(image: np.ndarray):
        return lambda picture, _: psnr(picture, image)

    cases = contents(asked, seed)
    return [replace(case, loss="latents:FILE", value=value_of(case.image), ideal=None) for case in cases]


def styled(asked: list[Scene], seed: int) -> list[tuple[Scene, Scene]]:
    """Each scene with another scene in another style. Place and time are the same, because their colours are no part of
    the style."""

    def suits(scene: Scene, other: Scene) -> bool:
        return other.style != scene.style and (other.place, other.time) == (scene.place, scene.time)

    return list(zip(asked, others(asked, seed, suits)))


def styles(asked: list[Scene], seed: int) -> list[Case]:
    def case(i: int, scene: Scene, other: Scene) -> Case:
        image = draw(other)

        def value(picture: np.ndarray, _) -> float:
            return looks.style_distance(picture, image)

        ideal = drawn(scene, style=other.style)
        return Case(describe(scene), "style:FILE", seed + i, value, image, ideal)

    return [case(i, *both) for i, both in enumerate(styled(asked, seed))]


def recognised_styles(asked: list[Scene], seed: int) -> list[Case]:
    """As `styles`, but the judge says whether the picture has the style of the image."""

    def case(case: Case, other: Scene) -> Case:
        return replace(case, value=answers("style", other.style))

    return [case(*both) for both in zip(styles(asked, seed), (other for _, other in styled(asked, seed)))]


# ---- two parts with opposite losses

RED, BLUE = ("#701818", "#c03030", "#f0b0a0"), ("#182870", "#3060c0", "#a0c0f0")
MARGIN = 32  # kept pixels at the borders and between both parts
STRENGTH = 0.9  # of the edit of both parts. A loss has no effect where no noise is left


def halves() -> tuple[np.ndarray, np.ndarray]:
    """(height, width) bool: a part at the left and one at the right."""
    left = np.zeros((SIDE, SIDE), bool)
    left[MARGIN:-MARGIN, MARGIN // 2 : SIDE // 2 - MARGIN // 2] = True
    return left, left[:, ::-1]


def opposite(losses: tuple[dict, dict], wins: Callable) -> Callable[[list[Scene], int], list[Case]]:
    def cases(asked: list[Scene], seed: int) -> list[Case]:
        left, right = halves()

        def value(picture: np.ndarray, _) -> float:
            return 100.0 * wins(picture, left, right)

        return [
            Case(describe(scene), "", seed + i, value, draw(scene), mask=(left, right), losses=losses)
            for i, scene in enumerate(asked)
        ]

    return cases


def both_palettes_win(picture: np.ndarray, left: np.ndarray, right: np.ndarray) -> bool:
    """Whether the distance of each part to its palette is less than three quarters of that to the other palette."""

    def wins(part: np.ndarray, own: tuple, other: tuple) -> bool:
        distances = [looks.palette_distance(picture, colours(palette), part) for palette in (own, other)]
        return distances[0] < 0.75 * distances[1]

    return wins(left, RED, BLUE) and wins(right, BLUE, RED)


def both_saturations_win(picture: np.ndarray, left: np.ndarray, right: np.ndarray) -> bool:
    """Whether each part is closer to its saturation, 0 and 0.8, than to the mean of both."""
    return looks.saturation(picture, left) < 0.2 and looks.saturation(picture, right) > 0.6

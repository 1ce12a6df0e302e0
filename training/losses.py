"""Measures what the losses of a recipe do to pictures.

`python training/losses.py --illustrate target/debug/illustrate --judge judge.pt --out LOSSES.md --grid losses.png`

Draws scenes that no training drawing has, without and with a loss, from the same noise. Each kind of loss has a measure
that is computed from the pixels, or by the judge, and does not use the loss or its networks (looks.py).

`--kind outline --weight 2 --to 0.5` measures one kind with other settings. `--cache DIR` keeps the pictures without
losses for the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from safetensors.numpy import load_file

import grid
import looks
from drawings import sampled
from edits import ron
from judge import Judge, Reading
from metrics import psnr
from sketchbook import phrases, words
from sketchbook.caption import describe, name
from sketchbook.draw import draw
from sketchbook.sampling import COLOURS_OF, fits
from sketchbook.scene import Scene
from tables import origin, table

ROOT = Path(__file__).parent.parent
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


@dataclass
class Kind:
    """A kind of loss."""

    cases: Callable[[list[Scene], int], list[Case]]  # for scenes and the seed of the first
    measure: str
    target: str
    reached: Callable[[float, float], bool]  # for the means without and with the loss
    compare: str = "ratio"  # or "difference", or "factor": how both are compared
    digits: int = 2
    judged: bool = False  # the measure is the answer of the judge


# ---- the scenes


def scenes(count: int, seed: int, kind: str, suits: Callable[[Scene], bool] = lambda _: True) -> list[Scene]:
    """Square scenes that no training drawing has and that suit the kind."""
    found, number = [], 0
    while len(found) < count:
        found += filter(suits, sampled(200, f"losses {seed} {kind} {number}", held_out=True))
        number += 1
    return [replace(scene, width=SIDE, height=SIDE) for scene in found[:count]]


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


# ---- losses of texts


def answers(question: str, wanted: str) -> Callable[[np.ndarray, Reading | None], float]:
    return lambda _, reading: 100.0 * (reading.answer(question) == wanted)


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


# ---- all kinds


def at_most(limit: float) -> Callable[[float, float], bool]:
    return lambda before, after: after <= limit * before


def gains(least: float) -> Callable[[float, float], bool]:
    return lambda before, after: after - before >= least


PALETTE_PARTS = tuple({"kind": {"Palette": list(palette)}} for palette in (RED, BLUE))
SATURATION_PARTS = tuple({"kind": {"Saturation": target}} for target in (0.0, 0.8))

KINDS: dict[str, Kind] = {
    "palette": Kind(palettes, "CIE76 distance to the nearest colour of the palette", "ratio <= 0.5", at_most(0.5)),
    "outline": Kind(
        outlines,
        "edge strength on the lines, divided by that beside them",
        "with >= 2, factor >= 1.5",
        lambda before, after: after >= max(2, 1.5 * before),
    ),
    "content": Kind(
        contents, "correlation of the layout with the image", "+0.2", gains(0.2), compare="difference"
    ),
    "style": Kind(styles, "Fréchet distance of style statistics to the image", "ratio <= 0.7", at_most(0.7)),
    "style, judge": Kind(
        recognised_styles, "the judge sees the style of the image, %", "+10", gains(10), "difference", 0, True
    ),
    "total-variation": Kind(
        total_variation, "mean absolute difference of neighbours (of 255)", "ratio <= 0.8", at_most(0.8)
    ),
    "saturation": Kind(
        saturations, "distance of the mean HSV saturation to the target", "ratio <= 0.5", at_most(0.5)
    ),
    "latents": Kind(latents, "PSNR to the image, dB", "+6", gains(6), compare="difference", digits=1),
    **{
        f"{loss}, {attribute}": Kind(
            cases(attribute), f"the judge sees the wanted {attribute}, %", "+10", gains(10), "difference", 0, True
        )
        for loss, cases in (("text", texts), ("direction", directions))
        for attribute in ATTRIBUTES
    },
    "parts, palette": Kind(
        opposite(PALETTE_PARTS, both_palettes_win),
        "red left and blue right win in their parts, %",
        "with >= 90",
        lambda _, after: after >= 90,
        "difference",
        0,
    ),
    "parts, saturation": Kind(
        opposite(SATURATION_PARTS, both_saturations_win),
        "grey left and bright right win in their parts, %",
        "with >= 90",
        lambda _, after: after >= 90,
        "difference",
        0,
    ),
}  # fmt: skip


def cases_of(title: str, count: int, seed: int) -> list[Case]:
    """Kinds of pixels and images share their scenes, and so their pictures without the loss."""
    loss, _, attribute = title.partition(", ")
    if loss in ("text", "direction"):
        asked = scenes(count, seed, attribute, ATTRIBUTES[attribute].suits)
    else:
        asked = scenes(count, seed, "all")
    return KINDS[title].cases(asked, seed)


# ---- drawing


@dataclass
class Painter:
    """Draws with the program."""

    program: Path
    model: Path
    steps: int
    folder: Path  # for files
    cache: Path | None  # for pictures without losses
    weight: float | None = None
    options: dict = field(default_factory=dict)  # further fields of the loss, as in edit files
    _made: dict = field(default_factory=dict)  # pictures with losses, for another measure

    def run(self, *command) -> None:
        subprocess.run([str(w) for w in (self.program, *command)], check=True, stdout=subprocess.DEVNULL)

    def draw(self, case: Case, steered: bool) -> np.ndarray:
        if case.losses:
            return self.cached(case, steered, self.edit)
        return self.cached(case, steered, self.draw_whole)

    def cached(self, case: Case, steered: bool, make: Callable[[Case, bool], np.ndarray]) -> np.ndarray:
        if steered:
            # All losses of a kind and scene have the same image.
            key = (case.prompt, case.seed, case.loss, str(case.losses))
            if key not in self._made:
                self._made[key] = make(case, steered)
            return self._made[key]
        if self.cache is None:
            return make(case, steered)
        key = json.dumps([case.prompt, case.seed, self.steps, str(self.model), case.losses and STRENGTH])
        file = self.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.png"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(make(case, steered)).save(file)
        return pixels(file)

    def draw_whole(self, case: Case, steered: bool) -> np.ndarray:
        out, image = self.folder / "out.png", self.folder / "image.png"
        command = ["draw", "--prompt", case.prompt, "--model", self.model, "--seed", case.seed]
        command += ["--size", f"{SIDE}x{SIDE}", "--out", out]
        if steered:
            if case.image is not None:
                Image.fromarray(case.image).save(image)
            weight = "" if self.weight is None else f":{self.weight:g}"
            command += ["--loss", case.loss.replace("FILE", str(image)) + weight]
        if not (steered and self.options):
            self.run(*command, "--steps", self.steps)
            return pixels(out)
        # The command line has no such options, but the recipe in the file of a picture has.
        self.run(*command, "--steps", 1)
        recipe = self.folder / "recipe.png"
        rewrite(out, recipe, lambda recipe: changed_recipe(recipe, self.steps, self.options))
        self.run("replay", "--picture", recipe, "--out", out)
        return pixels(out)

    def edit(self, case: Case, steered: bool) -> np.ndarray:
        """Two parts of a drawing, each with its loss. Raises an error if any pixel outside of them changes."""
        out, picture, dump = (self.folder / file for file in ("out.png", "picture.png", "dump.safetensors"))
        Image.fromarray(case.image).save(picture)
        parts = []
        for title, mask, loss in zip(("left", "right"), case.mask, case.losses):
            Image.fromarray((255 * mask).astype(np.uint8)).save(self.folder / f"{title}.png")
            part = {
                "name": title,
                "mask": f"{title}.png",
                "edit": "Refine",
                "words": case.prompt,
                "strength": STRENGTH,
            }
            if steered:
                weight = {} if self.weight is None else {"weight": self.weight}
                part["losses"] = [{**loss, **weight, **self.options}]
            parts.append(part)
        edit = self.folder / "edit.ron"
        edit.write_text(ron_with_kinds({"prompt": case.prompt, "parts": parts}))
        command = ["edit", "--picture", picture, "--edit", edit, "--out", out, "--dump", dump]
        self.run(*command, "--model", self.model, "--steps", self.steps, "--seed", case.seed)
        made = pixels(out)
        outside = load_file(dump)["blend_mask"][0, 0] == 0
        if not outside.any() or (made != case.image)[outside].any():
            raise AssertionError("the edit changed pixels outside its blend mask")
        return made


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"))


def ron_with_kinds(value: dict) -> str:
    """As `ron`, for losses whose kind is {NAME: VALUE}."""
    marked = json.loads(json.dumps(value))
    kinds = []
    for part in marked["parts"]:
        for loss in part.get("losses", []):
            [(kind, argument)] = loss["kind"].items()
            kinds.append(f"{kind}({ron(argument)})")
            loss["kind"] = f"@{len(kinds) - 1}"
    text = ron(marked)
    for i, kind in enumerate(kinds):
        text = text.replace(f'"@{i}"', kind)
    return text


def changed_recipe(provenance: dict, steps: int, options: dict) -> dict:
    """The provenance of a picture with another number of steps and other options of its loss."""
    recipe = provenance["recipe"]
    losses = [{**loss, **options} for loss in recipe["losses"]]
    recipe = {**recipe, "sampler": {**recipe["sampler"], "steps": steps}, "losses": losses}
    return {**provenance, "recipe": recipe}


def rewrite(source: Path, target: Path, change: Callable[[dict], dict]) -> None:
    """Copies a picture with a changed provenance."""
    image = Image.open(source)
    info = PngImagePlugin.PngInfo()
    for key, text in image.text.items():
        if key == "bevy_illustrator":
            text = json.dumps(change(json.loads(text)))
        info.add_itxt(key, text)
    image.save(target, pnginfo=info)


# ---- the report


@dataclass
class Result:
    """The pictures and values of one kind."""

    cases: list[Case]
    pictures: tuple[list[np.ndarray], list[np.ndarray]]  # without and with the loss
    values: tuple[list[float], list[float]]
    ideal: list[float]  # of drawings that have what the loss wants


def measured(title: str, painter: Painter, judge: Judge | None, count: int, seed: int) -> Result:
    cases = cases_of(title, count, seed)
    pictures = tuple([painter.draw(case, steered) for case in cases] for steered in (False, True))

    def values(of: list[Case], made: list[np.ndarray]) -> list[float]:
        readings = judge.read(made) if KINDS[title].judged else [None] * len(made)
        return [case.value(picture, reading) for case, picture, reading in zip(of, made, readings)]

    known = [case for case in cases if case.ideal is not None]
    ideal = values(known, [case.ideal for case in known]) if known else []
    return Result(cases, pictures, tuple(values(cases, made) for made in pictures), ideal)


HEAD = [
    "loss",
    "n",
    "measure",
    "without",
    "with",
    "compared",
    "better",
    "in drawings",
    "blocks",
    "target",
    "",
]


def row(title: str, result: Result) -> list:
    kind = KINDS[title]
    before, after = (float(np.mean(values)) for values in result.values)
    digits = kind.digits
    compared = f"{after - before:+.{digits}f}" if kind.compare == "difference" else f"x {after / before:.2f}"
    # Whether a good loss makes the value larger.
    larger = kind.reached(1.0, 1e6)
    better = sum((b > a) if larger else (b < a) for a, b in zip(*result.values))
    blocky = [np.mean([looks.blocks(picture) for picture in pictures]) for pictures in result.pictures]
    return [
        title,
        str(len(result.cases)),
        kind.measure,
        f"{before:.{digits}f}",
        f"{after:.{digits}f}",
        compared,
        f"{100 * better / len(result.cases):.0f} %",
        f"{np.mean(result.ideal):.{digits}f}" if result.ideal else "-",
        f"{blocky[0]:.2f}, {blocky[1]:.2f}",
        kind.target,
        "reached" if kind.reached(before, after) else "missed",
    ]


def totals(results: dict[str, Result]) -> list[list]:
    """The rows of all attributes of a text or direction."""
    rows = []
    for loss in ("text", "direction"):
        found = [result for title, result in results.items() if title.startswith(f"{loss}, ")]
        if len(found) > 1:
            means = [np.mean([v for r in found for v in r.values[i]]) for i in (0, 1)]
            count = sum(len(result.cases) for result in found)
            gain = means[1] - means[0]
            rows.append([
                f"{loss}, all", str(count), "the judge sees the wanted attribute, %", f"{means[0]:.0f}",
                f"{means[1]:.0f}", f"{gain:+.0f}", "", "-", "", "+10", "reached" if gain >= 10 else "missed",
            ])  # fmt: skip
    return rows


def report(results: dict[str, Result], args: argparse.Namespace) -> str:
    rows = [row(title, result) for title, result in results.items()] + totals(results)
    return "\n".join([
        "# Losses\n",
        (
            f"{origin()} Means over pictures of scenes that no training drawing has (seed {args.seed}, {args.steps} "
            f"steps, {SIDE}x{SIDE}), without and with the loss, from the same noise. \"Better\" is the share of "
            "pictures that the loss improves. \"In drawings\" is the value of drawings that have what the loss wants. "
            "\"Blocks\" is the difference of neighbours across the borders of latents, divided by that elsewhere, "
            "without and with the loss. Of two parts, no pixel outside their blend mask changed.\n"
        ),
        table(HEAD, rows, digits=[0] * len(HEAD)),
    ])  # fmt: skip


def sheet(results: dict[str, Result], columns: int) -> Image.Image:
    """For each kind a row of pictures without the loss, one with it, and one of its images."""
    pictures, texts = [], []
    columns = min(columns, max(len(result.cases) for result in results.values()))
    for title, result in results.items():
        (before, after), cases = result.values, result.cases
        said = [f"{value:.3g}: {case.prompt}" for value, case in zip(before, cases)]
        done = [f"{value:.3g}: {case.loss}" for value, case in zip(after, cases)]
        rows = [
            (f"{title}: without", result.pictures[0], said),
            (f"{title}: with", result.pictures[1], done),
        ]
        images = [case.image for case in cases if case.image is not None]
        if images and not cases[0].losses:
            rows.append((f"{title}: image", images, [""] * len(images)))
        for head, made, texts_of_row in rows:
            cells = list(zip(made, texts_of_row))[:columns]
            blank = [(np.full((SIDE, SIDE, 3), grid.PAPER, np.uint8), "")] * (columns - len(cells))
            pictures += [picture for picture, _ in cells + blank]
            texts += [f"{head} {text}" for _, text in cells] + [""] * len(blank)
    return grid.labelled(pictures, texts, columns)


def chosen(names: list[str] | None) -> list[str]:
    """All kinds with these names, or that begin with one of them and a comma."""
    if not names:
        return list(KINDS)
    found = [t for t in KINDS if any(t == name or t.startswith(f"{name}, ") for name in names)]
    unknown = [name for name in names if not any(t == name or t.startswith(f"{name}, ") for t in KINDS)]
    if unknown:
        raise SystemExit(f"there is no loss {unknown[0]!r}: choose from {'; '.join(KINDS)}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--illustrate", type=Path, required=True, help="the illustrate binary")
    parser.add_argument("--model", type=Path, default=ROOT / "assets/models/sketch")
    parser.add_argument("--judge", type=Path, help="without it, kinds that need the judge are left out")
    parser.add_argument("--kind", action="append", help="a kind, or all that begin with it, such as text")
    parser.add_argument("--count", type=int, default=20, help="pictures of each kind")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight", type=float)
    parser.add_argument("--from", dest="begin", type=float, help="the first steered steps, from 0 to 1")
    parser.add_argument("--to", type=float, help="the end of the steered steps, from 0 to 1")
    parser.add_argument("--stop", type=float, help="the value at which the loss stops steering")
    parser.add_argument("--unlike", action="store_true", default=None, help="make the loss large instead")
    parser.add_argument("--cache", type=Path, help="a folder that keeps pictures without losses")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--grid", type=Path, help="a sheet of pictures without and with each loss")
    parser.add_argument("--columns", type=int, default=8, help="pictures in a row of the sheet")
    args = parser.parse_args()
    options = {"from": args.begin, "to": args.to, "stop": args.stop, "unlike": args.unlike}
    options = {key: value for key, value in options.items() if value is not None}
    judge, results = args.judge and Judge(args.judge), {}
    with tempfile.TemporaryDirectory() as folder:
        painter = Painter(
            args.illustrate.resolve(), args.model, args.steps, Path(folder), args.cache, args.weight, options
        )
        for title in chosen(args.kind):
            if KINDS[title].judged and not judge:
                continue
            results[title] = measured(title, painter, judge, args.count, args.seed)
            print(" | ".join(row(title, results[title])), flush=True)
            # A long run can be stopped, and read before its end.
            if args.out:
                args.out.write_text(report(results, args))
            if args.grid:
                sheet(results, args.columns).save(args.grid)
    print(report(results, args))


if __name__ == "__main__":
    main()

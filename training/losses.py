"""Measures what the losses of a recipe do to pictures.

`python training/losses.py --illustrate target/debug/illustrate --judge judge.pt --out LOSSES.md --grid losses.png`

Draws scenes that no training drawing has, without and with a loss, from the same noise. Each kind of loss has a measure
that is computed from the pixels, or by the judge, and does not use the loss or its networks (looks.py).

`--kind outline --weight 2 --to 0.5` measures one kind with other settings. `--cache DIR` keeps the pictures without
losses for the next run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import grid
import looks
from judge import Judge
from loss_cases import (
    BLUE,
    RED,
    SIDE,
    Case,
    both_palettes_win,
    both_saturations_win,
    contents,
    latents,
    opposite,
    outlines,
    palettes,
    recognised_styles,
    saturations,
    scenes,
    styles,
    total_variation,
)
from loss_painter import Painter
from loss_texts import ATTRIBUTES, directions, texts
from sketchbook.scene import Scene
from tables import origin, table

ROOT = Path(__file__).parent.parent


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

"""Measures whether a model follows prompts, and how close its pictures are to the training drawings.

`python training/evaluate.py --model DIR --judge judge.pt --clip DIR --count 500 --out RESULTS.md`
writes markdown tables for scenes with combinations that no training drawing has.

`python training/evaluate.py grid --model DIR --prompts FILE --out FILE.png`
draws a picture for each line of a file of prompts.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPModel, CLIPTokenizer

import grid
import probes
import train_clip
from drawings import sampled, squeezed
from judge import NONE, Judge, Reading, truth
from metrics import changed, colour_error, frechet_of, psnr, rate
from painter import Painter
from sketchbook import words
from sketchbook.caption import caption, describe
from sketchbook.draw import draw
from sketchbook.sampling import stands_by_itself
from sketchbook.scene import Scene
from tables import origin, table

ROOT = Path(__file__).parent.parent


class Clip:
    """Embeds pictures and texts as unit vectors, (count, dimensions), with a model of train_clip.py."""

    def __init__(self, folder: Path):
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def pictures(self, pictures: list[np.ndarray], batch: int = 64) -> np.ndarray:
        parts = []
        for start in range(0, len(pictures), batch):
            x = train_clip.pixels(squeezed(pictures[start : start + batch], train_clip.SIDE))
            parts.append(self.model.visual_projection(self.model.vision_model(x).pooler_output))
        return _unit(torch.cat(parts))

    @torch.inference_mode()
    def texts(self, texts: list[str]) -> np.ndarray:
        positions = self.model.config.text_config.max_position_embeddings
        tokens = train_clip.tokens(self.tokenizer, texts, positions)
        return _unit(self.model.text_projection(self.model.text_model(**tokens).pooler_output))

    def score(self, pictures: list[np.ndarray], texts: list[str]) -> float:
        """The mean cosine between pictures and their texts, times 100."""
        return 100 * float((self.pictures(pictures) * self.texts(texts)).sum(1).mean())


def _unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).numpy()


# ---- scoring a picture

#: The counted attributes and their names in the report.
ATTRIBUTES = {
    "place": "place",
    "time": "time of day",
    "weather": "weather (outdoors)",
    "style": "style",
    "framing": "framing",
    "expression": "expression (portraits)",
    "kind": "kind of a subject, at any position",
    "colour": "colour of a subject, at its most likely position",
    "position": "position of a single subject",
    "subject": "kind, colour and position of a subject",
    "nothing else": "no subject at empty positions",
    "everything": "everything at once",
}


def checked(scene: Scene, reading: Reading) -> dict[str, list[bool]]:
    """The attributes of the scene that the judge recognises. Each has a list, because there may be two subjects."""
    answers = truth(scene)
    hits = {
        question: [reading.answer(question) == answers[question]]
        for question in ("place", "time", "weather", "style", "framing", "expression")
        if answers[question] is not None
    }
    hits["kind"] = [reading.sees(s.kind) for s in scene.subjects]
    hits["colour"] = [
        reading.answer(f"{reading.likeliest(s.kind)} colour") == s.colour for s in scene.subjects
    ]
    # A portrait is always in the centre.
    if len(scene.subjects) == 1 and scene.framing != "portrait":
        hits["position"] = [reading.occupied() == scene.subjects[0].position]
    hits["subject"] = [
        (reading.answer(f"{s.position} kind"), reading.answer(f"{s.position} colour")) == (s.kind, s.colour)
        for s in scene.subjects
    ]
    empty = [p for p in words.POSITIONS if answers[f"{p} kind"] == NONE]
    hits["nothing else"] = [reading.answer(f"{p} kind") == NONE for p in empty]
    one_each = ("place", "time", "weather", "style", "framing", "expression", "subject", "nothing else")
    hits["everything"] = [all(hit for attribute in one_each for hit in hits.get(attribute, []))]
    return hits


def counted(scenes: list[Scene], readings: list[Reading]) -> dict[str, list[bool]]:
    """The hits of each attribute over many pictures."""
    total = defaultdict(list)
    for scene, reading in zip(scenes, readings, strict=True):
        for attribute, hits in checked(scene, reading).items():
            total[attribute] += hits
    return total


# ---- the sections of the report


@dataclass
class Exam:
    """Shared state of all measurements."""

    painter: Painter
    judge: Judge
    clip: Clip
    count: int
    seed: int
    captions: bool  # uses captions as in training, which are incomplete, instead of full descriptions

    def prompts(self, scenes: list[Scene]) -> list[str]:
        rng = random.Random(self.seed)
        return [caption(scene, rng) if self.captions else describe(scene) for scene in scenes]

    def scenes(self, count: int, name: str, held_out: bool = False) -> list[Scene]:
        """Different scenes for each name. The seed is a string, so it cannot equal a seed of training drawings."""
        return sampled(count, f"exam {self.seed} {name}", held_out)

    def paint(self, scenes: list[Scene], **changes) -> list[np.ndarray]:
        """Generates a picture for each scene with fixed noise."""
        seeds = [self.seed + i for i in range(len(scenes))]
        sizes = [(scene.width, scene.height) for scene in scenes]
        return self.painter.paint(self.prompts(scenes), seeds, sizes, **changes)

    def counted(self, scenes: list[Scene], pictures: list[np.ndarray]) -> dict[str, list[bool]]:
        return counted(scenes, self.judge.read(pictures))


def attribute_tables(exam: Exam) -> str:
    """Recognised attributes of drawings, reconstructions and generated pictures; CLIP scores and distances."""
    scenes = exam.scenes(exam.count, "asked", held_out=True)
    drawings = [draw(scene) for scene in scenes]
    coded, painted = exam.painter.reconstruct(drawings), exam.paint(scenes)
    familiar = exam.scenes(exam.count // 2, "familiar")
    columns = {
        "drawn": exam.counted(scenes, drawings),
        "coded": exam.counted(scenes, coded),
        "painted": exam.counted(scenes, painted),
        "familiar": exam.counted(familiar, exam.paint(familiar)),
    }
    rows = []
    for attribute, title in ATTRIBUTES.items():
        rates = [rate(hits[attribute]) for hits in columns.values()]
        rows.append([title, len(columns["drawn"][attribute]), *rates, rates[2] / max(rates[0], 1e-9)])
    # Every scene has a framing, so hits are in the order of scenes.
    framings = []
    for framing in words.FRAMINGS:
        asked = [scene.framing == framing for scene in scenes]
        hits = (list(compress(columns[name]["framing"], asked)) for name in ("drawn", "painted"))
        framings.append([framing, sum(asked), *map(rate, hits)])
    texts = exam.prompts(scenes)
    scores = [exam.clip.score(pictures, texts) for pictures in (drawings, coded, painted)]
    shuffled = exam.clip.score(drawings, texts[1:] + texts[:1])
    others = [draw(scene) for scene in exam.scenes(exam.count, "others", held_out=True)]
    # The reference drawings show other scenes. Pictures of the same scenes would be closer than chance, and the
    # distance between drawings would not be a lower bound.
    reference = exam.clip.pictures(others)
    distances = [
        [title, 1000 * frechet_of(exam.clip.pictures(pictures), reference)]
        for title, pictures in (
            ("drawings (the floor)", drawings),
            ("after the autoencoder", coded),
            ("generated", painted),
        )
    ]
    return "\n".join([
        "## Recognised attributes\n",
        ("The percentage of attributes that the judge recognises correctly. \"Familiar\" scenes are new scenes without "
        f"held-out combinations ({len(familiar)} pictures). The ratio is that of generated pictures to drawings.\n"),
        table(
            ["", "n", "drawings", "after the autoencoder", "generated", "generated, familiar", "ratio"],
            rows,
            digits=[0, 0, 1, 1, 1, 1, 2],
        ),
        "Correctly recognised framing, by framing.\n",
        table(["", "n", "drawings", "generated"], framings, digits=[0, 0, 1, 1]),
        "## CLIP score\n",
        "The cosine of picture and text, times 100. \"Mismatched\" are drawings with the texts of other drawings.\n",
        table(
            ["drawings", "after the autoencoder", "generated", "mismatched"],
            [[*scores, shuffled]],
            digits=[1] * 4,
        ),
        "## Fréchet distance to drawings\n",
        (f"The distance of {len(scenes)} pictures to drawings of as many other scenes, between unit vectors of the "
        "small CLIP, times 1000. Only comparable within this table.\n"),
        table(["", "distance"], distances, digits=[0, 2]),
    ])  # fmt: skip


def autoencoder_tables(exam: Exam) -> str:
    """PSNR by style and colour error by colour."""
    by_style: dict[str, list[float]] = defaultdict(list)
    scenes = exam.scenes(exam.count, "coded")
    drawings = [draw(scene) for scene in scenes]
    for scene, drawing, coded in zip(scenes, drawings, exam.painter.reconstruct(drawings)):
        by_style[scene.style].append(psnr(drawing, coded))
    every = [value for values in by_style.values() for value in values]
    style_rows = [
        [style, len(by_style[style]), np.mean(by_style[style])] for style in words.STYLES if by_style[style]
    ]
    style_rows.append(["all", len(every), np.mean(every)])
    colour_rows = []
    for colour in words.COLOURS:
        scenes = of_colour(exam, colour, max(exam.count // 25, 2))
        drawings = [draw(scene) for scene in scenes]
        errors, values = [], []
        for scene, drawing, coded in zip(scenes, drawings, exam.painter.reconstruct(drawings)):
            mask = changed(drawing, draw(replace(scene, subjects=[])))
            if mask.any():
                errors.append(colour_error(drawing, coded, mask))
                values.append(psnr(drawing[mask], coded[mask]))
        colour_rows.append([colour, len(errors), np.mean(errors), np.mean(values)])
    return "\n".join([
        "## The autoencoder\n",
        "The mean PSNR of drawings that were excluded from training.\n",
        table(["style", "n", "dB"], style_rows, digits=[0, 0, 2]),
        "The mean CIE76 distance and PSNR over the pixels of subjects with each colour.\n",
        table(["colour", "n", "Lab distance", "dB"], colour_rows, digits=[0, 0, 2, 2]),
    ])  # fmt: skip


def of_colour(exam: Exam, colour: str, count: int) -> list[Scene]:
    """Scenes whose only subject has this colour and can be removed without changing anything else."""
    found, number = [], 0
    while len(found) < count:
        for scene in exam.scenes(500, f"{colour} {number}"):
            alone = len(scene.subjects) == 1 and scene.subjects[0].colour == colour
            if alone and stands_by_itself(scene):
                found.append(scene)
        number += 1
    return found[:count]


# ---- command line


def report(args: argparse.Namespace) -> None:
    painter = Painter(args.model, args.steps, args.guidance, args.rescale)
    exam = Exam(painter, Judge(args.judge), Clip(args.clip), args.count, args.seed, args.captions)
    asked = "captions as in training" if args.captions else "full descriptions"
    parts = [
        "# Results\n",
        (
            f"{origin()} {args.count} scenes (seed {args.seed}), {asked}; DPM++ 2M, {args.steps} steps, "
            f"guidance {args.guidance:g} rescaled by {args.rescale:g}, f32.\n"
        ),
    ]
    for measure in (attribute_tables, autoencoder_tables, probes.negatives, probes.guidance, probes.steps):
        print(f"{measure.__name__} ...", flush=True)
        parts.append(measure(exam))
        args.out.write_text("\n".join(parts))
    print(args.out.read_text())


def paint_grid(args: argparse.Namespace) -> None:
    prompts = [line.strip() for line in args.prompts.read_text().splitlines() if line.strip()]
    painter = Painter(args.model, args.steps, args.guidance, args.rescale)
    pictures = painter.paint(prompts, [args.seed + i for i in range(len(prompts))])
    grid.labelled(pictures, prompts, columns=8).save(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    painting = len(sys.argv) > 1 and sys.argv[1] == "grid"
    parser.add_argument("--model", type=Path, default=ROOT / "assets/models/sketch")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--rescale", type=float, default=0.5, help="guidance rescale, Lin et al. 2023")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    if painting:
        parser.add_argument("--prompts", type=Path, required=True)
        paint_grid(parser.parse_args(sys.argv[2:]))
    else:
        parser.add_argument("--judge", type=Path, required=True)
        parser.add_argument("--clip", type=Path, default=ROOT / "assets/models/sketch-clip")
        parser.add_argument("--count", type=int, default=500)
        parser.add_argument("--captions", action="store_true", help="use incomplete captions, as in training")
        report(parser.parse_args())


if __name__ == "__main__":
    main()

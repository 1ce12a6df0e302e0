"""Uses the judge to measure whether `illustrate edit` makes the requested change and nothing else.

`python training/edits.py --illustrate target/debug/illustrate --judge judge.pt --best-of 4 --steer 0.3 --out EDITS.md`

Parents are drawings whose only subject can be removed without any other change, so its exact mask is
known. Each kind of edit is applied to `--count` random parents: in one take, as the best of several takes, and steered
by a loss. The finished edits in `examples/edits` are also judged.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from safetensors.numpy import load_file

from drawings import sampled
from judge import NONE, Judge, Reading, truth
from metrics import changed, lab, rate
from sketchbook import phrases, words
from sketchbook.caption import describe, name
from sketchbook.draw import draw
from sketchbook.phrases import options
from sketchbook.sampling import stands_by_itself
from sketchbook.scene import Scene, Subject
from tables import origin, table

ROOT = Path(__file__).parent.parent

#: The attributes that an edit of the subject must not change.
REST = ("place", "time", "weather", "style")


@dataclass
class Edit:
    """One edit of a drawing, and its expected result."""

    scene: Scene  # the drawn scene
    wanted: Scene  # the scene after the edit
    part: dict  # the part in the edit file, without its mask
    scribble: np.ndarray | None = None  # u8 (height, width, 4)
    parent: Scene | None = None  # the scene before the edit, if it is not `scene`
    style: str = ""  # the style of the edit file. The words of most kinds contain it already

    def drawing(self) -> np.ndarray:
        return draw(self.parent or self.scene)

    def mask(self) -> np.ndarray:
        """(height, width) bool: the pixels of the subject before and after the edit."""
        empty = draw(replace(self.scene, subjects=[]))
        return changed(draw(self.scene), empty) | changed(draw(self.wanted), empty)


def around(scene: Scene) -> str:
    """Place, time, weather and style in words."""
    return describe(replace(scene, subjects=[], framing="full")).removeprefix("an empty scene, ")


def other(rng: random.Random, names, but: str) -> str:
    return rng.choice([name for name in names if name != but])


# ---- kinds of edits


def keep(scene: Scene, rng: random.Random) -> Edit:
    return Edit(scene, scene, {"edit": "Keep"})


def refine(scene: Scene, rng: random.Random) -> Edit:
    """Changes the subject's colour."""
    subject = scene.subjects[0]
    painted = replace(subject, colour=other(rng, words.COLOURS, subject.colour))
    wanted = replace(scene, subjects=[painted])
    said = f"{name(painted)}, {around(scene)}"
    return Edit(scene, wanted, {"edit": "Refine", "words": said, "strength": 0.85})


def replaced(scene: Scene, rng: random.Random) -> Edit:
    """Replaces the subject by another kind."""
    subject = scene.subjects[0]
    kind = other(rng, words.PEOPLE + words.ANIMALS, subject.kind)
    new = Subject(kind, rng.choice(list(words.COLOURS)), subject.position)
    said = f"{name(new)}, {around(scene)}"
    return Edit(scene, replace(scene, subjects=[new]), {"edit": "Replace", "words": said})


def add(scene: Scene, rng: random.Random) -> Edit:
    """Adds the subject from a rough scribble."""
    empty = replace(scene, subjects=[])
    edit = Edit(scene, scene, {"edit": "Add"}, parent=empty)
    edit.scribble = rough(draw(scene), edit.mask())
    edit.part["words"] = f"{name(scene.subjects[0])}, {around(scene)}"
    return edit


def rough(drawing: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A rough scribble of a drawing: a blob in three colours."""
    blob = Image.fromarray((255 * mask).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    inside = np.asarray(blob) > 96
    flat = Image.fromarray(drawing).filter(ImageFilter.GaussianBlur(5)).quantize(4).convert("RGB")
    return np.dstack([np.asarray(flat), 255 * inside.astype(np.uint8)])


def remove(scene: Scene, rng: random.Random) -> Edit:
    part = {"edit": "Remove", "words": name(scene.subjects[0])}
    style = options(phrases.STYLE[scene.style])[0]
    return Edit(scene, replace(scene, subjects=[]), part, style=style)


def embolden(scene: Scene, rng: random.Random) -> Edit:
    """Emboldens the subject, which must stay the same."""
    said = f"{name(scene.subjects[0])}, {around(scene)}"
    return Edit(scene, scene, {"edit": "Embolden", "words": said})


KINDS: dict[str, Callable[[Scene, random.Random], Edit]] = {
    "keep": keep,
    "refine": refine,
    "replace": replaced,
    "add": add,
    "remove": remove,
    "embolden": embolden,
}


# ---- running edits


def parents(count: int, seed: str) -> list[Scene]:
    """Scenes whose only subject can be removed without changing anything else."""
    found, number = [], 0
    while len(found) < count:
        for scene in sampled(500, f"edits {seed} {number}"):
            if len(scene.subjects) == 1 and stands_by_itself(scene):
                found.append(scene)
        number += 1
    return found[:count]


@dataclass
class Mode:
    """How an edit is drawn."""

    name: str
    best_of: int = 1  # the best of this many takes, by their losses
    steer: float | None = None  # the weight of a loss `Text` for the words of the part, which steers


def modes(args: argparse.Namespace) -> list[Mode]:
    found = [Mode("one take")]
    if args.best_of:
        found.append(Mode(f"best of {args.best_of}", best_of=args.best_of))
    if args.steer:
        found.append(Mode(f"steered, weight {args.steer:g}", steer=args.steer))
    return found


def run_edit(edit: Edit, mode: Mode, args: argparse.Namespace, seed: int) -> np.ndarray:
    """The edited picture. To test a kept part, everything else is changed.

    Raises an error if any pixel outside the blend mask changes.
    """
    with tempfile.TemporaryDirectory() as folder:
        return run_in(Path(folder), edit, mode, args, seed)


def run_in(folder: Path, edit: Edit, mode: Mode, args: argparse.Namespace, seed: int) -> np.ndarray:
    drawing, mask = edit.drawing(), edit.mask()
    Image.fromarray(drawing).save(folder / "picture.png")
    Image.fromarray((255 * mask).astype(np.uint8)).save(folder / "mask.png")
    parts = [{"name": "part", "mask": "mask.png", **edit.part}]
    if edit.scribble is not None:
        Image.fromarray(edit.scribble).save(folder / "scribble.png")
        parts[0]["scribble"] = "scribble.png"
    if edit.part["edit"] == "Keep":
        Image.new("L", drawing.shape[1::-1], 255).save(folder / "all.png")
        parts.append({"name": "rest", "mask": "all.png", "edit": "Refine"})
    said = edit.part.get("words")
    if mode.steer and said:
        unlike = {"unlike": True} if edit.part["edit"] == "Remove" else {}
        parts[0]["losses"] = [{"kind": Kind(f"Text({ron(said)})"), "weight": mode.steer, **unlike}]
    (folder / "edit.ron").write_text(
        ron({"prompt": describe(edit.parent or edit.scene), "style": edit.style, "parts": parts})
    )
    out, dump = folder / "out.png", folder / "dump.safetensors"
    command = [args.illustrate, "edit", "--picture", folder / "picture.png", "--edit", folder / "edit.ron"]
    command += ["--out", out, "--dump", dump, "--model", args.model, "--steps", args.steps, "--seed", seed]
    if mode.best_of > 1:
        command += ["--best-of", mode.best_of]
    # Several processes with one thread each are faster than one with several.
    env = os.environ | ({"RAYON_NUM_THREADS": "1"} if args.jobs > 1 else {})
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, env=env)
    edited = np.asarray(Image.open(out).convert("RGB"))
    outside = load_file(dump)["blend_mask"][0, 0] == 0
    if (edited != drawing)[outside].any():
        raise AssertionError(f"{edit.part['edit']} changed pixels outside its blend mask")
    return edited


class Kind(str):
    """A value that is RON already."""


def ron(value) -> str:
    """Converts JSON values to RON, with named fields and edit kinds without quotes."""
    if isinstance(value, Kind):
        return value
    if isinstance(value, dict):
        fields = (f"{k}: {v if k == 'edit' else ron(v)}" for k, v in value.items())
        return f"({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(ron, value))}]"
    return json.dumps(value)


def stands_out(picture: np.ndarray, mask: np.ndarray) -> float:
    """The mean CIE76 distance between a part's colours and the mean colour around it."""
    colours = lab(picture)
    return float(np.linalg.norm(colours[mask] - colours[~mask].mean(0), axis=-1).mean())


def judged(
    edit: Edit, before: Reading, after: Reading, made: np.ndarray | None = None
) -> dict[str, bool]:
    """Whether the edit made the requested change, and whether the judge recognises the rest as unchanged. In a
    picture that was `made`, a kept part must be unchanged, and an emboldened part must have more contrast."""
    position = edit.scene.subjects[0].position
    kind, colour = after.answer(f"{position} kind"), after.answer(f"{position} colour")
    if edit.wanted.subjects:
        subject = edit.wanted.subjects[0]
        did = (kind, colour) == (subject.kind, subject.colour)
    else:
        did = kind == NONE
    if edit.part["edit"] == "Keep":
        did = made is None or bool((made == edit.drawing())[edit.mask()].all())
    elif edit.part["edit"] == "Embolden" and made is not None:
        did &= stands_out(made, edit.mask()) > stands_out(edit.drawing(), edit.mask())
    right = truth(edit.wanted)

    def unchanged(question: str) -> bool:
        # The weather of a room does not matter, and a wrong answer that becomes right is no change.
        return right[question] is None or after.answer(question) in (before.answer(question), right[question])

    others = [f"{p} kind" for p in words.POSITIONS if p != position]
    kept = all(unchanged(question) for question in (*REST, *others))
    # Everything around a kept part is redrawn and may become another scene.
    kept |= edit.part["edit"] == "Keep"
    return {"did": did, "kept": kept, "both": did and kept}


def wanted(edit: Edit) -> np.ndarray:
    """The result of a perfect edit."""
    return draw(edit.wanted)


def measure(args: argparse.Namespace) -> str:
    judge, rows = Judge(args.judge), []
    for kind, make in KINDS.items():
        if args.kinds and kind not in args.kinds:
            continue
        rng = random.Random(f"{args.seed} {kind}")
        edits = [make(scene, rng) for scene in parents(args.count, f"{args.seed} {kind}")]
        before = judge.read([edit.drawing() for edit in edits])

        def add_row(how: str, hits: list[dict[str, bool]]) -> None:
            rates = [rate([hit[what] for hit in hits]) for what in ("did", "kept", "both")]
            rows.append([kind, how, *rates])
            print(rows[-1], flush=True)

        for mode in modes(args):
            if kind == "keep" and mode.name != "one take":
                continue
            with ThreadPoolExecutor(args.jobs) as pool:
                seeds = range(args.seed, args.seed + len(edits))
                made = list(pool.map(lambda edit, seed: run_edit(edit, mode, args, seed), edits, seeds))
            add_row(mode.name, [judged(*four) for four in zip(edits, before, judge.read(made), made)])
            if args.pictures:
                save_pairs(args.pictures / mode.name, kind, edits, made)
        drawn = judge.read([wanted(edit) for edit in edits])
        add_row("drawings", [judged(*three) for three in zip(edits, before, drawn)])
    head = ["edit", "how", "done", "rest unchanged", "both"]
    return "\n".join([
        "# Edits\n",
        (
            f"{origin()} The percentage of {args.count} random edits of each kind (seed {args.seed}, {args.steps} steps) "
            "in which the judge recognises the change and recognises the rest of the picture as unchanged. "
            "An answer of the judge that becomes right is no change, and the weather of a room does not count. Drawings are "
            "those of the expected scene, so no edit can be expected to reach more. The best take is the one with the best "
            "score. Steering uses the loss `Text` for the words of the part. `Keep` succeeds if no pixel of the part "
            "changes while everything around it is refined. `Embolden` succeeds if the subject is recognised as before "
            "and its contrast increases. No pixel outside a blend mask changed.\n"
        ),
        table(head, rows, digits=[0, 0, 1, 1, 1]),
    ])  # fmt: skip


def save_pairs(folder: Path, kind: str, edits: list[Edit], made: list[np.ndarray]) -> None:
    """Saves each picture beside its drawing before the edit."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (edit, picture) in enumerate(zip(edits, made)):
        Image.fromarray(np.hstack([edit.drawing(), picture])).save(folder / f"{kind}-{i:03}.png")


#: The folder of the edits in the README.
SHOWN = ROOT / "examples/edits"


def shown(judge: Judge) -> str:
    """The judge's reading of the README's edits, before and after."""
    rows = []
    for folder in sorted(path for path in SHOWN.iterdir() if path.is_dir()):
        for when in ("before", "after"):
            [reading] = judge.read([np.asarray(Image.open(folder / f"{when}.png").convert("RGB"))])
            subjects = [
                f"{position}: {reading.answer(f'{position} colour')} {reading.answer(f'{position} kind')}"
                for position in words.POSITIONS
                if reading.answer(f"{position} kind") != NONE
            ]
            read = [reading.answer(question) for question in (*REST, "expression")]
            if reading.answer("framing") != "portrait":
                read[-1] = ""
            rows.append([f"{folder.name}, {when}", *read, ", ".join(subjects)])
    head = ["edit", *REST, "expression", "subjects"]
    return "\n".join([
        "## The three edits of the guide\n",
        "The answers of the judge for the pictures in `examples/edits`.\n",
        table(head, rows, digits=[0] * len(head)),
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--illustrate", type=Path, required=True, help="the illustrate binary")
    parser.add_argument("--model", type=Path, default=ROOT / "assets/models/sketch")
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, help="by default all")
    parser.add_argument("--best-of", type=int, help="also measure the best of this many takes, by their losses")
    parser.add_argument("--steer", type=float, help="also steer by the loss Text for the words of a part, with this weight")
    parser.add_argument("--jobs", type=int, default=1, help="edits at the same time")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures before and after, side by side")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.write_text(measure(args) + "\n" + shown(Judge(args.judge)))
    print(args.out.read_text())


if __name__ == "__main__":
    main()

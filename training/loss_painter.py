"""Draws pictures without and with a loss by the program."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from safetensors.numpy import load_file

from edits import ron
from loss_cases import SIDE, STRENGTH, Case


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

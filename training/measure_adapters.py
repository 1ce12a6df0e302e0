"""Measures what the adapters do to pictures, with diffusers' own classes and the exported files.

`python training/measure_adapters.py --adapters DIR --out ADAPTERS.md --sheets DIR [--count 20] [--kind outline]`

Draws scenes that no training drawing has, without and with each adapter at several weights, from the same noise. The
measures are classical formulas on pixels (looks.py). A prompt describes its scene completely. An inspiration is either
a drawing of the same scene ("same"; for content in another style and light) or of another scene ("other"). The
image of a style is always another scene in another style; "silent" prompts do not mention style and time of day.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, T2IAdapter, UNet2DConditionModel
from PIL import Image, ImageFilter
from transformers import CLIPTextModel, CLIPTokenizer

import grid
import looks
from adapters import IMAGES, KINDS, MODELS, PICTURES, Eye, outline_input, scribble_input, split
from drawings import sampled, squeezed
from export import schedule
from inspirations import restyled
from metrics import lab
from sketchbook.caption import describe
from sketchbook.draw import draw
from sketchbook.scene import Scene
from tables import origin, table
from train_clip import SIDE

SIZE = 256  # the width and height of the pictures
STEPS, GUIDANCE, RESCALE = 12, 5.0, 0.5
WEIGHTS = (0.5, 1.0, 1.5)


# ---- drawing with diffusers


class Illustrator:
    """Draws with adapters as the pipelines of diffusers do: features of outline and scribble for both predictions of
    classifier-free guidance, and the tokens of the image of zeros for the unconditional one."""

    def __init__(self, model: Path, folder: Path):
        self._tokenizer = CLIPTokenizer.from_pretrained(model / "tokenizer")
        self._text = CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32).eval()
        self._unet = UNet2DConditionModel.from_pretrained(model / "unet", dtype=torch.float32).eval()
        self._vae = AutoencoderKL.from_pretrained(model / "vae", dtype=torch.float32).eval()
        self._adapters = {
            kind: T2IAdapter.from_pretrained(folder / kind, dtype=torch.float32).eval() for kind in PICTURES
        }
        files = [split(folder / kind / "ip-adapter.safetensors") for kind in IMAGES]
        self._unet._load_ip_adapter_weights(files, low_cpu_mem_usage=False)
        self._eye = Eye()

    def _states(self, texts: list[str]) -> torch.Tensor:
        ids = self._tokenizer(
            texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        ).input_ids
        return self._text(ids).last_hidden_state

    def features(self, given: dict[str, tuple[list[np.ndarray], float]]) -> list[torch.Tensor] | None:
        """The sum of the features of outlines and scribbles."""
        features = None
        for kind, convert in (("outline", outline_input), ("scribble", scribble_input)):
            if kind in given:
                pictures, weight = given[kind]
                own = self._adapters[kind](torch.cat([convert(picture) for picture in pictures]))
                own = [weight * feature for feature in own]
                features = [a + b for a, b in zip(features, own)] if features else own
        return features

    def images(self, given: dict[str, tuple[list[np.ndarray], float]], count: int) -> list[torch.Tensor]:
        """The hidden states for the unconditional and the conditional predictions, of style and of content. Sets the
        weights of both."""
        nothing, states, weights = self._eye(None).repeat(count, 1, 1), [], []
        for kind in IMAGES:
            pictures, weight = given.get(kind, (None, 0.0))
            seen = nothing if pictures is None else self._eye(squeezed(pictures, SIDE))
            states.append(torch.cat([nothing, seen])[:, None])
            weights.append(weight)
        for processor in self._unet.attn_processors.values():
            if hasattr(processor, "scale"):
                processor.scale = list(weights)
        return states

    @torch.inference_mode()
    def __call__(
        self, prompts: list[str], seeds: list[int], given: dict[str, tuple[list[np.ndarray], float]]
    ) -> list[np.ndarray]:
        """`given` has for some kinds an inspiration of each picture, and its weight."""
        count, side = len(prompts), SIZE // 16
        states = torch.cat([self._states([""] * count), self._states(prompts)])
        features, images = self.features(given), self.images(given, count)
        noise = [
            torch.randn(1, 32, side, side, generator=torch.Generator().manual_seed(seed)) for seed in seeds
        ]
        scheduler = schedule()
        scheduler.set_timesteps(STEPS)
        latents = torch.cat(noise) * scheduler.init_noise_sigma
        for time in scheduler.timesteps:
            residuals = features and [torch.cat([feature] * 2) for feature in features]
            predicted = self._unet(
                scheduler.scale_model_input(torch.cat([latents] * 2), time),
                time,
                states,
                added_cond_kwargs={"image_embeds": images},
                down_intrablock_additional_residuals=residuals,
            ).sample
            without, text = predicted.chunk(2)
            guided = without + GUIDANCE * (text - without)
            scaled = guided * text.std((1, 2, 3), keepdim=True) / guided.std((1, 2, 3), keepdim=True)
            guided = RESCALE * scaled + (1 - RESCALE) * guided
            latents = scheduler.step(guided, time, latents).prev_sample
        pictures = self._vae.decode(latents / self._vae.config.scaling_factor).sample
        pictures = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return list(pictures.permute(0, 2, 3, 1).numpy())


# ---- the inspirations


def line_drawing(drawing: np.ndarray) -> np.ndarray:
    """Dark lines on white, u8 (height, width)."""
    return looks.line_drawing(looks.lines(drawing))[..., 0]


def rough(drawing: np.ndarray) -> np.ndarray:
    """Blobs of few colours, u8 (height, width, 4), opaque."""
    image = (
        Image.fromarray(drawing).resize((64, 64), Image.Resampling.BOX).filter(ImageFilter.MedianFilter(7))
    )
    image = image.quantize(6, dither=0).convert("RGBA").resize((SIZE, SIZE), Image.Resampling.NEAREST)
    return np.asarray(image)


def colour_distance(picture: np.ndarray, colours: np.ndarray) -> float:
    """The mean CIE76 distance at 16 x 16 colours."""
    a, b = (lab(looks.shrunk(np.ascontiguousarray(each[..., :3]), 16, 16)) for each in (picture, colours))
    return float(np.linalg.norm(a - b, axis=-1).mean())


def lightness_correlation(picture: np.ndarray, image: np.ndarray) -> float:
    """The correlation of 16 x 16 lightnesses."""
    a, b = (lab(looks.shrunk(each, 16, 16))[..., 0].ravel() for each in (picture, image))
    return float(np.corrcoef(a, b)[0, 1])


def silent(scene: Scene) -> str:
    """The description without style and time of day."""
    full, parts = describe(scene), describe(scene).split(", ")
    # The style is last, the time of day follows the place.
    hidden = {describe(scene).split(", ")[-1]}
    for time in ("dawn", "day", "dusk", "night"):
        if time != scene.time:
            hidden |= set(parts) - set(describe(replace(scene, time=time)).split(", "))
            break
    return ", ".join(part for part in full.split(", ") if part not in hidden)


@dataclass
class Test:
    """A row of the table: what is given, and the measure."""

    name: str
    kinds: tuple[str, ...]
    prompts: list[str]
    given: dict[str, list[np.ndarray]]
    shown: list[np.ndarray]  # on the sheet
    value: Callable[[np.ndarray, int], float]  # of a picture and its number
    target: str


def scenes(count: int, seed: int, name: str) -> list[Scene]:
    drawn = sampled(8 * count, f"adapters {seed} {name}", held_out=True)
    return [replace(scene, width=SIZE, height=SIZE) for scene in drawn if scene.subjects][:count]


def tests(count: int, seed: int) -> list[Test]:
    rng = random.Random(seed)
    asked, pool = scenes(count, seed, "asked"), scenes(6 * count, seed, "others")
    others = []
    for scene in asked:
        at = next(
            i
            for i, other in enumerate(pool)
            if other.place != scene.place and other.style != scene.style and other.time != scene.time
        )
        others.append(pool.pop(at))
    full, quiet = [describe(scene) for scene in asked], [silent(scene) for scene in asked]
    own, foreign = [draw(scene) for scene in asked], [draw(scene) for scene in others]
    twins = [draw(restyled(scene, rng)) for scene in asked]
    found: list[Test] = []
    for name, sources in (("same", own), ("other", foreign)):
        masks = [looks.lines(drawing) for drawing in sources]
        lines = [line_drawing(drawing) for drawing in sources]

        def on_lines(picture, i, masks=masks):
            return looks.edges_on_lines(picture, masks[i])

        target = "at least 2 and 1.5 x"
        given = {"outline": lines}
        found.append(Test(f"outline, {name}", ("outline",), full, given, lines, on_lines, target))
    for name, sources in (("same", own), ("other", foreign)):
        colours = [rough(drawing) for drawing in sources]

        def off(picture, i, colours=colours):
            return colour_distance(picture, colours[i])

        given = {"scribble": colours}
        shown = [picture[..., :3] for picture in colours]
        found.append(Test(f"scribble, {name}", ("scribble",), full, given, shown, off, "at most 0.5 x"))
    for name, sources in (("same", twins), ("other", foreign)):

        def alike(picture, i, sources=sources):
            return lightness_correlation(picture, sources[i])

        given = {"content": sources}
        found.append(Test(f"content, {name}", ("content",), full, given, sources, alike, "at least + 0.2"))
    for name, prompts in (("full", full), ("silent", quiet)):

        def unlike(picture, i):
            return looks.style_distance(picture, foreign[i])

        given = {"style": foreign}
        found.append(Test(f"style, {name}", ("style",), prompts, given, foreign, unlike, "at most 0.7 x"))
    lines, masks = [line_drawing(drawing) for drawing in own], [looks.lines(drawing) for drawing in own]

    def both_lines(picture, i):
        return looks.edges_on_lines(picture, masks[i])

    def both_style(picture, i):
        return looks.style_distance(picture, foreign[i])

    given = {"outline": lines, "style": foreign}
    found.append(Test("outline + style: lines", ("outline", "style"), quiet, given, foreign, both_lines, ""))
    found.append(Test("outline + style: style", ("outline", "style"), quiet, given, foreign, both_style, ""))
    given = {"content": twins, "style": foreign}

    def twin(picture, i):
        return lightness_correlation(picture, twins[i])

    found.append(Test("content + style: layout", ("content", "style"), quiet, given, twins, twin, ""))
    found.append(Test("content + style: style", ("content", "style"), quiet, given, twins, both_style, ""))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODELS / "sketch")
    parser.add_argument("--adapters", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kind", choices=KINDS, action="append", help="measures only these")
    parser.add_argument("--weights", type=float, nargs="+", default=WEIGHTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    parser.add_argument("--columns", type=int, default=8, help="pictures in a row of a sheet")
    args = parser.parse_args()
    illustrator = Illustrator(args.model, args.adapters)
    seeds = [args.seed + i for i in range(args.count)]
    kept: dict[tuple, list[np.ndarray]] = {}

    def drawn(test: Test, weight: float) -> list[np.ndarray]:
        key = (tuple(test.prompts), test.name.split(":")[0] if weight else "", weight)
        if key not in kept:
            pictures = []
            for start in range(0, args.count, 10):
                part = slice(start, start + 10)
                given = {kind: (test.given[kind][part], weight) for kind in test.kinds} if weight else {}
                pictures += illustrator(test.prompts[part], seeds[part], given)
            kept[key] = pictures
        return kept[key]

    rows = []
    for test in tests(args.count, args.seed):
        if args.kind and not set(test.kinds) <= set(args.kind):
            continue
        runs = [drawn(test, weight) for weight in (0.0, *args.weights)]
        means = [float(np.mean([test.value(p, i) for i, p in enumerate(run)])) for run in runs]
        correlates = test.name.startswith("content") and not test.name.endswith("style")
        change = means[2] - means[0] if correlates else means[2] / means[0]
        rows.append([test.name, *means, change, test.target])
        print(rows[-1], flush=True)
        if args.sheets and ":" not in test.name.replace(": lines", "").replace(": layout", ""):
            args.sheets.mkdir(parents=True, exist_ok=True)
            shown = [np.repeat(p[..., None], 3, 2) if p.ndim == 2 else p for p in test.shown[: args.columns]]
            labels = ["given"] * len(shown)
            for weight, run in zip((0.0, *args.weights), runs):
                shown += run[: args.columns]
                labels += [f"{weight}: {prompt}" for prompt in test.prompts[: args.columns]]
            name = test.name.split(":")[0].replace(", ", "-").replace(" + ", "-")
            grid.labelled(shown, labels, args.columns).save(args.sheets / f"{name}.png")
    head = ["given", "without", *(f"weight {weight:g}" for weight in args.weights), "change", "target"]
    digits = [0, *[2] * (len(args.weights) + 2), 0]
    args.out.write_text(f"{origin()}\n\n{table(head, rows, digits)}")


if __name__ == "__main__":
    main()

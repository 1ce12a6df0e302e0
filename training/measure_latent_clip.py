"""Measures the network that reads latents on drawings excluded from training, beside the picture tower of sketch-clip.

`python training/measure_latent_clip.py --drawings DIR... --network FILE`

Prints markdown tables: how often the right caption ranks first, how often the right value of an attribute ranks first
among all values, also for parts with masks, how well the difference of two embeddings matches that of their texts, how
often the nearest Gram matrix is of the same style, and how far guidance moves generated pictures towards another text.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

import parts
from drawings import Drawings
from evaluate import Clip
from latent_clip import LatentClip, gram
from metrics import rate
from painter import same_size_batches
from principal import CHANNELS, Code, tensor
from sketchbook import words
from sketchbook.caption import caption, describe
from sketchbook.draw import draw
from sketchbook.sampling import fits, of_edits
from sketchbook.scene import Scene
from tables import table
from views import ATTRIBUTES, Denoiser, embedded, variants

#: The timesteps of predictions, of 1000.
TIMES = (300, 600, 800, 900, 950)
#: The number of pairs of drawings for each attribute, and of guided pictures.
PAIRS, GUIDED = 40, 8
#: The number of drawings for parts.
PARTS = 400
#: The steps of guided pictures, and the scale of classifier-free guidance.
STEPS, SCALE = 12, 3.5
#: Strengths of guidance by this network, with the number of first steps that are guided. The strength is the norm of
#: the change of the predicted latents in a step, as a part of their norm.
STRENGTHS = ((0.0, 0), (0.1, STEPS), (0.2, STEPS), (0.4, 7))


class Exam:
    """Held-out drawings with their latents."""

    def __init__(self, folders: list[Path], code: Code, clip: Clip, denoiser: Denoiser, network: LatentClip, seed: int):
        self.code, self.clip, self.denoiser, self.network, self.seed = code, clip, denoiser, network, seed
        self.pictures: list[np.ndarray] = []
        self.scenes: list[Scene] = []
        #: The number of drawings in the first folder.
        self.first = 0
        for folder in folders:
            drawn = Drawings(folder)
            for i in drawn.unseen():
                self.pictures.append(drawn.picture(i))
                self.scenes.append(drawn.scenes[i])
            self.first = self.first or len(self.scenes)
        self.latents = [code(tensor(picture[None])) for picture in self.pictures]
        self.texts = [caption(scene, random.Random(f"{seed}/{i}")) for i, scene in enumerate(self.scenes)]

    def predicted(self, time: int) -> list[torch.Tensor]:
        """The denoiser's predictions at a timestep."""
        out = list(self.latents)
        for chosen in same_size_batches([tuple(each.shape) for each in out], 32):
            latents = torch.cat([self.latents[i] for i in chosen])
            times = torch.full((len(chosen),), time)
            found = self.denoiser.predict(latents, [self.texts[i] for i in chosen], times)
            for i, each in zip(chosen, found):
                out[i] = each[None]
        return out

    def embed(self, latents: list[torch.Tensor]) -> np.ndarray:
        return torch.cat([self.network(each) for each in latents]).numpy()

    def columns(self) -> dict[str, np.ndarray]:
        """The embeddings of all drawings, by the picture tower and from latents."""
        found = {"pictures": self.clip.pictures(self.pictures), "latents": self.embed(self.latents)}
        for time in TIMES:
            found[f"predicted at {time}"] = self.embed(self.predicted(time))
        return found


def recall(exam: Exam, columns: dict[str, np.ndarray]) -> str:
    right = embedded(exam.clip, exam.texts)[: exam.first]
    rows = []
    for name, found in columns.items():
        logits = found[: exam.first] @ right.T
        ranks = (logits > np.diag(logits)[:, None]).sum(1)
        rows.append([name, *(100 * float(np.mean(ranks < n)) for n in (1, 5))])
    return f"Captions of {exam.first} drawings.\n\n" + table(["", "first", "among five"], rows, digits=[0, 1, 1])


def attributes(exam: Exam, columns: dict[str, np.ndarray]) -> str:
    rows = []
    for attribute in ATTRIBUTES:
        lists = [variants(scene, attribute) for scene in exam.scenes]
        numbers = [i for i, others in enumerate(lists) if others]
        texts = [describe(scene) for i in numbers for scene in (exam.scenes[i], *lists[i])]
        found, start = embedded(exam.clip, texts), 0
        hits: dict[str, list[bool]] = {name: [] for name in columns}
        chance = []
        for i in numbers:
            options = found[start : start + 1 + len(lists[i])]
            start += len(options)
            chance.append(1 / len(options))
            for name, embeddings in columns.items():
                hits[name].append(bool((options @ embeddings[i]).argmax() == 0))
        rows.append([attribute, len(numbers), 100 * float(np.mean(chance)), *(rate(hits[name]) for name in columns)])
    return table(["", "n", "chance", *columns], rows, digits=[0, 0] + [1] * (len(columns) + 1))


def directions(exam: Exam) -> str:
    """Cosines of embedding differences of two drawings with those of their descriptions."""
    rows = []
    for attribute in ATTRIBUTES:
        rng, pairs = random.Random(f"pairs {exam.seed} {attribute}"), []
        for scene in exam.scenes:
            if (others := variants(scene, attribute)) and len(pairs) < PAIRS:
                pairs.append((scene, rng.choice(others)))
        drawn = [[draw(scene) for scene in pair] for pair in pairs]
        texts = embedded(exam.clip, [describe(scene) for pair in pairs for scene in pair]).reshape(len(pairs), 2, -1)
        flat = [picture for pair in drawn for picture in pair]
        row = [attribute, len(pairs)]
        for found in (
            exam.clip.pictures(flat),
            exam.embed([exam.code(tensor(picture[None])) for picture in flat]),
        ):
            found = found.reshape(len(pairs), 2, -1)
            moved, wanted = found[:, 1] - found[:, 0], texts[:, 1] - texts[:, 0]
            lengths = np.linalg.norm(moved, axis=1) * np.linalg.norm(wanted, axis=1)
            row.append(float(((moved * wanted).sum(1) / np.maximum(lengths, 1e-9)).mean()))
        rows.append(row)
    return table(["", "pairs", "pictures", "latents"], rows, digits=[0, 0, 2, 2])


def masked_parts(exam: Exam) -> str:
    """How often the right text of a part ranks first: among the kinds that fit, among all colours, and before an empty
    scene, for texts as those of edits; and the same for names alone."""
    hits: dict[str, list[bool]] = defaultdict(list)
    names = exam.clip.texts(parts.names())
    for i in range(PARTS):
        rng = random.Random(f"parts {exam.seed}/{i}")
        scene = of_edits(rng)
        for part in parts.parts(draw(scene), scene, rng)[:1]:
            mask = torch.from_numpy(part.mask)[None]
            found = exam.network(exam.code(tensor(part.picture[None])), mask)[0].numpy()
            [subject], own = scene.subjects, parts.number(scene)
            kinds = [kind for kind in words.SUBJECTS if fits(kind, scene.place)]
            options = {
                "kind": [replace(subject, kind=kind) for kind in kinds],
                "colour": [replace(subject, colour=colour) for colour in words.COLOURS],
                "not empty": [subject, None],
            }
            for what, others in options.items():
                scenes = [replace(scene, subjects=[other] if other else []) for other in others]
                wrong = [each for each in scenes if parts.number(each) != own]
                said = embedded(exam.clip, [parts.text(each, "edit", 0) for each in (scene, *wrong)])
                hits[f"{what}, as in edits"].append(bool((said @ found).argmax() == 0))
                numbers = [own, *map(parts.number, wrong)]
                hits[f"{what}, name alone"].append(bool((names[numbers] @ found).argmax() == 0))
    return table(["parts", "n", "right"], [[name, len(hit), rate(hit)] for name, hit in hits.items()], digits=[0, 0, 1])


def styles(exam: Exam) -> str:
    features = [exam.network.features(latents) for latents in exam.latents]
    own = np.array([words.STYLES.index(scene.style) for scene in exam.scenes])
    rows = []
    means = torch.stack([latents.mean((0, 2, 3)) for latents in exam.latents])
    candidates = {
        "fine": torch.cat([gram(fine) for fine, _ in features]).flatten(1),
        "coarse": torch.cat([gram(coarse) for _, coarse in features]).flatten(1),
        "latents": torch.cat([gram(latents) for latents in exam.latents]).flatten(1),
        "mean latents": means,
    }
    for name, grams in candidates.items():
        apart = torch.cdist(grams, grams).fill_diagonal_(torch.inf)
        rows.append([name, 100 * float(np.mean(own[apart.argmin(1).numpy()] == own))])
    return table(["Gram matrices of", "nearest has the same style"], rows, digits=[0, 1])


def guided(exam: Exam, vae: AutoencoderKL) -> str:
    """The cosine of generated pictures with a direction between two texts. The prompt is the first text, and guidance
    follows the gradient towards the second. The picture tower has no part in the guidance."""
    rows = []
    for attribute in ATTRIBUTES:
        rng, pairs = random.Random(f"guided {exam.seed} {attribute}"), []
        for scene in exam.scenes:
            if (others := variants(scene, attribute)) and len(pairs) < GUIDED:
                pairs.append((scene, rng.choice(others)))
        prompts = [describe(scene) for scene, _ in pairs]
        first, second = embedded(exam.clip, prompts), embedded(exam.clip, [describe(other) for _, other in pairs])
        direction = torch.from_numpy(second - first)
        direction /= direction.norm(dim=1, keepdim=True)
        for strength, steps in STRENGTHS:
            latents = sampled(exam, prompts, direction, strength, steps)
            decoded = torch.cat([vae.decode(each / vae.config.scaling_factor).sample for each in latents.split(4)])
            pictures = ((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            by_tower = torch.from_numpy(exam.clip.pictures(list(pictures)))
            found = [float((each * direction).sum(1).mean()) for each in (by_tower, exam.network(latents))]
            kept = float((by_tower * torch.from_numpy(first)).sum(1).mean())
            rows.append([f"{attribute}, {strength:g} in {steps} steps", *found, kept])
    columns = ("picture along the direction", "latents along it", "picture with the prompt")
    return table(["", *columns], rows, digits=[0, 2, 2, 2])


def sampled(
    exam: Exam, prompts: list[str], direction: torch.Tensor, strength: float, steps: int
) -> torch.Tensor:
    """Generates latents with DDIM. The first `steps` move the predicted latents along the gradient of their
    embedding."""
    count, denoiser = len(prompts), exam.denoiser
    x = torch.randn(count, CHANNELS, 16, 16, generator=torch.Generator().manual_seed(exam.seed))
    states = denoiser.states(prompts + [""] * count)
    times = torch.linspace(999, 0, STEPS + 1).round().long()
    for step, (time, following) in enumerate(zip(times, times[1:])):
        alpha, wanted, unwanted = denoiser.alphas[time], *(
            denoiser.clean(torch.cat([x, x]), states, time.expand(2 * count)).chunk(2)
        )
        clean = unwanted + SCALE * (wanted - unwanted)
        if step < steps:
            with torch.enable_grad():
                moved = clean.detach().requires_grad_()
                [gradient] = torch.autograd.grad((exam.network(moved) * direction).sum(), moved)
            far = clean.flatten(1).norm(dim=1) / gradient.flatten(1).norm(dim=1)
            clean = clean + strength * far.view(-1, 1, 1, 1) * gradient
        noise = (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        x = denoiser.alphas[following].sqrt() * clean + (1 - denoiser.alphas[following]).sqrt() * noise
    return clean


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    models = Path(__file__).parent.parent / "assets" / "models"
    parser.add_argument("--drawings", type=Path, nargs="+", required=True)
    parser.add_argument("--network", type=Path, default=models / "sketch-clip" / "latents.safetensors")
    parser.add_argument("--code", type=Path, default=Path(__file__).parent, help="the folder of principal.npz")
    parser.add_argument("--model", type=Path, default=models / "sketch")
    parser.add_argument("--clip", type=Path, default=models / "sketch-clip")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    with torch.no_grad():
        exam = Exam(
            args.drawings,
            Code.load(args.code),
            Clip(args.clip),
            Denoiser(args.model),
            LatentClip.load(args.network),
            args.seed,
        )
        columns = exam.columns()
        print(recall(exam, columns), flush=True)
        print(attributes(exam, columns), flush=True)
        print(directions(exam), flush=True)
        print(masked_parts(exam), flush=True)
        print(styles(exam), flush=True)
        vae = AutoencoderKL.from_pretrained(args.model / "vae", dtype=torch.float32).eval()
        print(guided(exam, vae), flush=True)


if __name__ == "__main__":
    main()

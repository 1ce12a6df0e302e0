"""Trains the network that reads latents, against the frozen encoders of sketch-clip.

`python training/train_latent_clip.py --views FILE.pt... --out DIR --minutes M [--start FILE]`

The loss has five terms: the contrastive loss of CLIP with captions, of which some more differ from the right one in
one attribute; the order of the right caption and these; the distance to the embedding of the picture; the similarity of
Gram matrices of the same style (supervised contrast, Khosla et al. 2020, arXiv:2004.11362); and for parts, which of all
subjects it is. Two in five batches are parts with masks, and the others are whole drawings or crops. Half of the batches
are latents as a sampler predicts them: by the denoiser, or blurred.

Writes `latents.safetensors` (f16). A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

import parts
from evaluate import Clip
from latent_clip import BLOCKS, LatentClip, gram
from loop import Training, arguments
from muon import optimizers
from views import UNNAMED, Views, embedded, load

#: The least size of whole drawings, in latents. Crops are smaller.
WHOLE = 196
#: The shares of batches of whole drawings, crops and parts.
SHARES = (0.3, 0.3, 0.4)
#: The share of batches of predicted latents, and of blurred ones.
PREDICTED, BLURRED = 0.3, 0.2
#: The share of batches that are moved towards wrong captions, and the largest distance as a part of the latents' norm.
MISLED, FARTHEST = 0.7, 0.25
#: The weights of the terms of the loss other than the contrastive one.
ORDER, DISTANCE, STYLE, NAME, TEACHER = 0.5, 4.0, 0.25, 0.5, 8.0
#: The temperature of similarities of Gram matrices.
TEMPERATURE = 0.1


def blurred(latents: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Latents like the predictions of early steps: late components are weaker, the rest is smoothed in space, and there
    is a little noise. The strength is different for each picture."""
    count, channels = latents.shape[:2]
    strength, smoothing, noise = torch.rand(3, count, 1, 1, 1, generator=generator)
    # The expected value of a component of variance 1 / c, given noise of variance s / (1 - s).
    number = torch.arange(1, channels + 1).view(1, -1, 1, 1)
    latents = latents * (1 - strength) / (1 - strength + strength * number / 8 + 1e-6)
    smooth = F.avg_pool2d(F.pad(latents, (1, 1, 1, 1), mode="replicate"), 3, 1)
    latents = latents.lerp(smooth, smoothing)
    return latents + 0.2 * noise * torch.randn(latents.shape, generator=generator)


@dataclass
class Batch:
    """Views of one size."""

    latents: torch.Tensor  # (batch, 32, height, width)
    masks: torch.Tensor  # (batch, 1, height, width)
    styles: torch.Tensor  # (batch,)
    names: torch.Tensor  # (batch,)
    pictures: torch.Tensor  # (batch, 128)
    captions: torch.Tensor  # (batch, 128)
    altered: torch.Tensor  # (batch, n, 128)


class Batches:
    """Random batches of views of one size: of whole drawings, of crops, or of parts."""

    def __init__(self, views: list[Views], size: int):
        self._size = size
        #: Whole drawings, crops and parts.
        self._kinds: list[list[Views]] = [[], [], []]
        for each in views:
            small = each.latents.shape[2] * each.latents.shape[3] < WHOLE
            if len(each.latents) >= size:
                self._kinds[2 if each.names[0] != UNNAMED else int(small)].append(each)

    def draw(self, rng: random.Random) -> Batch:
        [kind] = rng.choices(self._kinds, [share * bool(kind) for share, kind in zip(SHARES, self._kinds)])
        [views] = rng.choices(kind, [len(each.latents) for each in kind])
        chance = rng.random()
        predicted = chance < PREDICTED and len(views.predicted) >= self._size
        source = views.predicted if predicted else views.latents
        chosen = torch.tensor(rng.sample(range(len(source)), self._size))
        latents = source[chosen].float()
        if PREDICTED <= chance < PREDICTED + BLURRED:
            latents = blurred(latents)
        words = torch.tensor([rng.randrange(views.captions.shape[1]) for _ in range(self._size)])
        rows = (each[chosen] for each in (views.masks, views.styles, views.names, views.pictures))
        return Batch(latents, *rows, views.captions[chosen, words], views.altered[chosen, words])


def losses(found: torch.Tensor, batch: Batch, names: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
    """The terms of the loss for embeddings `found`, (batch, 128). `names` are the embeddings of parts.names()."""
    logits = scale * found @ batch.captions.T
    right, wrong = logits.diagonal()[:, None], scale * (found[:, None] * batch.altered).sum(2)
    # Some captions equal their altered ones, or that of another view.
    differs = (batch.captions[:, None] - batch.altered).abs().amax(2) > 1e-4
    same = (batch.captions @ batch.captions.T > 1 - 1e-4).fill_diagonal_(False)
    logits = logits.masked_fill(same, -100)
    pairs = torch.arange(len(found))
    every = torch.cat([logits, wrong.masked_fill(~differs, -100)], 1)
    named = batch.names != UNNAMED
    return {
        "contrast": (F.cross_entropy(every, pairs) + F.cross_entropy(logits.T, pairs)) / 2,
        "order": F.softplus(wrong - right)[differs].sum() / differs.numel(),
        "distance": 1 - (found * batch.pictures).sum(1).mean(),
        "name": F.cross_entropy(scale * found[named] @ names.T, batch.names[named]) if named.any() else torch.zeros(()),
    }


def misled(network: LatentClip, batch: Batch) -> torch.Tensor:
    """Moves latents along the gradient from the right to a wrong caption: an altered one, or that of another view."""
    latents, captions, altered = batch.latents, batch.captions, batch.altered[:, 0]
    other = torch.rand(len(latents), 1) < 0.5
    towards = torch.where(other | (captions == altered).all(1, keepdim=True), captions.roll(1, 0), altered) - captions
    latents = latents.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(latents, batch.masks)
    [gradient] = torch.autograd.grad((F.normalize(found.float(), dim=-1) * towards).sum(), latents)
    lengths = [x.flatten(1).norm(dim=1) for x in (latents.detach(), gradient)]
    far = FARTHEST * torch.rand(len(latents)) * lengths[0] / lengths[1].clamp(min=1e-12)
    return latents.detach() + far.view(-1, 1, 1, 1) * gradient


def style_loss(features: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
    """The mean of -log p, where p is the probability that a Gram matrix chooses a certain other one of its style. 0 if
    all styles are different."""
    grams = F.normalize(gram(features).flatten(1).float(), dim=-1)
    same = (styles[:, None] == styles).fill_diagonal_(False)
    logits = (grams @ grams.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    chances = logits.log_softmax(1).masked_fill(~same, 0).sum(1) / same.sum(1).clamp(min=1)
    return -chances.sum() / same.any(1).sum().clamp(min=1)


def train(network: LatentClip, views: list[Views], names: torch.Tensor, args: argparse.Namespace) -> None:
    steppers = [(each, 1.0) for each in optimizers(network, args.lr, 0.01, ("stem", "head.1"))]
    training = Training(network, steppers, args, keep=0.99, steady=0.4)
    batches = Batches(views, args.batch)
    teacher = args.teacher and LatentClip.load(args.teacher).to(memory_format=torch.channels_last)
    for _ in training:
        batch = batches.draw(training.rng)
        batch.latents = batch.latents.contiguous(memory_format=torch.channels_last)
        if teacher:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                taught = F.normalize(teacher(batch.latents, batch.masks).float(), dim=-1)
        if training.rng.random() < MISLED:
            batch.latents = misled(network, batch)
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(batch.latents)
            found = network.embedding(features[-1], batch.masks)
        found = F.normalize(found.float(), dim=-1)
        terms = losses(found, batch, names, args.scale)
        terms["style"] = sum(style_loss(each, batch.styles) for each in features)
        loss = terms["contrast"] + ORDER * terms["order"] + DISTANCE * terms["distance"]
        loss = loss + STYLE * terms["style"] + NAME * terms["name"]
        if teacher:
            # The teacher reads latents that are not misled, so the network learns to keep its embedding.
            terms["teacher"] = 1 - (found * taught).sum(1).mean()
            loss = loss + TEACHER * terms["teacher"]
        training.learn(loss, {name: term.item() for name, term in terms.items()})
        if training.step % 200 == 0:
            training.save()
    training.save()
    training.average.apply()


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=128)
    parser.add_argument("--views", type=Path, nargs="+", required=True, help="the output of views.py")
    parser.add_argument("--start", type=Path, help="weights to continue from")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of a network without --start")
    parser.add_argument("--teacher", type=Path, help="weights of a larger network with the wanted embeddings")
    parser.add_argument("--scale", type=float, default=19.66, help="of logits, as in sketch-clip")
    clip = Path(__file__).parent.parent / "assets" / "models" / "sketch-clip"
    parser.add_argument("--clip", type=Path, default=clip)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    network = (LatentClip.load(args.start).train() if args.start else LatentClip(args.blocks)).to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    names = torch.from_numpy(embedded(Clip(args.clip), parts.names()))
    train(network, load(args.views), names, args)
    network.save(args.out / "latents.safetensors")


if __name__ == "__main__":
    main()

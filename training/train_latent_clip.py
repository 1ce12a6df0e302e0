"""Trains the network that reads latents, against the frozen encoders of sketch-clip.

`python training/train_latent_clip.py --views FILE.pt... --drawings DIR --out DIR --minutes M`

The loss has four terms: the contrastive loss of CLIP with captions, of which one more differs from the right one in
one attribute; the order of these two captions; the distance to the embedding of the picture; and the similarity of Gram
matrices of the same style (supervised contrast, Khosla et al. 2020, arXiv:2004.11362). Half of the batches are crops.
Half are latents as a sampler predicts them: by the denoiser, or blurred.

Writes `latents.safetensors` (f16) and prints measures on drawings excluded from training. A stopped run can be
continued, see loop.py.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F

from latent_clip import LatentClip, gram
from loop import Training, arguments
from muon import optimizers
from views import Views, load

#: The least size of whole drawings, in latents. Crops are smaller.
WHOLE = 196
#: The share of batches of predicted latents, and of blurred ones.
PREDICTED, BLURRED = 0.3, 0.2
#: The share of batches that are moved towards wrong captions, and the largest distance as a part of the latents' norm.
MISLED, FARTHEST = 0.7, 0.25
#: The weights of the terms of the loss other than the contrastive one.
ORDER, DISTANCE, STYLE = 0.5, 4.0, 0.25
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


class Batches:
    """Random batches of views of one size, half of them of whole drawings."""

    def __init__(self, views: list[Views], size: int):
        self._size = size
        sides = [each.latents.shape[2] * each.latents.shape[3] for each in views]
        #: Whole drawings, and crops.
        self._kinds = [
            [each for each, side in zip(views, sides) if (side >= WHOLE) == whole and len(each.latents) >= size]
            for whole in (True, False)
        ]

    def draw(self, rng: random.Random) -> tuple[torch.Tensor, ...]:
        """Latents, their styles, and the embeddings of their pictures, captions and altered captions."""
        kind = rng.choice([kind for kind in self._kinds if kind])
        [views] = rng.choices(kind, [len(each.latents) for each in kind])
        chance = rng.random()
        predicted = chance < PREDICTED and len(views.predicted) >= self._size
        source = views.predicted if predicted else views.latents
        chosen = torch.tensor(rng.sample(range(len(source)), self._size))
        latents = source[chosen].float()
        if PREDICTED <= chance < PREDICTED + BLURRED:
            latents = blurred(latents)
        words = torch.tensor([rng.randrange(views.captions.shape[1]) for _ in range(self._size)])
        captions, altered = views.captions[chosen, words], views.altered[chosen, words]
        return latents, views.styles[chosen], views.pictures[chosen], captions, altered


def losses(
    found: torch.Tensor, pictures: torch.Tensor, captions: torch.Tensor, altered: torch.Tensor, scale: float
) -> dict[str, torch.Tensor]:
    """The terms of the loss for embeddings `found`, (batch, 128), like all others."""
    logits = scale * found @ captions.T
    right, wrong = logits.diagonal(), scale * (found * altered).sum(1)
    # Some captions have no altered one, and are stored twice.
    differs = (captions - altered).abs().amax(1) > 1e-4
    pairs = torch.arange(len(found))
    every = torch.cat([logits, wrong.masked_fill(~differs, -100)[:, None]], 1)
    return {
        "contrast": (F.cross_entropy(every, pairs) + F.cross_entropy(logits.T, pairs)) / 2,
        "order": F.softplus(wrong - right)[differs].sum() / len(found),
        "distance": 1 - (found * pictures).sum(1).mean(),
    }


def misled(
    network: LatentClip, latents: torch.Tensor, captions: torch.Tensor, altered: torch.Tensor
) -> torch.Tensor:
    """Moves latents along the gradient from the right to a wrong caption: the altered one, or that of another view."""
    other = torch.rand(len(latents), 1) < 0.5
    towards = torch.where(other | (captions == altered).all(1, keepdim=True), captions.roll(1, 0), altered) - captions
    latents = latents.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(latents)
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


def train(network: LatentClip, views: list[Views], scale: float, args: argparse.Namespace) -> None:
    steppers = [(each, 1.0) for each in optimizers(network, args.lr, 0.01, ("stem", "head.1"))]
    training = Training(network, steppers, args, keep=0.99, steady=0.4)
    batches = Batches(views, args.batch)
    for _ in training:
        latents, styles, *embeddings = batches.draw(training.rng)
        latents = latents.contiguous(memory_format=torch.channels_last)
        if training.rng.random() < MISLED:
            latents = misled(network, latents, *embeddings[1:])
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(latents)
            found = network.embedding(features[-1])
        parts = losses(F.normalize(found.float(), dim=-1), *embeddings, scale)
        parts["style"] = sum(style_loss(each, styles) for each in features)
        loss = parts["contrast"] + ORDER * parts["order"] + DISTANCE * parts["distance"] + STYLE * parts["style"]
        training.learn(loss, {name: part.item() for name, part in parts.items()})
        if training.step % 200 == 0:
            training.save()
    training.save()
    training.average.apply()


def main() -> None:
    parser = arguments(__doc__, lr=4e-3, batch=128)
    parser.add_argument("--views", type=Path, nargs="+", required=True, help="the output of views.py")
    parser.add_argument("--scale", type=float, default=19.66, help="of logits, as in sketch-clip")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    network = LatentClip().to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    train(network, load(args.views), args.scale, args)
    network.save(args.out / "latents.safetensors")


if __name__ == "__main__":
    main()

"""Runs the network of sketch-clip that reads latents, and records features, Gram matrices, embedding and a gradient.
Also records embeddings of texts.

Repeats `training/latent_clip.py` with plain functions.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import CLIPTextModelWithProjection, CLIPTokenizerFast

from common import randn, save_tensors

FOLDER = Path(__file__).parents[2] / "assets" / "models" / "sketch-clip"
WEIGHTS = FOLDER / "latents.safetensors"
TEXTS = {"coat": "a green coat", "night": "A lighthouse by the sea, at night."}


def features(weights, latents):
    """The fine and the coarse features."""

    def conv(name, x, **options):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    fine = conv("stem", latents)
    fine = fine + conv("fine.0", F.silu(fine), padding=1)
    coarse = conv("down", F.silu(fine), stride=2, padding=1)
    coarse = coarse + conv("coarse.0", F.silu(coarse), padding=1)
    return fine, coarse


def embedding(weights, coarse, mask):
    """A unit vector. Each weight of the coarse grid is the mean of four weights of the mask; weights beyond its edges
    are 0."""
    height, width = mask.shape[-2:]
    shares = F.avg_pool2d(F.pad(mask, (0, width % 2, 0, height % 2)), 2)
    x = (F.silu(coarse) * shares).sum((2, 3)) / shares.sum((2, 3))
    x = F.silu(F.linear(x, weights["head.0.weight"], weights["head.0.bias"]))
    x = F.linear(x, weights["head.1.weight"], weights["head.1.bias"])
    return x / x.norm(dim=-1, keepdim=True)


def gram(features):
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def record():
    weights = {name: values.float() for name, values in load_file(WEIGHTS).items()}
    # About the deviations of latents of drawings.
    deviations = 3 / torch.arange(1, 33).view(1, -1, 1, 1).sqrt()
    latents = (deviations * randn("latents/latents", 1, 32, 9, 14)).requires_grad_()
    mask = randn("latents/mask", 1, 1, 9, 14).sigmoid()
    direction = F.normalize(randn("latents/direction", 1, 128), dim=-1)
    with torch.enable_grad():
        fine, coarse = features(weights, latents)
        found = embedding(weights, coarse, mask)
        cosine = (found * direction).sum()
        [gradient] = torch.autograd.grad(cosine, latents)
    save_tensors(
        "networks/sketch_clip_latents.safetensors",
        {
            "latents": latents,
            "mask": mask,
            "direction": direction,
            "fine": fine,
            "coarse": coarse,
            "fine_gram": gram(fine),
            "coarse_gram": gram(coarse),
            "embedding": found,
            "cosine": cosine[None],
            "gradient": gradient,
        },
    )
    tokenizer = CLIPTokenizerFast.from_pretrained(FOLDER)
    encoder = CLIPTextModelWithProjection.from_pretrained(FOLDER, dtype=torch.float32)
    embeddings = {}
    for name, text in TEXTS.items():
        ids = tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids
        embeddings[name] = F.normalize(encoder(ids).text_embeds, dim=-1)
    save_tensors("networks/sketch_clip_texts.safetensors", embeddings)

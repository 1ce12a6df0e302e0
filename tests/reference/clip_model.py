"""Runs a CLIP model with random weights with transformers, and records what a loss needs of it: embeddings of a text and of a
part of a picture, feature maps, and gradients with respect to the picture.

The picture has 40 x 72 pixels, and the part covers some of them: its smallest rectangle is cut out, filled up to a square with
the mean colour of CLIP, and resized to 24 x 24 pixels.
"""

import shutil

import torch
import torch.nn.functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizerFast

from common import FIXTURES, randn, randomise, save_tensors

FOLDER = FIXTURES / "sd1_clip"
SIDE, PATCH, GRID = 24, 8, 3
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)
TEXT = "a red lighthouse by the sea at night"


def model():
    """A CLIP model with the tokenizer of `sd1`, whose weights are those in its file: f16."""
    tokenizer = FIXTURES / "sd1" / "tokenizer"
    ids = CLIPTokenizerFast.from_pretrained(tokenizer)
    layers = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=4)
    config = CLIPConfig(
        text_config=dict(
            **layers,
            vocab_size=len(ids),
            max_position_embeddings=77,
            bos_token_id=ids.bos_token_id,
            eos_token_id=ids.eos_token_id,
            pad_token_id=ids.pad_token_id,
        ),
        vision_config=dict(**layers, image_size=SIDE, patch_size=PATCH),
        projection_dim=12,
    )
    clip = CLIPModel(config)
    for name in ("text_model", "vision_model", "text_projection", "visual_projection"):
        randomise(getattr(clip, name), f"sd1/clip/{name}")
    clip = clip.half()
    clip.save_pretrained(FOLDER)
    for file in tokenizer.iterdir():
        shutil.copy(file, FOLDER / file.name)
    return clip.float().eval(), ids


def look(picture, mask):
    """What the vision encoder reads of a part."""
    masked = (picture - MEAN) / STD * mask
    rows, columns = mask[0, 0].amax(1).nonzero().flatten(), mask[0, 0].amax(0).nonzero().flatten()
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    down, across = bottom - top, right - left
    side = max(down, across)
    above, before = (side - down) // 2, (side - across) // 2
    padding = (before, side - across - before, above, side - down - above)

    def square(x):
        x = F.pad(x[:, :, top:bottom, left:right], [int(it) for it in padding])
        return F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)

    return square(masked), square(mask)


def record():
    clip, tokenizer = model()
    picture = randn("sd1/clip/picture", 1, 3, 40, 72).sigmoid().requires_grad_()
    mask = torch.zeros(1, 1, 40, 72)
    mask[:, :, 6:35, 10:58] = randn("sd1/clip/mask", 1, 1, 29, 48).sigmoid()
    tokens = tokenizer(TEXT, padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = F.normalize(clip.text_projection(clip.text_model(tokens).pooler_output), dim=-1)
    with torch.enable_grad():
        pixels, shares = look(picture, mask)
        seen = clip.vision_model(pixels, output_hidden_states=True)
        embedding = F.normalize(clip.visual_projection(seen.pooler_output), dim=-1)
        # The first hidden state is the input of the first layer.
        fine, coarse = [
            seen.hidden_states[layer][:, 1:].mT.unflatten(2, (GRID, GRID)) for layer in (1, 3)
        ]
        [gradient] = torch.autograd.grad((embedding * text).sum(), picture, retain_graph=True)
        [of_features] = torch.autograd.grad(fine.square().mean() + coarse.square().mean(), picture)
    save_tensors(
        "networks/sd1_clip.safetensors",
        {
            "picture": picture,
            "mask": mask,
            "text": text,
            "embedding": embedding,
            "fine": fine,
            "coarse": coarse,
            "shares": F.avg_pool2d(shares, PATCH),
            "gradient": gradient,
            "features.gradient": of_features,
        },
    )

"""Runs the adapters of the built-in model with diffusers, and records their inputs, features, tokens and predictions of
the denoiser.

The picture has 144 x 112 pixels: 9 x 7 latents, which the adapters see as 5 x 4 cells.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import T2IAdapter, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPModel

from common import randn, save_tensors

MODELS = Path(__file__).parents[2] / "assets" / "models"
ADAPTERS = MODELS / "sketch-adapters"
HEIGHT, WIDTH = 112, 144
#: The weights of the prediction with all adapters.
WEIGHTS = {"outline": 1.0, "scribble": 0.5, "style": 1.5, "content": 0.75}
#: The shrinking of the inputs, and the cells of the adapters in pixels of a picture.
SHRINK, CELL = {"outline": 2, "scribble": 4}, 32


def smooth(name, channels, height, width):
    """A random u8 picture (channels, height, width) of soft blobs."""
    coarse = randn(name, 1, channels, height // 16 + 1, width // 16 + 1)
    x = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0]
    return (127.5 + 80 * x).round().clamp(0, 255).to(torch.uint8)


def reduced(x, kind):
    """The means of squares of pixels, padded with 0 at the right and at the bottom to whole cells."""
    x = F.avg_pool2d(x[None], SHRINK[kind])
    side = CELL // SHRINK[kind]
    return F.pad(x, (0, -x.shape[-1] % side, 0, -x.shape[-2] % side))


def inputs(lines, colours):
    """The inputs of outline and scribble, from dark lines on white (1, h, w) and from RGBA (4, h, w), u8."""
    colours = colours.float() / 255
    colours = torch.cat([(2 * colours[:3] - 1) * colours[3:], colours[3:]])
    return {"outline": reduced(1 - lines.float() / 255, "outline"), "scribble": reduced(colours, "scribble")}


def split(kind):
    state = {"image_proj": {}, "ip_adapter": {}}
    for name, weight in load_file(ADAPTERS / kind / "ip-adapter.safetensors").items():
        part, name = name.split(".", 1)
        state[part][name] = weight.float()
    return state


def record():
    lines = torch.where(smooth("adapters/lines", 1, HEIGHT, WIDTH) > 150, 20, 255).to(torch.uint8)
    colours = smooth("adapters/colours", 4, HEIGHT, WIDTH)
    colours[3] = torch.where(colours[3] > 100, 255, colours[3] // 2)
    images = {kind: smooth(f"adapters/{kind}", 3, 128, 128) for kind in ("style", "content")}
    tensors = {"lines": lines, "colours": colours}

    given, features = inputs(lines, colours), []
    for kind, value in given.items():
        network = T2IAdapter.from_pretrained(ADAPTERS / kind, dtype=torch.float32).eval()
        features.append([WEIGHTS[kind] * feature for feature in network(value)])
        tensors[f"{kind}.input"] = value
        tensors |= {f"{kind}.features.{i}": feature for i, feature in enumerate(network(value))}
    features = [a + b for a, b in zip(*features)]

    unet = UNet2DConditionModel.from_pretrained(MODELS / "sketch" / "unet", dtype=torch.float32).eval()
    noisy, states = randn("adapters/noisy", 1, 32, HEIGHT // 16, WIDTH // 16), randn("adapters/states", 1, 77, 128)
    time = torch.tensor(800)
    tensors |= {"noisy": noisy, "states": states, "plain": unet(noisy, time, states).sample}

    def predict(**options):
        # diffusers empties the list of features, and adds to the outputs of blocks in place.
        return unet(noisy, time, states, **options).sample

    tensors["with_pictures"] = predict(down_intrablock_additional_residuals=list(features))

    eye = CLIPModel.from_pretrained(MODELS / "sketch-clip", dtype=torch.float32).vision_model.eval()

    def hidden(pixels):
        return eye(pixels, output_hidden_states=True).hidden_states[-2]

    unet._load_ip_adapter_weights([split("style"), split("content")], low_cpu_mem_usage=False)
    nothing, seen = hidden(torch.zeros(1, 3, 128, 128)), []
    projections = unet.encoder_hid_proj.image_projection_layers
    for (kind, picture), projection in zip(images.items(), projections):
        states_of = hidden(picture[None].float() / 127.5 - 1)
        seen.append(states_of[:, None])
        tensors |= {
            kind: picture,
            f"{kind}.hidden": states_of,
            f"{kind}.tokens": projection(states_of),
            f"{kind}.no_tokens": projection(nothing),
        }

    def weigh(*weights):
        for processor in unet.attn_processors.values():
            if hasattr(processor, "scale"):
                processor.scale = list(weights)

    seen = {"image_embeds": seen}
    weigh(WEIGHTS["style"], 0.0)
    tensors["with_style"] = predict(added_cond_kwargs=seen)
    weigh(WEIGHTS["style"], WEIGHTS["content"])
    tensors["with_all"] = predict(added_cond_kwargs=seen, down_intrablock_additional_residuals=list(features))
    save_tensors("networks/sketch_adapters.safetensors", tensors)

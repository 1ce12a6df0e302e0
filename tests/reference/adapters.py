"""Runs adapters with diffusers, and records their inputs, features, tokens and predictions of the denoiser: those of the
built-in model, and some with random weights for the small model `sd1`.

The picture of the built-in model has 144 x 112 pixels: 9 x 7 latents, which the adapters see as 5 x 4 cells. That of
`sd1` has as many latents.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from diffusers import T2IAdapter, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from common import FIXTURES, randn, randomise, save_tensors

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


def resized():
    """A random picture, and its pixels at the size that the encoder reads."""
    photo = (randn("adapters/photo", 200, 96, 3) * 60 + 127).round().clamp(0, 255).to(torch.uint8)
    pixels = Image.fromarray(photo.numpy()).resize((128, 128), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(pixels))
    return {"photo": photo.permute(2, 0, 1), "photo.resized": pixels.permute(2, 0, 1)}


def split(file):
    """The state of an IP-Adapter as diffusers takes it."""
    state = {"image_proj": {}, "ip_adapter": {}}
    for name, weight in load_file(file).items():
        part, name = name.split(".", 1)
        state[part][name] = weight.float()
    return state


def weigh(unet, *weights):
    """Sets the weights of the IP-Adapters."""
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = list(weights)


def record():
    record_built_in()
    record_sd1()


def record_built_in():
    lines = torch.where(smooth("adapters/lines", 1, HEIGHT, WIDTH) > 150, 20, 255).to(torch.uint8)
    colours = smooth("adapters/colours", 4, HEIGHT, WIDTH)
    colours[3] = torch.where(colours[3] > 100, 255, colours[3] // 2)
    mask = smooth("adapters/mask", 1, HEIGHT, WIDTH)
    images = {kind: smooth(f"adapters/{kind}", 3, 128, 128) for kind in ("style", "content")}
    tensors = {"lines": lines, "colours": colours, "mask": mask, **resized()}

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

    files = [ADAPTERS / kind / "ip-adapter.safetensors" for kind in images]
    unet._load_ip_adapter_weights([split(file) for file in files], low_cpu_mem_usage=False)
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

    seen = {"image_embeds": seen}
    weigh(unet, WEIGHTS["style"], 0.0)
    tensors["with_style"] = predict(added_cond_kwargs=seen)
    weigh(unet, WEIGHTS["style"], WEIGHTS["content"])
    tensors["with_all"] = predict(added_cond_kwargs=seen, down_intrablock_additional_residuals=list(features))

    # The images and the features have opposite masks.
    mask = mask[None].float() / 255
    cells = F.avg_pool2d(1 - mask, CELL, ceil_mode=True, count_include_pad=False)
    tensors["with_masks"] = predict(
        added_cond_kwargs=seen,
        cross_attention_kwargs={"ip_adapter_masks": [mask, 1 - mask]},
        down_intrablock_additional_residuals=[feature * cells for feature in features],
    )
    save_tensors("networks/sketch_adapters.safetensors", tensors)


#: T2I-Adapters. The first one has the channels of `sd1`.
T2I_ADAPTERS = {
    "full": dict(in_channels=3, channels=[8, 16, 16, 24], num_res_blocks=2, adapter_type="full_adapter"),
    "light": dict(in_channels=1, channels=[8, 16, 16], num_res_blocks=1, adapter_type="light_adapter"),
}
#: The widths of the image encoder's embeddings and hidden states, and of a token.
EMBEDDING, HIDDEN, TOKEN = 10, 12, 24


def ip_adapter(kind, unet):
    """The random weights of an IP-Adapter for `sd1`, by the names in files of IP-Adapter."""
    if kind == "plain":
        shapes = {"proj.weight": (4 * TOKEN, EMBEDDING), "proj.bias": (4 * TOKEN,)}
        shapes |= {"norm.weight": (TOKEN,), "norm.bias": (TOKEN,)}
    else:
        # Six tokens of width 16. diffusers knows heads of width 64 and four layers only.
        shapes = {"latents": (1, 6, 16), "proj_in.weight": (16, HIDDEN), "proj_in.bias": (16,)}
        shapes |= {"proj_out.weight": (TOKEN, 16), "proj_out.bias": (TOKEN,)}
        shapes |= {"norm_out.weight": (TOKEN,), "norm_out.bias": (TOKEN,)}
        for layer in range(4):
            for norm in ("0.norm1", "0.norm2", "1.0"):
                shapes |= {f"layers.{layer}.{norm}.{part}": (16,) for part in ("weight", "bias")}
            dense = {"0.to_q": (128, 16), "0.to_kv": (256, 16), "0.to_out": (16, 128), "1.1": (64, 16), "1.3": (16, 64)}
            shapes |= {f"layers.{layer}.{name}.weight": shape for name, shape in dense.items()}
    shapes = {f"image_proj.{name}": shape for name, shape in shapes.items()}
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for number, name in enumerate(crossing):
        width = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        shapes |= {f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight": (width, TOKEN) for part in "kv"}
    state = {}
    for name, shape in shapes.items():
        noise = randn(f"sd1/{kind}/{name}", *shape)
        is_norm = "norm" in name or ".1.0." in name
        if len(shape) == 1:
            noise = 1 + 0.2 * noise if is_norm and name.endswith("weight") else 0.2 * noise
        else:
            noise = noise / shape[-1] ** 0.5
        state[name] = noise
    return state


def record_sd1():
    folder = FIXTURES / "sd1_adapters"
    unet = UNet2DConditionModel.from_pretrained(FIXTURES / "sd1" / "unet").eval()
    noisy, states = randn("sd1/noisy", 1, 4, 7, 9), randn("sd1/states", 1, 77, 24)
    tensors = {"noisy": noisy, "states": states}

    def predict(**options):
        return unet(noisy, torch.tensor(500), states, **options).sample

    for kind, options in T2I_ADAPTERS.items():
        network = randomise(T2IAdapter(**options), f"sd1/{kind}")
        network.save_pretrained(folder / kind)
        value = randn(f"sd1/{kind}/input", 1, options["in_channels"], 56, 72)
        features = network(value)
        tensors |= {f"{kind}.features.{i}": feature for i, feature in enumerate(features)}
        tensors[f"{kind}.input"] = value
        if kind == "full":
            tensors["features.prediction"] = predict(down_intrablock_additional_residuals=list(features))

    config = CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=20,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=20,
        patch_size=6,
        projection_dim=EMBEDDING,
        hidden_act="gelu",
    )
    encoder = randomise(CLIPVisionModelWithProjection(config), "sd1/image_encoder")
    encoder.save_pretrained(folder / "image_encoder")
    image = randn("sd1/image", 1, 3, 20, 20)
    output = encoder(image, output_hidden_states=True)
    encoded = {"plain": output.image_embeds, "plus": output.hidden_states[-2]}
    tensors["image"] = image

    for kind in encoded:
        save_tensors(folder / f"{kind}.safetensors", ip_adapter(kind, unet))
    files = [folder / f"{kind}.safetensors" for kind in encoded]
    unet._load_ip_adapter_weights([split(file) for file in files], low_cpu_mem_usage=False)
    projections = unet.encoder_hid_proj.image_projection_layers
    for (kind, value), projection in zip(encoded.items(), projections):
        tensors |= {f"{kind}.encoded": value, f"{kind}.tokens": projection(value)}
    weigh(unet, 0.5, 0.75)
    seen = {"image_embeds": [value[:, None] for value in encoded.values()]}
    tensors["images.prediction"] = predict(added_cond_kwargs=seen)
    save_tensors("networks/sd1_adapters.safetensors", tensors)

"""Runs adapters with random weights for the small model `sd1` with diffusers, and records their inputs, features and
tokens, predictions of the denoiser, and whole pictures.

The predictions have 9 x 7 latents: a picture of 72 x 56 pixels.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from PIL import Image
from diffusers import StableDiffusionAdapterPipeline, StableDiffusionPipeline, T2IAdapter, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

import original_names
from common import FIXTURES, randn, randomise, save_json, save_tensors
from schedulers import CLASSES

FOLDER = FIXTURES / "sd1_adapters"
HEIGHT, WIDTH = 56, 72
#: The side of an image as the encoder reads it.
SIDE = 20
#: The weights of the images in the predictions, and of the adapter in the pictures.
WEIGHTS, WEIGHT = {"plain": 0.5, "plus": 0.75}, 0.8


def style(weight):
    """The weights of an image that acts by its style only: `target_blocks` of InstantStyle's `infer_style_sd15.py`."""
    return {"up": {"block_1": weight}}


def layout(weight):
    """The weights of an image that acts by its layout only: what that script adds to the style for style and layout."""
    return {"down": {"block_2": weight}, "mid": weight}


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


#: T2I-Adapters. The first one has the channels of `sd1`.
T2I_ADAPTERS = {
    "full": dict(in_channels=3, channels=[8, 16, 16, 24], num_res_blocks=2, adapter_type="full_adapter"),
    "light": dict(in_channels=1, channels=[8, 16, 16], num_res_blocks=1, adapter_type="light_adapter"),
}
#: The widths of the image encoder's embeddings and hidden states.
EMBEDDING, HIDDEN = 10, 12


def ip_adapter(kind, unet, model):
    """The random weights of an IP-Adapter for a model, by the names in files of IP-Adapter."""
    token = unet.config.cross_attention_dim
    if kind == "plain":
        shapes = {"proj.weight": (4 * token, EMBEDDING), "proj.bias": (4 * token,)}
        shapes |= {"norm.weight": (token,), "norm.bias": (token,)}
    else:
        # Six tokens of width 16. diffusers knows heads of width 64 and four layers only.
        shapes = {"latents": (1, 6, 16), "proj_in.weight": (16, HIDDEN), "proj_in.bias": (16,)}
        shapes |= {"proj_out.weight": (token, 16), "proj_out.bias": (token,)}
        shapes |= {"norm_out.weight": (token,), "norm_out.bias": (token,)}
        for layer in range(4):
            for norm in ("0.norm1", "0.norm2", "1.0"):
                shapes |= {f"layers.{layer}.{norm}.{part}": (16,) for part in ("weight", "bias")}
            dense = {"0.to_q": (128, 16), "0.to_kv": (256, 16), "0.to_out": (16, 128), "1.1": (64, 16), "1.3": (16, 64)}
            shapes |= {f"layers.{layer}.{name}.weight": shape for name, shape in dense.items()}
    shapes = {f"image_proj.{name}": shape for name, shape in shapes.items()}
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for number, name in enumerate(crossing):
        width = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        shapes |= {f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight": (width, token) for part in "kv"}
    state = {}
    for name, shape in shapes.items():
        noise = randn(f"{model}/{kind}/{name}", *shape)
        is_norm = "norm" in name or ".1.0." in name
        if len(shape) == 1:
            noise = 1 + 0.2 * noise if is_norm and name.endswith("weight") else 0.2 * noise
        else:
            noise = noise / shape[-1] ** 0.5
        state[name] = noise
    return state


def smooth(name, channels, height, width):
    """A random u8 picture (channels, height, width) of soft blobs."""
    coarse = randn(name, 1, channels, height // 8 + 1, width // 8 + 1)
    x = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)[0]
    return (127.5 + 80 * x).round().clamp(0, 255).to(torch.uint8)


def pillow(image):
    """A picture (channels, height, width) as Pillow has it."""
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def processor():
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE)


def predictions():
    """Inputs, features, tokens and predictions."""
    unet = UNet2DConditionModel.from_pretrained(FIXTURES / "sd1" / "unet").eval()
    noisy, states = randn("sd1/noisy", 1, 4, 7, 9), randn("sd1/states", 1, 77, 24)
    mask = smooth("sd1/mask", 1, HEIGHT, WIDTH)
    tensors = {"noisy": noisy, "states": states, "mask": mask}

    def predict(**options):
        # diffusers empties the list of features, and adds to the outputs of blocks in place.
        return unet(noisy, torch.tensor(500), states, **options).sample

    for kind, options in T2I_ADAPTERS.items():
        network = randomise(T2IAdapter(**options), f"sd1/{kind}")
        network.save_pretrained(FOLDER / kind)
        value = randn(f"sd1/{kind}/input", 1, options["in_channels"], HEIGHT, WIDTH)
        tensors |= {f"{kind}.features.{i}": feature for i, feature in enumerate(network(value))}
        tensors[f"{kind}.input"] = value
        names = original_names.of_t2i_adapter(network, value)
        save_json(f"single_files/{kind}_adapter_of_sd1.json", names)
        if kind == "full":
            full = network
    features = full(tensors["full.input"])
    tensors["features.prediction"] = predict(down_intrablock_additional_residuals=list(features))

    config = CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=20,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=6,
        projection_dim=EMBEDDING,
        hidden_act="gelu",
    )
    encoder = randomise(CLIPVisionModelWithProjection(config), "sd1/image_encoder")
    encoder.save_pretrained(FOLDER / "image_encoder")
    image = randn("sd1/image", 1, 3, SIDE, SIDE)
    output = encoder(image, output_hidden_states=True)
    encoded = {"plain": output.image_embeds, "plus": output.hidden_states[-2]}
    tensors["image"] = image

    for kind in encoded:
        save_tensors(FOLDER / f"{kind}.safetensors", ip_adapter(kind, unet, "sd1"))
    files = [FOLDER / f"{kind}.safetensors" for kind in encoded]
    unet._load_ip_adapter_weights([split(file) for file in files], low_cpu_mem_usage=False)
    projections = unet.encoder_hid_proj.image_projection_layers
    for (kind, value), projection in zip(encoded.items(), projections):
        tensors |= {f"{kind}.encoded": value, f"{kind}.tokens": projection(value)}
    nothing = encoder(torch.zeros_like(image), output_hidden_states=True).hidden_states[-2]
    tensors["plus.no_tokens"] = projections[1](nothing)
    weigh(unet, *WEIGHTS.values())
    seen = {"image_embeds": [value[:, None] for value in encoded.values()]}
    tensors["images.prediction"] = predict(added_cond_kwargs=seen)
    tensors["all.prediction"] = predict(
        added_cond_kwargs=seen, down_intrablock_additional_residuals=list(features)
    )

    # The images have opposite masks, and the features that of the second image.
    mask = mask[None].float() / 255
    masks = {"ip_adapter_masks": [mask, 1 - mask]}
    for level, feature in enumerate(features):
        cells = F.avg_pool2d(1 - mask, 8 * 2**level, ceil_mode=True, count_include_pad=False)
        features[level] = feature * cells
    tensors["masked.prediction"] = predict(
        added_cond_kwargs=seen,
        cross_attention_kwargs=masks,
        down_intrablock_additional_residuals=features,
    )

    # The first image acts by its style, the second one by its layout.
    weights = [style(WEIGHTS["plain"]), layout(WEIGHTS["plus"])]
    StableDiffusionPipeline.set_ip_adapter_scale(SimpleNamespace(unet=unet), weights)
    tensors["style_and_layout.prediction"] = predict(added_cond_kwargs=seen)
    tensors["style_and_layout.masked"] = predict(added_cond_kwargs=seen, cross_attention_kwargs=masks)
    return tensors


def processed():
    """A picture that is not square, and the pixels that the encoder reads."""
    photo = smooth("sd1/photo", 3, 96, 200)
    pixels = processor()(pillow(photo), return_tensors="pt").pixel_values
    return {"photo": photo, "photo.pixels": pixels}


def picture(pipeline, name, **options):
    """Draws a picture. Returns the initial noise and the picture."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = CLASSES["euler"].from_config(pipeline.scheduler.config)
    noise = randn(f"sd1/{name}/noise", 1, 4, 48 // 8, 64 // 8)
    image = pipeline(
        "a red lighthouse by the sea at night",
        negative_prompt="low fog",
        width=64,
        height=48,
        num_inference_steps=5,
        guidance_scale=5.0,
        latents=noise,
        output_type="pt",
        **options,
    ).images
    if not isinstance(image, torch.Tensor):
        image = torch.from_numpy(image).permute(0, 3, 1, 2)
    return {f"{name}.noise": noise, f"{name}.picture": image * 2 - 1}


def pictures():
    """Pictures that follow an outline, or the style or the layout of an image."""
    # Dark lines on white. The adapter reads white lines on black.
    lines = torch.where(smooth("sd1/lines", 1, 48, 64) > 140, 30, 255).to(torch.uint8)
    adapter = T2IAdapter.from_pretrained(FOLDER / "full")
    pipeline = StableDiffusionAdapterPipeline.from_pretrained(FIXTURES / "sd1", adapter=adapter)
    drawing = pillow((255 - lines).expand(3, -1, -1))
    tensors = {"lines": lines}
    tensors |= picture(pipeline, "outline", image=drawing, adapter_conditioning_scale=WEIGHT)

    # The shorter side is that of the encoder, so that nothing is resized.
    tensors["style"] = smooth("sd1/style", 3, SIDE, 31)
    # The aspect ratio is that of the picture, and resizing a single colour changes nothing.
    tensors["content"] = torch.tensor([220, 90, 20], dtype=torch.uint8)[:, None, None].expand(3, 3, 4)
    for name, kind, image, weights in [
        ("plain", "plain", "style", style),
        ("plus", "plus", "style", style),
        ("layout", "plus", "content", layout),
    ]:
        encoder = CLIPVisionModelWithProjection.from_pretrained(FOLDER / "image_encoder")
        pipeline = StableDiffusionPipeline.from_pretrained(
            FIXTURES / "sd1", image_encoder=encoder, feature_extractor=processor()
        )
        pipeline.load_ip_adapter(
            str(FOLDER), subfolder="", weight_name=f"{kind}.safetensors", image_encoder_folder=None
        )
        pipeline.set_ip_adapter_scale(weights(WEIGHT))
        tensors |= picture(pipeline, name, ip_adapter_image=pillow(tensors[image]))
    return tensors


def record():
    save_tensors("networks/sd1_adapters.safetensors", predictions() | processed() | pictures())

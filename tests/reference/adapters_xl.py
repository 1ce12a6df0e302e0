"""Runs adapters with random weights for the small model `sdxl` with diffusers: a ControlNet, a T2I-Adapter and two
IP-Adapters. Records their inputs, residuals, features and tokens, predictions of the denoiser, and whole pictures.

The predictions have 9 x 7 latents: a picture of 72 x 56 pixels.
"""

from types import SimpleNamespace

import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionXLAdapterPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from transformers import CLIPVisionModelWithProjection

import adapters
import original_names
from adapters import HEIGHT, SIDE, WEIGHT, WEIGHTS, WIDTH, pillow, smooth
from common import FIXTURES, randn, randomise, save_json, save_tensors
from networks import conditions_of_xl
from schedulers import CLASSES

FOLDER = FIXTURES / "sdxl_adapters"
ENCODER = adapters.FOLDER / "image_encoder"
T2I_ADAPTER = dict(
    in_channels=3, channels=[8, 16, 24, 24], num_res_blocks=2, downscale_factor=16, adapter_type="full_adapter_xl"
)


def style(weight):
    """`up_blocks.0.attentions.1`, the target of InstantStyle's `infer_style.py`."""
    return {"up": {"block_0": [0.0, weight]}}


def layout(weight):
    """`down_blocks.2.attentions.1`, which that script adds for the layout. Here the block has one attention."""
    return {"down": {"block_2": [weight]}}


def networks():
    """The denoiser, and its adapters with the weights of their files: f16 for the ControlNet."""
    unet = UNet2DConditionModel.from_pretrained(FIXTURES / "sdxl" / "unet").eval()
    options = dict(conditioning_embedding_out_channels=(4, 6, 8, 12), load_weights_from_unet=False)
    control = randomise(ControlNetModel.from_unet(unet, **options), "sdxl/control_net").half()
    control.save_pretrained(FOLDER / "control_net")
    adapter = randomise(T2IAdapter(**T2I_ADAPTER), "sdxl/t2i_adapter")
    adapter.save_pretrained(FOLDER / "t2i_adapter")
    for kind in WEIGHTS:
        save_tensors(FOLDER / f"{kind}.safetensors", adapters.ip_adapter(kind, unet, "sdxl"))
    return unet, control.float(), adapter


def predictions():
    """Inputs, outputs of the adapters, and predictions."""
    unet, control, adapter = networks()
    noisy, states = randn("sdxl/adapters/noisy", 1, 4, 7, 9), randn("sdxl/adapters/states", 1, 77, 32)
    added = {name: value[:1] for name, value in conditions_of_xl(unet, "sdxl/adapters", (7, 9)).items()}
    drawing = smooth("sdxl/adapters/drawing", 3, HEIGHT, WIDTH)[None].float() / 255
    image = randn("sdxl/adapters/image", 1, 3, SIDE, SIDE)
    tensors = {"noisy": noisy, "states": states, "pooled": added["text_embeds"], "drawing": drawing, "image": image}

    def predict(more=None, **options):
        conditions = added | (more or {})
        return unet(noisy, torch.tensor(500), states, added_cond_kwargs=conditions, **options).sample

    down, middle = control(
        noisy, torch.tensor(500), states, drawing, added_cond_kwargs=added, return_dict=False
    )
    tensors |= {f"residuals.{i}": residual for i, residual in enumerate([*down, middle])}
    tensors["control.prediction"] = predict(
        down_block_additional_residuals=[WEIGHT * residual for residual in down],
        mid_block_additional_residual=WEIGHT * middle,
    )
    save_json("single_files/control_net_of_sdxl.json", original_names.of_control_net(control))

    # The sides are multiples of 32 pixels, as the pipeline requires.
    value = randn("sdxl/t2i_adapter/input", 1, 3, 64, 96)
    features = adapter(value)
    save_json("single_files/full_adapter_of_sdxl.json", original_names.of_t2i_adapter(adapter, value))
    tensors |= {"features.input": value} | {f"features.{i}": feature for i, feature in enumerate(features)}
    tensors["wide"] = randn("sdxl/adapters/wide", 1, 4, 8, 12)
    wide = {"text_embeds": added["text_embeds"], "time_ids": torch.tensor([[64, 96, 0, 0, 64, 96]])}
    tensors["features.prediction"] = unet(
        tensors["wide"],
        torch.tensor(500),
        states,
        added_cond_kwargs=wide,
        down_intrablock_additional_residuals=list(features),
    ).sample

    encoder = CLIPVisionModelWithProjection.from_pretrained(ENCODER)
    output = encoder(image, output_hidden_states=True)
    encoded = {"plain": output.image_embeds, "plus": output.hidden_states[-2]}
    files = [FOLDER / f"{kind}.safetensors" for kind in encoded]
    unet._load_ip_adapter_weights([adapters.split(file) for file in files], low_cpu_mem_usage=False)
    for (kind, value), projection in zip(encoded.items(), unet.encoder_hid_proj.image_projection_layers):
        tensors[f"{kind}.tokens"] = projection(value)
    adapters.weigh(unet, *WEIGHTS.values())
    seen = {"image_embeds": [value[:, None] for value in encoded.values()]}
    tensors["images.prediction"] = predict(seen)
    weights = [style(WEIGHTS["plain"]), layout(WEIGHTS["plus"])]
    StableDiffusionXLPipeline.set_ip_adapter_scale(SimpleNamespace(unet=unet), weights)
    tensors["style_and_layout.prediction"] = predict(seen)
    return tensors


def picture(pipeline, name, **options):
    """Draws a picture. Returns the initial noise and the picture."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = CLASSES["euler"].from_config(pipeline.scheduler.config)
    noise = randn(f"sdxl/adapters/{name}/noise", 1, 4, 64 // 8, 96 // 8)
    image = pipeline(
        "a red lighthouse by the sea at night",
        negative_prompt="low fog",
        width=96,
        height=64,
        num_inference_steps=5,
        guidance_scale=5.0,
        latents=noise,
        output_type="pt",
        **options,
    ).images
    return {f"{name}.noise": noise, f"{name}.picture": image * 2 - 1}


def pictures():
    """Pictures that follow an outline, or the style or the layout of an image."""
    # Dark lines on white. The adapters read white lines on black.
    lines = torch.where(smooth("sdxl/adapters/lines", 1, 64, 96) > 140, 30, 255).to(torch.uint8)
    drawing = pillow((255 - lines).expand(3, -1, -1))
    tensors = {"lines": lines}
    control = ControlNetModel.from_pretrained(FOLDER / "control_net", torch_dtype=torch.float32)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(FIXTURES / "sdxl", controlnet=control)
    tensors |= picture(pipeline, "control", image=drawing, controlnet_conditioning_scale=WEIGHT)
    adapter = T2IAdapter.from_pretrained(FOLDER / "t2i_adapter")
    pipeline = StableDiffusionXLAdapterPipeline.from_pretrained(FIXTURES / "sdxl", adapter=adapter)
    tensors |= picture(pipeline, "outline", image=drawing, adapter_conditioning_scale=WEIGHT)

    # The shorter side is that of the encoder, so that nothing is resized.
    tensors["style"] = smooth("sdxl/adapters/style", 3, SIDE, 31)
    # The aspect ratio is that of the picture, and resizing a single colour changes nothing.
    tensors["content"] = torch.tensor([220, 90, 20], dtype=torch.uint8)[:, None, None].expand(3, 2, 3)
    for name, kind, image, weights in [
        ("plain", "plain", "style", style),
        ("plus", "plus", "style", style),
        ("layout", "plus", "content", layout),
    ]:
        pipeline = StableDiffusionXLPipeline.from_pretrained(
            FIXTURES / "sdxl",
            image_encoder=CLIPVisionModelWithProjection.from_pretrained(ENCODER),
            feature_extractor=adapters.processor(),
        )
        pipeline.load_ip_adapter(
            str(FOLDER), subfolder="", weight_name=f"{kind}.safetensors", image_encoder_folder=None
        )
        pipeline.set_ip_adapter_scale(weights(WEIGHT))
        tensors |= picture(pipeline, name, ip_adapter_image=pillow(tensors[image]))
    return tensors


def record():
    save_tensors("networks/sdxl_adapters.safetensors", predictions() | pictures())

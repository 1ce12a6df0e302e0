"""Predictions of denoisers that compute in f16 and bf16, for the inputs of the other recorders."""

import torch
from diffusers import Flux2KleinPipeline
from safetensors.torch import load_file

import flux2
import models
import networks
import z_image
from common import FIXTURES, save_tensors

TYPES = {"f16": torch.float16, "bf16": torch.bfloat16}


def record_unet(name):
    """The "even" case of `networks.py`. As in the pipelines, the timestep is not rounded."""
    even = load_file(FIXTURES / f"networks/{name}_unet_even.safetensors")
    sample, timestep = even["sample"], even["timestep"].item()
    tensors = {}
    for key, dtype in TYPES.items():
        unet = models.unet(name).to(dtype)
        added = networks.conditions_of_xl(unet, f"{name}/unet/even", sample.shape[2:])
        added = {name: value.to(dtype) for name, value in added.items()}
        output = unet(sample.to(dtype), timestep, even["context"].to(dtype), added_cond_kwargs=added).sample
        assert output.dtype == dtype
        tensors[f"{name}_{key}"] = output
    return tensors


def record_klein():
    """diffusers rounds the timestep to bf16: 500 is exact."""
    recorded = load_file(FIXTURES / "networks/klein_transformer.safetensors")
    tensors = {}
    for key, dtype in {"f32": torch.float32, "bf16": torch.bfloat16}.items():
        latents, context = (recorded[name].to(dtype) for name in ("latents", "context"))
        _, _, height, width = latents.shape
        output = flux2.transformer().to(dtype)(
            hidden_states=Flux2KleinPipeline._pack_latents(latents),
            timestep=torch.full((len(latents),), 500.0) / 1000,
            guidance=None,
            encoder_hidden_states=context,
            txt_ids=Flux2KleinPipeline._prepare_text_ids(context),
            img_ids=Flux2KleinPipeline._prepare_latent_ids(latents),
        ).sample
        tensors[f"klein_{key}"] = flux2.unpacked(output, height, width)
    return tensors


def record_z_image():
    recorded = load_file(FIXTURES / "networks/z_image_transformer.safetensors")
    latents, context = (recorded[f"few_{key}"].to(torch.bfloat16) for key in ("latents", "context"))
    time = (1000 - torch.full((len(latents),), 437.5)) / 1000
    network = z_image.transformer().to(torch.bfloat16)
    output = network(list(latents.unsqueeze(2)), time, list(context)).sample
    return {"z_image_bf16": -torch.stack(output).squeeze(2)}


def record():
    tensors = record_unet("sd1") | record_unet("sdxl") | record_klein() | record_z_image()
    save_tensors("networks/half.safetensors", tensors)

"""Runs each network of `models.py` and records inputs, hidden states and outputs."""

import torch
from safetensors.torch import load_file

import models
import tokens
from common import FIXTURES, observe, randn, save_tensors


def record_text_encoder(name, pipeline):
    words = pipeline.tokenizer
    prompts = [tokens.PROMPTS[1], tokens.PROMPTS[3], ""]
    ids = words(prompts, padding="max_length", truncation=True, max_length=words.model_max_length, return_tensors="pt")
    output = pipeline.text_encoder(ids.input_ids, output_hidden_states=True)
    hidden = {f"hidden_states_{index}": state for index, state in enumerate(output.hidden_states)}
    save_tensors(
        f"networks/{name}_text_encoder.safetensors",
        {"ids": ids.input_ids.to(torch.uint32), "last_hidden_state": output.last_hidden_state, **hidden},
    )


def record_unet(name, unet, size, odd_size, timesteps):
    """Records a run at an evenly divisible size and one at an odd size, at different timesteps."""
    channels = unet.config.in_channels
    width = unet.config.cross_attention_dim
    width = width if isinstance(width, int) else width[-1]
    inner = [f"down_blocks.{index}" for index in range(len(unet.down_blocks))]
    inner += ["time_embedding"] + ["mid_block"] * (unet.mid_block is not None)
    inner += [f"up_blocks.{index}" for index in range(len(unet.up_blocks))]
    for case, (height, breadth), timestep in (("even", size, timesteps[0]), ("odd", odd_size, timesteps[1])):
        key = f"{name}/unet/{case}"
        hidden = {}
        hooks = observe(unet, inner, hidden)
        sample = randn(f"{key}/sample", 2, channels, height, breadth)
        context = randn(f"{key}/context", 2, 7, width)
        added = conditions_of_xl(unet, key, (height, breadth))
        output = unet(sample, timestep, context, added_cond_kwargs=added).sample
        for hook in hooks:
            hook.remove()
        save_tensors(
            f"networks/{name}_unet_{case}.safetensors",
            {
                "sample": sample,
                "context": context,
                "timestep": torch.tensor([timestep], dtype=torch.float64),
                "output": output,
                **({"pooled": added["text_embeds"]} if added else {}),
                **(hidden if case == "even" else {}),
            },
        )


def conditions_of_xl(unet, key, latents):
    """The conditions beside the prompt. The sizes are those that the pipeline chooses for a picture of these latents."""
    if unet.config.addition_embed_type is None:
        return {}
    sizes = 6 * unet.config.addition_time_embed_dim
    pooled = randn(f"{key}/pooled", 2, unet.config.projection_class_embeddings_input_dim - sizes)
    size = [8 * side for side in latents]
    return {"text_embeds": pooled, "time_ids": torch.tensor([size + [0, 0] + size] * 2)}


def record_unet_gradients(name, unet):
    """The gradients of the sum of the squared output for the inputs of the "even" case."""
    even = load_file(FIXTURES / f"networks/{name}_unet_even.safetensors")
    inputs = {key: even[key].requires_grad_() for key in ("sample", "context")}
    with torch.enable_grad():
        output = unet(inputs["sample"], even["timestep"].item(), inputs["context"]).sample
        gradients = torch.autograd.grad(output.square().sum(), list(inputs.values()))
    save_tensors(f"networks/{name}_unet_gradients.safetensors", dict(zip(inputs, gradients, strict=True)))


def record_autoencoder(name, vae, size, latent_size):
    image = randn(f"{name}/image", 2, 3, *size).tanh()
    latents = randn(f"{name}/latents", 2, 4, *latent_size)
    moments = vae.encode(image).latent_dist
    save_tensors(
        f"networks/{name}_vae.safetensors",
        {
            "image": image,
            "mean": moments.mean,
            "logvar": moments.logvar,
            "latents": latents,
            "decoded": vae.decode(latents).sample,
        },
    )


def record_tiles(name, vae, size, tile):
    """Records a run in tiles of `tile` latents, for a picture of `size` latents."""
    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    vae.enable_tiling()
    vae.tile_latent_min_size, vae.tile_sample_min_size = tile, tile * scale
    image = randn(f"{name}/tiles/image", 1, 3, *(scale * side for side in size)).tanh()
    latents = randn(f"{name}/tiles/latents", 1, 4, *size)
    moments = vae.encode(image).latent_dist
    save_tensors(
        f"networks/{name}_vae_tiles.safetensors",
        {
            "image": image,
            "mean": moments.mean,
            "logvar": moments.logvar,
            "latents": latents,
            "decoded": vae.decode(latents).sample,
        },
    )


def record_tiny_autoencoder(vae):
    image = randn("tiny_vae/image", 2, 3, 32, 24).tanh()
    latents = 3 * randn("tiny_vae/latents", 2, 4, 3, 4)
    save_tensors(
        "networks/tiny_vae_vae.safetensors",
        {
            "image": image,
            "encoded": vae.encode(image).latents,
            "latents": latents,
            "decoded": vae.decode(latents).sample,
        },
    )


def record():
    for name in ("sd1", "sd2"):
        pipeline = models.pipeline(name)
        tokens.record(name, pipeline.tokenizer)
        record_text_encoder(name, pipeline)
        record_autoencoder(name, pipeline.vae, (32, 24), (4, 5))
    # In these sizes, tiles of this crate have the same side along height and width.
    record_tiles("sd1", models.vae("sd1"), (9, 11), 4)
    record_tiles("sd2", models.vae("sd2"), (16, 25), 12)
    record_unet("sd1", models.unet("sd1"), (16, 8), (11, 9), (981, 0.0))
    record_unet_gradients("sd1", models.unet("sd1"))
    record_unet("sd2", models.unet("sd2"), (8, 12), (7, 10), (1, 503.25))
    record_unet("asymmetric", models.unet("asymmetric"), (12, 8), (11, 14), (500, 999))
    record_unet("sdxl", models.unet("sdxl"), (8, 12), (7, 10), (1, 503.25))
    for name in ("sdxl_pruned", "sdxl_no_middle"):
        record_unet(name, models.unet(name), (8, 4), (5, 6), (1, 503.25))
    tokens.record_clip()
    record_tiny_autoencoder(models.tiny_vae())

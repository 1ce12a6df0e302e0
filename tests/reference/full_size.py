"""A pipeline with the shapes of Stable Diffusion 1.5 and random weights, and the recorded outputs of its networks.

Too large to commit: `python make.py full FOLDER` writes it where it is wanted.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from common import observe, randn, randomise

TEXT_ENCODER = dict(
    vocab_size=49408,
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    max_position_embeddings=77,
    hidden_act="quick_gelu",
)

AUTOENCODER = dict(
    block_out_channels=(128, 256, 512, 512),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=2,
    sample_size=512,
)

# diffusers' defaults match Stable Diffusion 1, except for the width of the context.
UNET = dict(cross_attention_dim=768, sample_size=64)


def save(folder):
    folder = Path(folder)
    torch.set_num_threads(2)

    def tensors(name, values):
        values = {key: value.detach().contiguous().clone() for key, value in values.items()}
        save_file(values, folder / f"{name}.safetensors")

    encoder = randomise(CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)), "full/text_encoder")
    encoder.save_pretrained(folder / "text_encoder")
    ids = torch.randint(0, 49408, (2, 77), generator=torch.Generator().manual_seed(1))
    output = encoder(ids, output_hidden_states=True)
    hidden = {f"hidden_states_{index}": state for index, state in enumerate(output.hidden_states)}
    last = output.last_hidden_state
    tensors("text_encoder", {"ids": ids.to(torch.uint32), "last_hidden_state": last, **hidden})
    del encoder

    vae = randomise(AutoencoderKL(**AUTOENCODER), "full/vae")
    vae.save_pretrained(folder / "vae")
    image = randn("full/image", 1, 3, 256, 256).tanh()
    latents = randn("full/latents", 1, 4, 32, 32)
    mean, decoded = vae.encode(image).latent_dist.mean, vae.decode(latents).sample
    tensors("vae", {"image": image, "mean": mean, "latents": latents, "decoded": decoded})
    del vae

    unet = randomise(UNet2DConditionModel(**UNET), "full/unet")
    unet.save_pretrained(folder / "unet")
    hidden = {}
    observe(unet, ["time_embedding", "mid_block", *(f"up_blocks.{index}" for index in range(4))], hidden)
    sample = randn("full/sample", 2, 4, 32, 32)
    output = unet(sample, 481.0, last).sample
    timestep = torch.tensor([481.0], dtype=torch.float64)
    tensors("unet", {"sample": sample, "context": last, "timestep": timestep, "output": output, **hidden})

"""Networks with the shapes of Stable Diffusion 1.5, XL or FLUX.2 Klein 4B and random weights, and their recorded outputs.

Too large to commit: `python make.py full FOLDER` (or `full-xl`, `full-klein` and `full-qwen3`) writes them where they are wanted. Those of XL are
stored in half precision, the matrices of Klein in blocks of 4 bits (`Q4_0`) as GGUF. They are computed with the rounded weights
in single precision.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, Qwen3Config, Qwen3ForCausalLM

import flux2
import klein_files
from common import observe, randn, randomise
from networks import conditions_of_xl

TEXT_ENCODER = dict(
    vocab_size=49408,
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    max_position_embeddings=77,
    hidden_act="quick_gelu",
)

TEXT_ENCODER_2 = dict(
    vocab_size=49408,
    hidden_size=1280,
    intermediate_size=5120,
    num_hidden_layers=32,
    num_attention_heads=20,
    max_position_embeddings=77,
    hidden_act="gelu",
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

UNET_XL = dict(
    sample_size=128,
    block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    transformer_layers_per_block=(1, 2, 10),
    attention_head_dim=(5, 10, 20),
    cross_attention_dim=2048,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
    use_linear_projection=True,
)

KLEIN = dict(
    in_channels=128,
    num_layers=5,
    num_single_layers=20,
    attention_head_dim=128,
    num_attention_heads=24,
    joint_attention_dim=3 * 2560,
    timestep_guidance_channels=256,
    mlp_ratio=3.0,
    axes_dims_rope=(32,) * 4,
    rope_theta=2000,
    guidance_embeds=False,
)

# Qwen3 4B, without the eight layers that Klein does not use, and with fewer tokens.
QWEN3 = dict(
    vocab_size=32768,
    hidden_size=2560,
    intermediate_size=9728,
    num_hidden_layers=28,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=40960,
    rms_norm_eps=1e-6,
    rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
    tie_word_embeddings=True,
)


class Folder:
    """Where networks and their outputs are written."""

    def __init__(self, folder, is_half):
        self.folder = Path(folder)
        self.is_half = is_half
        torch.set_num_threads(2)

    def save(self, network, name):
        """Gives a network random weights and saves it. Returns it as it is stored."""
        network = randomise(network, f"full/{name}")
        if self.is_half:
            network = network.half()
        network.save_pretrained(self.folder / name)
        return network.float()

    def record(self, name, values):
        values = {key: value.detach().contiguous().clone() for key, value in values.items()}
        save_file(values, self.folder / f"{name}.safetensors")

    def text_encoder(self, name, network):
        encoder = self.save(network, name)
        ids = torch.randint(0, 49408, (2, 77), generator=torch.Generator().manual_seed(1))
        output = encoder(ids, output_hidden_states=True)
        hidden = {f"hidden_states_{index}": state for index, state in enumerate(output.hidden_states)}
        last = output.last_hidden_state
        self.record(name, {"ids": ids.to(torch.uint32), "last_hidden_state": last, **hidden})
        return last

    def autoencoder(self):
        vae = self.save(AutoencoderKL(**AUTOENCODER), "vae")
        image = randn("full/image", 1, 3, 256, 256).tanh()
        latents = randn("full/latents", 1, 4, 32, 32)
        mean, decoded = vae.encode(image).latent_dist.mean, vae.decode(latents).sample
        self.record("vae", {"image": image, "mean": mean, "latents": latents, "decoded": decoded})

    def unet(self, config, context):
        unet = self.save(UNet2DConditionModel(**config), "unet")
        hidden, sample = {}, randn("full/sample", 2, 4, 32, 32)
        blocks = [f"up_blocks.{index}" for index in range(len(unet.up_blocks))]
        observe(unet, ["time_embedding", "mid_block", *blocks], hidden)
        added = conditions_of_xl(unet, "full", (32, 32))
        output = unet(sample, 481.0, context, added_cond_kwargs=added).sample
        timestep = torch.tensor([481.0], dtype=torch.float64)
        pooled = {"pooled": added["text_embeds"]} if added else {}
        inputs = {"sample": sample, "context": context, "timestep": timestep, **pooled}
        self.record("unet", inputs | {"output": output, **hidden})


def save(folder):
    """Stable Diffusion 1.5, in single precision."""
    folder = Folder(folder, is_half=False)
    context = folder.text_encoder("text_encoder", CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)))
    folder.autoencoder()
    folder.unet(UNET, context)


def save_xl(folder):
    """Stable Diffusion XL, in half precision."""
    folder = Folder(folder, is_half=True)
    first = folder.text_encoder("text_encoder", CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)))
    second = folder.text_encoder("text_encoder_2", CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER_2)))
    folder.autoencoder()
    folder.unet(UNET_XL, torch.cat([first, second], dim=-1))


def kind_of(name, weight):
    """The type of a tensor in the files of Klein."""
    return klein_files.Type.F32 if weight.ndim == 1 else klein_files.Type.Q4_0


def save_klein(folder):
    """FLUX.2 Klein 4B, in blocks of 4 bits."""
    folder = Folder(folder, is_half=True)
    folder.folder.mkdir(parents=True, exist_ok=True)
    folder.save(AutoencoderKLFlux2(), "vae")

    file, wide = klein_files.writer("transformer.gguf", "flux", folder.folder), {}
    for name, weight in klein_files.original_weights(KLEIN, "full/klein"):
        wide[name] = klein_files.add(file, name, weight, kind_of(name, weight))
    klein_files.finish(file)
    del file, weight
    _, run = klein_files.prediction(KLEIN, wide, "full/klein", size=(16, 16), tokens=512)
    folder.record("transformer", run)


def save_qwen3(folder):
    """The text encoder of Klein, in blocks of 4 bits."""
    folder = Folder(folder, is_half=True)
    encoder = randomise(Qwen3ForCausalLM(Qwen3Config(attn_implementation="eager", **QWEN3)), "full/klein/text_encoder")
    for weight in encoder.parameters():
        if weight.ndim > 1:
            blocks = klein_files.gguf.quants.quantize(weight.numpy(), klein_files.Type.Q4_0)
            weight.copy_(torch.from_numpy(klein_files.gguf.quants.dequantize(blocks, klein_files.Type.Q4_0)))
    ids = torch.randint(0, QWEN3["vocab_size"], (1, 32), generator=torch.Generator().manual_seed(1))
    states = encoder.model(ids, output_hidden_states=True).hidden_states
    layers = {f"layer_{layer}": states[layer] for layer in (9, 18, 27)}
    folder.record("text_encoder", {"ids": ids.to(torch.uint32), **layers})
    words = flux2.tokenizer()
    klein_files.write_text_encoder("text_encoder.gguf", encoder, words, kind_of, folder=folder.folder)

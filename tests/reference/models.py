"""Builds small pipelines with random weights, each a complete diffusers folder under `fixtures/`.

`sd1`, `sd2` and `sdxl` are whole Stable Diffusion pipelines; `asymmetric` and `sdxl_*` hold only a UNet, `tiny_vae` only an autoencoder.
"""

import json
import shutil

from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from common import FIXTURES, randomise
from tokens import tokenizer

UNETS = {
    # As Stable Diffusion 1: cross-attention on all levels but the deepest, one head count for all.
    "sd1": dict(
        block_out_channels=(8, 16, 16, 24),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=24,
        norm_num_groups=4,
        sample_size=16,
    ),
    # As Stable Diffusion 2: head counts per level, linear projections, upcast attention.
    "sd2": dict(
        block_out_channels=(8, 16, 24),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(1, 2, 4),
        cross_attention_dim=20,
        use_linear_projection=True,
        upcast_attention=True,
        norm_num_groups=4,
        sample_size=16,
    ),
    # As Stable Diffusion XL: several transformer layers, none on the first level, and conditions beside the prompt.
    "sdxl": dict(
        block_out_channels=(8, 16, 24),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        transformer_layers_per_block=(1, 2, 3),
        attention_head_dim=(1, 2, 4),
        cross_attention_dim=12 + 20,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=6,
        projection_class_embeddings_input_dim=14 + 6 * 6,
        norm_num_groups=4,
        sample_size=16,
    ),
    # Lists wherever the config accepts one, odd widths, and options that the two above leave at their defaults.
    "asymmetric": dict(
        block_out_channels=(9, 15, 21),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=(1, 2, 1),
        transformer_layers_per_block=((1,), (2, 1), (1,)),
        reverse_transformer_layers_per_block=((1, 2), (1, 1, 1), (1, 1)),
        attention_head_dim=(3, 5, 7),
        cross_attention_dim=(10, 14, 14),
        only_cross_attention=(True, True, False),
        mid_block_type="UNetMidBlock2D",
        mid_block_scale_factor=1.25,
        resnet_time_scale_shift="scale_shift",
        in_channels=5,
        out_channels=3,
        norm_num_groups=3,
        norm_eps=1e-4,
        flip_sin_to_cos=False,
        freq_shift=1,
        downsample_padding=0,
        center_input_sample=True,
        conv_in_kernel=5,
        conv_out_kernel=1,
        act_fn="gelu",
        time_embedding_dim=22,
        time_embedding_act_fn="silu",
        timestep_post_act="gelu",
        sample_size=12,
    ),
}

# As SSD-1B: other depths in each layer, and a middle block without attention.
UNETS["sdxl_pruned"] = UNETS["sdxl"] | dict(
    block_out_channels=(4, 4, 8),
    layers_per_block=2,
    transformer_layers_per_block=(1, (2, 1), (1, 1)),
    reverse_transformer_layers_per_block=((1, 1, 2), (2, 1, 1), 1),
    mid_block_type="UNetMidBlock2D",
)

# As Segmind-Vega, and as the smallest KOALA: the same depths as on the way down, and no middle block.
UNETS["sdxl_no_middle"] = UNETS["sdxl"] | dict(
    block_out_channels=(4, 4, 8),
    transformer_layers_per_block=(1, 1, 2),
    mid_block_type=None,
)

TEXT_ENCODERS = {
    "sd1": dict(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=3,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    ),
    "sd2": dict(
        hidden_size=20,
        intermediate_size=50,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        hidden_act="gelu",
        layer_norm_eps=1e-4,
    ),
    "sdxl": dict(
        hidden_size=12,
        intermediate_size=30,
        num_hidden_layers=3,
        num_attention_heads=3,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    ),
    "sdxl_2": dict(
        hidden_size=20,
        intermediate_size=40,
        num_hidden_layers=4,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act="gelu",
        projection_dim=14,
    ),
}

AUTOENCODERS = {
    "sd1": dict(
        block_out_channels=(4, 8, 8, 12),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=128,
    ),
    "sdxl": dict(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=128,
        scaling_factor=0.13025,
        force_upcast=True,
    ),
    # No attention in the mid block, no quantisation convolutions, shifted latents, four pixels per latent.
    "sd2": dict(
        block_out_channels=(6, 8, 10),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=64,
        scaling_factor=0.7,
        shift_factor=0.2,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ),
}

TINY_AUTOENCODER = dict(
    encoder_block_out_channels=(6, 6, 6, 6),
    decoder_block_out_channels=(6, 6, 6, 6),
    num_encoder_blocks=(1, 2, 1, 1),
    num_decoder_blocks=(1, 2, 1, 1),
)

SCHEDULER = dict(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
)


def text_encoder(name, words, network=CLIPTextModel):
    config = CLIPTextConfig(
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        attn_implementation="eager",
        **TEXT_ENCODERS[name],
    )
    return randomise(network(config), f"{name}/text_encoder")


def unet(name):
    return randomise(UNet2DConditionModel(**UNETS[name]), f"{name}/unet")


def vae(name):
    return randomise(AutoencoderKL(**AUTOENCODERS[name]), f"{name}/vae")


def tiny_vae():
    return randomise(AutoencoderTiny(**TINY_AUTOENCODER), "tiny_vae/vae")


def pipeline(name):
    """A complete pipeline with the parts `.tokenizer`, `.text_encoder`, `.unet`, `.vae`, `.scheduler`."""
    words = tokenizer(name, TEXT_ENCODERS[name]["max_position_embeddings"])
    prediction = "epsilon" if name == "sd1" else "v_prediction"
    built = StableDiffusionPipeline(
        tokenizer=words,
        text_encoder=text_encoder(name, words),
        unet=unet(name),
        vae=vae(name),
        scheduler=DDIMScheduler(prediction_type=prediction, **SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    built.set_progress_bar_config(disable=True)
    return built


def pipeline_xl():
    """A complete pipeline of Stable Diffusion XL."""
    words, words_2 = tokenizer("sdxl", 77), tokenizer("sdxl_2", 77)
    built = StableDiffusionXLPipeline(
        tokenizer=words,
        tokenizer_2=words_2,
        text_encoder=text_encoder("sdxl", words),
        text_encoder_2=text_encoder("sdxl_2", words_2, CLIPTextModelWithProjection),
        unet=unet("sdxl"),
        vae=vae("sdxl"),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
        add_watermarker=False,
    )
    built.set_progress_bar_config(disable=True)
    return built


def save():
    """Writes all folders."""
    unets = ("asymmetric", "sdxl_pruned", "sdxl_no_middle")
    for name in ("sd1", "sd2", "sdxl", *unets, "tiny_vae"):
        shutil.rmtree(FIXTURES / name, ignore_errors=True)
    for name in ("sd1", "sd2"):
        pipeline(name).save_pretrained(FIXTURES / name)
    pipeline_xl().save_pretrained(FIXTURES / "sdxl")
    files_of_older_tokenizers(FIXTURES / "sd2" / "tokenizer")
    for name in unets:
        unet(name).save_pretrained(FIXTURES / name / "unet")
    tiny_vae().save_pretrained(FIXTURES / "tiny_vae" / "vae")


def files_of_older_tokenizers(folder):
    """Replaces tokenizer.json by vocab.json and merges.txt, as in older pipelines."""
    whole = folder / "tokenizer.json"
    model = json.loads(whole.read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False) + "\n")
    merges = ["#version: 0.2"] + [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n")
    whole.unlink()

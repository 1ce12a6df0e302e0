"""Z-Image: a complete pipeline with random weights in `fixtures/z_image`, and what its networks and pipelines compute."""

import json
import shutil

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ZImageInpaintPipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from diffusers.pipelines.z_image import pipeline_z_image_inpaint as inpaint
from safetensors.torch import load_file, save_file
from transformers import Qwen3Config, Qwen3Model

import flows
from common import FIXTURES, observe, randn, randomise, save_json, save_tensors
from flows import PROMPT
from flux2 import tokenizer
from tokens import PROMPTS

# The pipeline uses the output of the last layer but one.
TEXT_ENCODER = flows.TEXT_ENCODER | dict(num_hidden_layers=3)

TRANSFORMER = dict(
    in_channels=4,
    # A third of it is no whole number.
    dim=20,
    n_layers=2,
    n_refiner_layers=2,
    n_heads=2,
    n_kv_heads=2,
    norm_eps=1e-4,
    cap_feat_dim=12,
    rope_theta=100.0,
    t_scale=900.0,
    axes_dims=[2, 4, 4],
    axes_lens=[600, 32, 32],
)

AUTOENCODER = flows.AUTOENCODER | dict(
    scaling_factor=0.36,
    shift_factor=0.12,
    use_quant_conv=False,
    use_post_quant_conv=False,
)

# As in Z-Image-Turbo.
SCHEDULER = dict(shift=3.0)

UNWANTED = "low fog"

# Heights and widths of latents, and the tokens of a caption: below 32 tokens, exactly 32, and more, which are padded to 64.
CASES = dict(few=(6, 4, 7), exact=(8, 16, 32), many=(10, 14, 45))

# Sizes are (width, height), parts are (left, top, width, height), all in pixels. A part lies on the grid of latents.
PICTURES = [
    dict(name="z_image_turbo", steps=4, guidance=0.0, size=(64, 48), dynamic=False),
    dict(name="z_image_base", steps=5, guidance=4.0, size=(48, 64), dynamic=False),
    # A scale below 1 is guidance, too. These are exactly 32 tokens.
    dict(name="z_image_weak", steps=2, guidance=0.5, size=(128, 64), dynamic=False),
    dict(name="z_image_dynamic", steps=3, guidance=0.0, size=(112, 80), dynamic=True),
    # The first 3 of 5 steps are guided.
    dict(name="z_image_truncated", steps=5, guidance=4.0, size=(48, 48), dynamic=False, truncation=0.25),
]
EDITS = [
    dict(name="z_image_part", steps=4, strength=1.0, guidance=0.0, size=(64, 48), part=(16, 8, 24, 24)),
    dict(name="z_image_faint", steps=8, strength=0.5, guidance=3.0, size=(48, 64), part=(0, 0, 32, 32)),
]


def text_encoder(words):
    config = Qwen3Config(vocab_size=len(words), attn_implementation="eager", **TEXT_ENCODER)
    return randomise(Qwen3Model(config), "z_image/text_encoder")


def transformer():
    built = randomise(ZImageTransformer2DModel(**TRANSFORMER), "z_image/transformer")
    for weight in (built.t_embedder.mlp[0].weight, built.t_embedder.mlp[2].weight):
        weight.copy_(weight.to(torch.float8_e4m3fn).float())
    return built


def vae():
    return randomise(AutoencoderKL(**AUTOENCODER), "z_image/vae")


def pipeline(kind=ZImagePipeline, **scheduler):
    words = tokenizer()
    built = kind(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER | scheduler),
        vae=vae(),
        text_encoder=text_encoder(words),
        tokenizer=words,
        transformer=transformer(),
    )
    built.set_progress_bar_config(disable=True)
    return built


def save():
    """Writes the folder of the pipeline. The widths of the timestep's embedding are fixed in diffusers: its weights are most
    of the transformer, so they are in a file of their own, with 8 bits each."""
    folder = FIXTURES / "z_image"
    shutil.rmtree(folder, ignore_errors=True)
    pipeline().save_pretrained(folder)
    whole = folder / "transformer/diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    whole.unlink()
    time = {name for name in tensors if name.startswith("t_embedder.")}
    weights = {}
    for at, names in enumerate((sorted(time), sorted(tensors.keys() - time))):
        file = f"diffusion_pytorch_model-{at + 1:05}-of-00002.safetensors"
        kept = {name: tensors[name] for name in names}
        for name in kept:
            if name.startswith("t_embedder.") and name.endswith(".weight"):
                kept[name] = kept[name].to(torch.float8_e4m3fn)
        save_file(kept, folder / "transformer" / file)
        weights |= dict.fromkeys(names, file)
    index = dict(metadata={}, weight_map=dict(sorted(weights.items())))
    (folder / "transformer/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def record_text_encoder(built):
    """The ids of prompts, and the encoded tokens of three of them."""
    texts = [*PROMPTS[:4], PROMPT, "", "the alien spaceport " * 300]
    rows = flows.token_rows(built.tokenizer, texts, enable_thinking=True)
    save_json("networks/z_image_tokens.json", rows)
    embeds = {name: built.encode_prompt(text)[0][0][None] for name, text in (("prompt", PROMPT), ("empty", ""))}
    long = built.encode_prompt(texts[-1])[0][0][None]
    assert long.shape[1] == 512
    save_tensors("networks/z_image_text_encoder.safetensors", embeds | {"long_end": long[:, -16:]})


def record_transformer(network):
    """Predictions of the flow for several numbers of tokens; for the first ones with all blocks and gradients."""
    tensors = {}

    def predict(latents, context, timestep):
        time = (1000 - torch.full((len(latents),), timestep)) / 1000
        output = network(list(latents.unsqueeze(2)), time, list(context)).sample
        return -torch.stack(output).squeeze(2)

    for name, (height, width, count) in CASES.items():
        latents = randn(f"z_image/transformer/{name}/latents", 2, 4, height, width)
        context = randn(f"z_image/transformer/{name}/context", 2, count, 12)
        groups = ("noise_refiner", "context_refiner", "layers")
        blocks = [f"{group}.{index}" for group in groups for index in range(2)]
        hooks = observe(network, blocks, tensors) if name == "few" else []
        tensors |= {f"{name}_latents": latents, f"{name}_context": context}
        tensors[f"{name}_output"] = predict(latents, context, 437.5)
        for hook in hooks:
            hook.remove()
    latents, context = tensors["few_latents"], tensors["few_context"]
    tensors["first_output"] = predict(latents, context, 1000.0)
    inputs = [latents.clone().requires_grad_(), context.clone().requires_grad_()]
    with torch.enable_grad():
        gradients = torch.autograd.grad(predict(*inputs, 437.5).square().sum(), inputs)
    tensors |= dict(zip(("latents_gradient", "context_gradient"), gradients))
    save_tensors("networks/z_image_transformer.safetensors", tensors)


def record_autoencoder(network):
    """A picture and latents in the scale of the denoiser."""
    factor, shift = network.config.scaling_factor, network.config.shift_factor
    image = randn("z_image/image", 2, 3, 32, 48).tanh()
    latents = randn("z_image/latents", 2, 4, 4, 6)
    save_tensors(
        "networks/z_image_vae.safetensors",
        {
            "image": image,
            "encoded": (network.encode(image).latent_dist.mode() - shift) * factor,
            "latents": latents,
            "decoded": network.decode(latents / factor + shift).sample,
        },
    )


def noise_shape(size):
    width, height = size
    return 1, 4, height // 8, width // 8


def draw(case, built=None):
    """A picture, of a new pipeline or of another one."""
    built = built or pipeline(use_dynamic_shifting=case["dynamic"])
    noise = randn(f"pipelines/{case['name']}", *noise_shape(case["size"]))
    return flows.draw(built, case, noise, prompt=PROMPT, negative_prompt=UNWANTED, cfg_truncation=case.get("truncation", 1.0))


def edit(case):
    """As `flows.edit`."""
    built = pipeline(ZImageInpaintPipeline)
    # The picture's latents are the mean of the distribution, not a sample.
    inpaint.retrieve_latents = lambda output, **_: output.latent_dist.mode()
    options = dict(prompt=PROMPT, negative_prompt=UNWANTED, guidance_scale=case["guidance"])
    return flows.edit(built, case, noise_shape(case["size"]), **options)


def record():
    built = pipeline()
    record_text_encoder(built)
    record_transformer(built.transformer)
    record_autoencoder(built.vae)
    words = dict(prompt=PROMPT, unwanted=UNWANTED)
    for case in PICTURES:
        save_tensors(f"pipelines/{case['name']}.safetensors", draw(case))
    save_json("pipelines/z_image_cases.json", [case | words for case in PICTURES])
    for case in EDITS:
        save_tensors(f"edits/{case['name']}.safetensors", edit(case))
    save_json("edits/z_image_cases.json", [case | words for case in EDITS])

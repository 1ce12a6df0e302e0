"""Draws pictures with diffusers' pipelines and records the latents of every step."""

from pathlib import Path

import torch
from diffusers import DiffusionPipeline, StableDiffusionXLPipeline

from common import FIXTURES, randn, save_json, save_tensors
from schedulers import scheduler

SKETCH = Path(__file__).parents[2] / "assets" / "models" / "sketch"

# Sizes are (width, height) in pixels. A guidance scale of 1 ignores the negative prompt. A missing
# `guidance_rescale` is 0.
CASES = [
    dict(model="sd1", scheduler="ddim", steps=4, guidance=1.0, size=(64, 64), unwanted=""),
    dict(model="sd1", scheduler="euler", steps=5, guidance=7.5, size=(64, 48), unwanted="low fog"),
    dict(model="sd1", scheduler="dpm++2m", steps=6, guidance=7.5, size=(40, 72), unwanted="a night"),
    dict(model="sd2", scheduler="ddim", steps=4, guidance=7.5, guidance_rescale=0.7, size=(32, 56), unwanted="a night"),
    dict(model="sd2", scheduler="euler", steps=4, guidance=1.0, size=(48, 32), unwanted=""),
    dict(model="sd2", scheduler="dpm++2m", steps=16, guidance=3.0, size=(32, 32), unwanted=""),
    dict(model="sd1", scheduler="pndm", steps=5, guidance=7.5, size=(32, 32), unwanted="low fog"),
    dict(model="sd1", scheduler="heun", steps=4, guidance=7.5, size=(32, 32), unwanted="low fog"),
    dict(model="sd2", scheduler="lms", steps=6, guidance=3.0, size=(32, 32), unwanted=""),
    dict(model="sd2", scheduler="unipc", steps=6, guidance=3.0, size=(32, 32), unwanted=""),
    dict(model="sdxl", scheduler="euler", steps=5, guidance=5.0, size=(64, 48), unwanted="low fog"),
    dict(model="sdxl", scheduler="dpm++2m", steps=6, guidance=5.0, size=(48, 64), unwanted=""),
]
PROMPT = "a red lighthouse by the sea at night"
SKETCH_CASE = dict(
    model="sketch",
    prompt=PROMPT,
    scheduler="dpm++2m",
    steps=10,
    guidance=5.0,
    guidance_rescale=0.7,
    size=(256, 256),
    unwanted="in the rain",
)


def draw(name, folder, case):
    """The tensors of `illustrate draw --dump`, and the initial noise."""
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler(case["scheduler"], dict(pipeline.scheduler.config))
    width, height = case["size"]
    scale = pipeline.vae_scale_factor
    noise = randn(f"pipelines/{name}", 1, pipeline.unet.config.in_channels, height // scale, width // scale)
    is_xl = isinstance(pipeline, StableDiffusionXLPipeline)
    # XL has zeros for a missing negative prompt.
    unwanted_text = (case["unwanted"] or None) if is_xl else case["unwanted"]
    way = []

    def keep(_pipeline, _step, _timestep, kept):
        way.append(kept["latents"])
        return {}

    image = pipeline(
        case["prompt"],
        negative_prompt=unwanted_text,
        width=width,
        height=height,
        num_inference_steps=case["steps"],
        guidance_scale=case["guidance"],
        guidance_rescale=case["guidance_rescale"],
        latents=noise,
        output_type="pt",
        callback_on_step_end=keep,
    ).images
    if is_xl:
        wanted, unwanted, *_ = pipeline.encode_prompt(case["prompt"], negative_prompt=unwanted_text)
    else:
        wanted, unwanted = pipeline.encode_prompt(case["prompt"], "cpu", 1, True, unwanted_text)
    way.insert(0, noise * pipeline.scheduler.init_noise_sigma)
    return {
        "noise": noise,
        "prompt_embeds": wanted,
        "negative_prompt_embeds": unwanted,
        "timesteps": pipeline.scheduler.timesteps.to(torch.float32),
        "image": image * 2 - 1,
        **{f"latents_{step}": latents for step, latents in enumerate(way)},
    }


def record():
    cases = []
    for case in CASES:
        case = dict(name=f"{case['model']}_{case['scheduler']}", prompt=PROMPT, guidance_rescale=0.0) | case
        tensors = draw(case["name"], FIXTURES / case["model"], case)
        save_tensors(f"pipelines/{case['name']}.safetensors", tensors)
        cases.append(case)
    save_json("pipelines/cases.json", cases)

    tensors = draw("sketch", SKETCH, SKETCH_CASE)
    # Every fourth pixel is enough to compare pictures.
    tensors["image"] = tensors["image"][:, :, ::4, ::4]
    save_tensors("pipelines/sketch.safetensors", tensors)
    save_json("pipelines/sketch.json", SKETCH_CASE)

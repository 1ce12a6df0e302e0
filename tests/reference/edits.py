"""Edits a part of a picture with diffusers' StableDiffusionInpaintPipeline and a 4-channel UNet, and records the
latents of every step."""

import torch
from diffusers import StableDiffusionInpaintPipeline
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint as inpaint
from PIL import Image

from common import FIXTURES, generator, randn, save_json, save_tensors
from schedulers import CLASSES

# Sizes are (width, height); the part is (left, top, width, height). All in pixels and multiples of a latent.
CASES = [
    dict(model="sd1", scheduler="ddim", steps=5, strength=0.6, size=(64, 48), part=(16, 8, 24, 24)),
    dict(model="sd1", scheduler="euler", steps=6, strength=0.5, size=(48, 64), part=(0, 0, 32, 16)),
    dict(model="sd1", scheduler="dpm++2m", steps=10, strength=0.7, size=(64, 64), part=(24, 24, 40, 40)),
    dict(model="sd2", scheduler="dpm++2m", steps=4, strength=1.0, size=(40, 40), part=(8, 16, 16, 8)),
]
PROMPT, UNWANTED = "a red lighthouse by the sea at night", "low fog"
GUIDANCE = 6.0


def edit(name, case):
    """The noise, the picture, and the latents before every step and after the last."""
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(FIXTURES / case["model"], dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = CLASSES[case["scheduler"]].from_config(pipeline.scheduler.config)
    # The picture's latents are the mean of the distribution, not a sample.
    inpaint.retrieve_latents = lambda output, **_: output.latent_dist.mode()
    width, height = case["size"]
    scale = pipeline.vae_scale_factor
    noise = randn(f"edits/{name}", 1, 4, height // scale, width // scale)
    coarse = torch.sigmoid(randn(f"edits/{name}/picture", 1, 3, 6, 6))
    picture = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    picture = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    left, top, wide, high = case["part"]
    mask = torch.zeros(height, width, dtype=torch.uint8)
    mask[top : top + high, left : left + wide] = 255
    way = []

    def keep(_pipeline, _step, _timestep, kept):
        way.append(kept["latents"])
        return {}

    pipeline(
        PROMPT,
        image=Image.fromarray(picture.numpy()),
        mask_image=Image.fromarray(mask.numpy()),
        negative_prompt=UNWANTED,
        width=width,
        height=height,
        strength=case["strength"],
        num_inference_steps=case["steps"],
        guidance_scale=GUIDANCE,
        # The generator's first numbers are the noise.
        generator=generator(f"edits/{name}"),
        output_type="pt",
        callback_on_step_end=keep,
    )
    return {
        "noise": noise,
        "picture": picture,
        **{f"latents_{step + 1}": latents for step, latents in enumerate(way)},
    }


def record():
    cases = []
    for case in CASES:
        case = dict(name=f"{case['model']}_{case['scheduler']}") | case
        case |= dict(prompt=PROMPT, unwanted=UNWANTED, guidance=GUIDANCE)
        save_tensors(f"edits/{case['name']}.safetensors", edit(case["name"], case))
        cases.append(case)
    save_json("edits/cases.json", cases)

"""Draws pictures again with diffusers' StableDiffusionImg2ImgPipeline, and records the latents of every step: as a whole,
and with a UNet that sees tiles, whose predictions are blended."""

import torch
from diffusers import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img as img2img
from PIL import Image

from common import FIXTURES, generator, randn, save_json, save_tensors
from flows import kept_latents, smooth_picture
from schedulers import CLASSES

PROMPT, NEGATIVE_PROMPT = "a red lighthouse by the sea at night", "low fog"
#: Sizes are (width, height) in pixels. The spans of tiles are (start, end) in latents, by hand: a tile has 16 latents,
#: and a cell of 8 overlaps.
CASES = [
    dict(name="whole", scheduler="ddim", steps=5, strength=0.6, size=(72, 48), rows=None, columns=None),
    dict(
        name="tiled",
        scheduler="dpm++2m",
        steps=6,
        strength=0.5,
        size=(216, 168),
        rows=[(0, 16), (8, 21)],
        columns=[(0, 16), (8, 24), (16, 27)],
    ),
]
GUIDANCE = 6.0


def ramp(spans, index):
    """The weights of a span along its side: 1, and linear over the latents that it shares with its neighbours."""
    start, end = spans[index]
    weights = torch.ones(end - start)
    if index > 0:
        shared = spans[index - 1][1] - start
        weights[:shared] = torch.minimum(weights[:shared], (torch.arange(shared) + 0.5) / shared)
    if index + 1 < len(spans):
        shared = end - spans[index + 1][0]
        weights[-shared:] = torch.minimum(weights[-shared:], (torch.arange(shared).flip(0) + 0.5) / shared)
    return weights


def see_tiles(unet, rows, columns):
    """Makes a UNet predict in tiles."""
    whole = unet.forward

    def forward(sample, *arguments, **options):
        total, weight = torch.zeros_like(sample), torch.zeros(sample.shape[2:])
        for row, (top, bottom) in enumerate(rows):
            for column, (left, right) in enumerate(columns):
                predicted = whole(sample[:, :, top:bottom, left:right], *arguments, **options)[0]
                window = ramp(rows, row)[:, None] * ramp(columns, column)[None, :]
                total[:, :, top:bottom, left:right] += window * predicted
                weight[top:bottom, left:right] += window
        return (total / weight,)

    unet.forward = forward


def draw(case):
    """The noise, the picture, and the latents after every step."""
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(FIXTURES / "sd1", dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = CLASSES[case["scheduler"]].from_config(pipeline.scheduler.config)
    if case["rows"]:
        see_tiles(pipeline.unet, case["rows"], case["columns"])
    # The picture's latents are the mean of the distribution, not a sample.
    img2img.retrieve_latents = lambda output, **_: output.latent_dist.mode()
    width, height = case["size"]
    scale = pipeline.vae_scale_factor
    name = f"tiles/{case['name']}"
    noise = randn(name, 1, 4, height // scale, width // scale)
    picture = smooth_picture(f"{name}/picture", width, height)
    way = []
    pipeline(
        PROMPT,
        image=Image.fromarray(picture.numpy()),
        negative_prompt=NEGATIVE_PROMPT,
        strength=case["strength"],
        num_inference_steps=case["steps"],
        guidance_scale=GUIDANCE,
        # The generator's first numbers are the noise.
        generator=generator(name),
        output_type="latent",
        callback_on_step_end=kept_latents(way),
    )
    return {
        "noise": noise,
        "picture": picture,
        **{f"latents_{step + 1}": latents for step, latents in enumerate(way)},
    }


def record():
    cases = []
    for case in CASES:
        save_tensors(f"tiles/{case['name']}.safetensors", draw(case))
        case = {key: value for key, value in case.items() if key not in ("rows", "columns")}
        cases.append(case | dict(prompt=PROMPT, negative_prompt=NEGATIVE_PROMPT, guidance=GUIDANCE))
    save_json("tiles/cases.json", cases)

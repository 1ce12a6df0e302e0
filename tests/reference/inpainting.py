"""Runs UNets with 9 input channels, which also read a mask and a masked picture, and diffusers' inpainting pipelines with
them. The networks are those of `models.py` with another first convolution."""

import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_inpaint as inpaint
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_inpaint as inpaint_xl
from PIL import Image

import models
from common import FIXTURES, generator, randn, save_json, save_tensors
from networks import record_unet
from schedulers import CLASSES

# Sizes are (width, height); a part is (left, top, width, height, strength). All in pixels. The left and upper edges of
# parts are those of latents, so that diffusers' mask of latents has all latents of a part. Without parts, the whole
# picture is drawn. For that, the autoencoder encodes grey: that of `sd1`, whose norms have groups of one channel, gives
# rounding errors only.
CASES = [
    dict(model="sd2", scheduler="euler", steps=5, size=(48, 32), parts=[]),
    dict(model="sdxl", scheduler="euler", steps=5, size=(48, 64), parts=[]),
    dict(model="sd1", scheduler="ddim", steps=5, size=(64, 48), parts=[(16, 8, 21, 19, 1.0)]),
    dict(model="sd1", scheduler="dpm++2m", steps=10, size=(64, 64), parts=[(24, 24, 40, 37, 0.7)]),
    dict(model="sdxl", scheduler="euler", steps=6, size=(48, 64), parts=[(0, 0, 32, 16, 0.5)]),
    dict(model="sd1", scheduler="euler", steps=6, size=(64, 64), parts=[(0, 0, 24, 30, 1.0), (32, 16, 16, 20, 0.5)]),
]
PROMPT, UNWANTED = "a red lighthouse by the sea at night", "low fog"
GUIDANCE = 6.0


def unet(name):
    """The UNet of `models.py`, with a first convolution for 9 channels."""
    network = UNet2DConditionModel(**models.UNETS[name] | dict(in_channels=9))
    state = models.unet(name).state_dict()
    shape = network.conv_in.weight.shape
    state["conv_in.weight"] = randn(f"{name}_inpainting/conv_in", *shape) / shape[1:].numel() ** 0.5
    network.load_state_dict(state)
    return network.eval()


def pipeline(name):
    kind = StableDiffusionXLInpaintPipeline if name == "sdxl" else StableDiffusionInpaintPipeline
    built = kind.from_pretrained(FIXTURES / name, unet=unet(name), dtype=torch.float32)
    built.set_progress_bar_config(disable=True)
    return built


def edit(name, case):
    """The noise, the picture, the latents after every step, and the drawn picture."""
    drawer = pipeline(case["model"])
    drawer.scheduler = CLASSES[case["scheduler"]].from_config(drawer.scheduler.config)
    # Pictures are encoded as the mean of the distribution, not as a sample.
    for module in (inpaint, inpaint_xl):
        module.retrieve_latents = lambda output, **_: output.latent_dist.mode()
    width, height = case["size"]
    scale, steps = drawer.vae_scale_factor, case["steps"]
    rows, columns = height // scale, width // scale
    noise = randn(f"inpainting/{name}", 1, 4, rows, columns)
    if case["parts"]:
        coarse = torch.sigmoid(randn(f"inpainting/{name}/picture", 1, 3, 6, 6))
        picture = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
        picture = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    else:
        picture = torch.full((height, width, 3), 128, dtype=torch.uint8)
    parts = case["parts"] or [(0, 0, width, height, 1.0)]
    mask = torch.zeros(height, width, dtype=torch.uint8)
    # The first denoised step of each latent.
    start = torch.full((rows, columns), steps)
    for left, top, wide, high, strength in parts:
        mask[top : top + high, left : left + wide] = 255
        across, down = (slice(at // scale, -(-(at + side) // scale)) for at, side in ((left, wide), (top, high)))
        start[down, across] = steps - int(steps * strength + 1e-4)
    original = drawer.image_processor.preprocess(Image.fromarray(picture.numpy()))
    original = drawer.vae.encode(original).latent_dist.mode() * drawer.vae.config.scaling_factor
    first, way = start.min().item(), {}

    def blend(pipeline, step, _timestep, kept):
        """As diffusers does for UNets with 4 channels, and with a strength for each latent."""
        after = first + step + 1
        around = original
        if after < steps:
            around = pipeline.scheduler.add_noise(original, noise, pipeline.scheduler.timesteps[after : after + 1])
        way[f"latents_{step + 1}"] = torch.where(start < after, kept["latents"], around)
        return {"latents": way[f"latents_{step + 1}"]}

    images = drawer(
        PROMPT,
        image=Image.fromarray(picture.numpy()),
        mask_image=Image.fromarray(mask.numpy()),
        negative_prompt=UNWANTED,
        width=width,
        height=height,
        strength=max(strength for *_, strength in parts),
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        # The generator's first numbers are the noise.
        generator=generator(f"inpainting/{name}"),
        output_type="pt",
        callback_on_step_end=blend,
    ).images
    return {"noise": noise, "picture": picture, "image": images * 2 - 1, **way}


def record():
    cases = []
    for name, size, odd_size, timesteps in (
        ("sd1", (16, 8), (11, 9), (981, 0.0)),
        ("sd2", (8, 12), (7, 10), (1, 503.25)),
        ("sdxl", (8, 12), (7, 10), (1, 503.25)),
    ):
        network = unet(name)
        save_tensors(f"networks/{name}_inpainting.safetensors", {"conv_in.weight": network.conv_in.weight})
        record_unet(f"{name}_inpainting", network, size, odd_size, timesteps)
    for case in CASES:
        kind = "draw" if not case["parts"] else "edit" if len(case["parts"]) == 1 else "edits"
        case = dict(name=f"{case['model']}_{case['scheduler']}_{kind}") | case
        case |= dict(prompt=PROMPT, unwanted=UNWANTED, guidance=GUIDANCE)
        save_tensors(f"inpainting/{case['name']}.safetensors", edit(case["name"], case))
        cases.append(case)
    save_json("inpainting/cases.json", cases)

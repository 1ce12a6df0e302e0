"""Draws pictures with guidance in an interval of the steps, by diffusers' guider."""

import torch
from diffusers import DiffusionPipeline
from diffusers.guiders import ClassifierFreeGuidance

from common import FIXTURES, randn, save_json, save_tensors
from pipelines import PROMPT
from schedulers import scheduler

CASES = [
    dict(model="sd1", scheduler="dpm++2m", steps=6, guidance=7.5, size=(40, 48), start=0.2, stop=0.7),
    dict(model="sd1", scheduler="euler", steps=4, guidance=7.5, size=(32, 32), start=0.0, stop=0.5),
    dict(model="sd2", scheduler="ddim", steps=5, guidance=5.0, guidance_rescale=0.7, size=(32, 48), start=0.3, stop=1.0),
]
UNWANTED = "low fog"


def draw(case):
    """The starting noise, and the latents after every step."""
    pipeline = DiffusionPipeline.from_pretrained(FIXTURES / case["model"], dtype=torch.float32)
    steps = scheduler(case["scheduler"], dict(pipeline.scheduler.config))
    guider = ClassifierFreeGuidance(case["guidance"], case["guidance_rescale"], start=case["start"], stop=case["stop"])
    wanted, unwanted = pipeline.encode_prompt(PROMPT, "cpu", 1, True, UNWANTED)
    width, height = (side // pipeline.vae_scale_factor for side in case["size"])
    noise = randn(f"guidance_interval/{case['name']}", 1, pipeline.unet.config.in_channels, height, width)
    steps.set_timesteps(case["steps"])
    latents = noise * steps.init_noise_sigma
    way = {"noise": noise}
    for index, timestep in enumerate(steps.timesteps):
        guider.set_state(step=index, num_inference_steps=case["steps"], timestep=timestep)
        scaled = steps.scale_model_input(latents, timestep)
        embeds = [wanted, unwanted][: guider.num_conditions]
        predictions = [pipeline.unet(scaled, timestep, encoder_hidden_states=it).sample for it in embeds]
        latents = steps.step(guider.forward(*predictions).pred, timestep, latents).prev_sample
        way[f"latents_{index + 1}"] = latents
    return way


def record():
    cases = []
    for case in CASES:
        name = f"{case['model']}_{case['scheduler']}"
        case = dict(name=name, prompt=PROMPT, unwanted=UNWANTED, guidance_rescale=0.0) | case
        save_tensors(f"guidance_interval/{name}.safetensors", draw(case))
        cases.append(case)
    save_json("guidance_interval/cases.json", cases)

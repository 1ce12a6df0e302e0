"""Draws with a UNet that was distilled with guidance and embeds the guidance scale, as latent consistency models do. The
network is that of `models.py` with an embedding of the scale."""

import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel

import models
from common import FIXTURES, randn, save_tensors
from schedulers import CLASSES

PROMPT = "a red lighthouse by the sea at night"
STEPS, GUIDANCE = 4, (1.0, 3.5, 8.5)
#: The channels of the waves of the scale, and those of the first level, which is that of the waves of the timestep.
WAVES, CHANNELS = 16, 8


def record():
    weight = randn("distilled/cond_proj", CHANNELS, WAVES)
    network = UNet2DConditionModel(**models.UNETS["sd1"] | dict(time_cond_proj_dim=WAVES))
    state = models.unet("sd1").state_dict() | {"time_embedding.cond_proj.weight": weight}
    network.load_state_dict(state)
    drawer = DiffusionPipeline.from_pretrained(FIXTURES / "sd1", unet=network.eval(), dtype=torch.float32)
    drawer.set_progress_bar_config(disable=True)
    drawer.scheduler = CLASSES["ddim"].from_config(drawer.scheduler.config)
    noise = randn("distilled/noise", 1, 4, 6, 8)
    recorded = {"time_embedding.cond_proj.weight": weight, "noise": noise}
    for scale in GUIDANCE:

        def keep(_pipeline, step, _timestep, kept, scale=scale):
            recorded[f"guidance_{scale}.latents_{step + 1}"] = kept["latents"]
            return {}

        drawer(
            PROMPT,
            negative_prompt="low fog",
            width=64,
            height=48,
            num_inference_steps=STEPS,
            guidance_scale=scale,
            latents=noise,
            output_type="latent",
            callback_on_step_end=keep,
        )
    save_tensors("distilled.safetensors", recorded)

"""Runs diffusers' schedulers with many options on synthetic model outputs, and records every step."""

import warnings

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

from common import randn, save_json, save_tensors

CLASSES = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler, "dpm++2m": DPMSolverMultistepScheduler}

# Stable Diffusion's config, whichever scheduler class it names.
LATENT = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False)
BETAS = [round(0.001 + 0.018 * (i / 39) ** 2, 6) for i in range(40)]

# Options for all schedulers; each ignores those that it does not know.
COMMON = {
    "plain": (5, {}),
    "one_step": (1, LATENT),
    "two_steps": (2, LATENT),
    "leading": (6, LATENT | dict(timestep_spacing="leading", set_alpha_to_one=False)),
    "trailing": (7, LATENT | dict(timestep_spacing="trailing")),
    "linspace": (6, LATENT | dict(timestep_spacing="linspace")),
    "sample": (5, LATENT | dict(prediction_type="sample", beta_schedule="linear")),
    "velocity": (5, LATENT | dict(prediction_type="v_prediction", timestep_spacing="leading")),
    "cosine": (4, dict(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False)),
    "trained_betas": (4, dict(trained_betas=BETAS, num_train_timesteps=40, clip_sample=False)),
    "zero_snr": (
        5,
        LATENT | dict(rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"),
    ),
    "threshold": (5, LATENT | dict(thresholding=True, dynamic_thresholding_ratio=0.9, sample_max_value=1.6)),
    "null": (3, LATENT | dict(timestep_spacing=None, prediction_type=None, trained_betas=None)),
}

SIGMAS = {
    "karras": (6, LATENT | dict(use_karras_sigmas=True, timestep_spacing="leading")),
    "karras_bounds": (5, LATENT | dict(use_karras_sigmas=True, sigma_min=0.1, sigma_max=9.5)),
    "karras_to_sigma_min": (5, LATENT | dict(use_karras_sigmas=True, final_sigmas_type="sigma_min")),
    "karras_cosine": (5, dict(beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True)),
    "exponential": (6, LATENT | dict(use_exponential_sigmas=True)),
    "final_sigma_min": (6, LATENT | dict(final_sigmas_type="sigma_min", timestep_spacing="trailing")),
}

OWN = {
    "ddim": {
        "clip": (5, dict(clip_sample=True, clip_sample_range=0.5)),
        "alpha_to_one": (5, LATENT | dict(set_alpha_to_one=True)),
    },
    "euler": SIGMAS
    | {
        "log_linear": (5, LATENT | dict(interpolation_type="log_linear", timestep_spacing="trailing")),
        "velocity_karras": (5, LATENT | dict(prediction_type="v_prediction", use_karras_sigmas=True)),
    },
    "dpm++2m": SIGMAS
    | {
        "first_order": (5, LATENT | dict(solver_order=1)),
        "heun": (6, LATENT | dict(solver_type="heun")),
        "heun_to_sigma_min": (
            16,
            LATENT | dict(solver_type="heun", final_sigmas_type="sigma_min", timestep_spacing="trailing"),
        ),
        "second_order_last": (
            6,
            LATENT
            | dict(lower_order_final=False, final_sigmas_type="sigma_min", timestep_spacing="trailing"),
        ),
        "euler_at_final": (
            16,
            LATENT | dict(euler_at_final=True, final_sigmas_type="sigma_min", timestep_spacing="trailing"),
        ),
        "long": (16, LATENT | dict(final_sigmas_type="sigma_min", timestep_spacing="trailing")),
        "lambda_clipped": (
            6,
            dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1, timestep_spacing="trailing"),
        ),
        "unipc_config": (5, LATENT | dict(solver_type="bh2", prediction_type="v_prediction")),
    },
}


def scheduler(kind, options):
    """Creates a scheduler with `from_config`. A null value means the default."""
    return CLASSES[kind].from_config({key: value for key, value in options.items() if value is not None})


def made_up_model(inputs, timestep):
    """A synthetic model output that depends on its input."""
    mixed = inputs.roll(1, dims=-1) - 0.5 * inputs.roll(1, dims=1)
    return torch.tanh(0.7 * inputs + 0.4 * mixed + 0.001 * float(timestep)) * 1.3


def walk(name, kind, steps, options):
    walker = scheduler(kind, options)
    walker.set_timesteps(steps)
    if hasattr(walker, "set_begin_index"):
        walker.set_begin_index(0)  # otherwise it starts with the second step where two timesteps round to one
    noise = randn("schedulers/noise", 1, 4, 4, 4)
    latents = noise * walker.init_noise_sigma
    seen, outputs, after, originals = [], [], [], []
    for timestep in walker.timesteps:
        inputs = walker.scale_model_input(latents, timestep)
        output = made_up_model(inputs, timestep)
        step = walker.step(output, timestep, latents)
        latents = step.prev_sample
        original = walker.model_outputs[-1] if kind == "dpm++2m" else step.pred_original_sample
        for list, value in ((seen, inputs), (outputs, output), (after, latents), (originals, original)):
            list.append(value)
    record = dict(model_inputs=seen, model_outputs=outputs, latents=after, predicted_originals=originals)
    return {
        f"{name}/timesteps": walker.timesteps.to(torch.float64),
        **{f"{name}/{key}": torch.cat(values) for key, values in record.items()},
    }


def checksums(kind, spacing):
    """A checksum of the timesteps for every number of steps from 1 to 1000. NaN where diffusers fails."""
    walker = scheduler(kind, LATENT | dict(timestep_spacing=spacing))
    sums = []
    for steps in range(1, 1001):
        walker.set_timesteps(steps)
        timesteps = walker.timesteps.to(torch.float64).numpy()
        sound = len(timesteps) == steps and timesteps.min() >= 0 and len(set(timesteps)) == steps
        sound = sound and timesteps.max() < 1000
        sums.append(float(np.dot(timesteps, np.arange(1, steps + 1))) if sound else float("nan"))
    return torch.tensor(sums, dtype=torch.float64)


def record():
    warnings.simplefilter("ignore")
    cases, tensors = [], {}
    tensors["noise"] = randn("schedulers/noise", 1, 4, 4, 4)
    for kind in CLASSES:
        for label, (steps, options) in (COMMON | OWN[kind]).items():
            name = f"{kind}/{label}"
            tensors |= walk(name, kind, steps, options)
            cases.append(dict(name=name, scheduler=kind, steps=steps, config=options))
        for spacing in ("leading", "trailing", "linspace"):
            tensors[f"checksums/{kind}/{spacing}"] = checksums(kind, spacing)
    save_json("schedulers/cases.json", cases)
    save_tensors("schedulers/trajectories.safetensors", tensors)

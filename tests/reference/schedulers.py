"""Runs diffusers' schedulers with many options on synthetic model outputs, and records every step."""

import sys
import warnings
from unittest.mock import patch

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSDEScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)
from diffusers.pipelines.flux import pipeline_flux
from diffusers.pipelines.flux2 import pipeline_flux2_klein

from common import randn, save_json, save_tensors

CLASSES = {
    "ddim": DDIMScheduler,
    "ddpm": DDPMScheduler,
    "pndm": PNDMScheduler,
    "lms": LMSDiscreteScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-a": EulerAncestralDiscreteScheduler,
    "heun": HeunDiscreteScheduler,
    "dpm++2m": DPMSolverMultistepScheduler,
    "dpm++2m-sde": DPMSolverMultistepScheduler,
    "dpm++sde": DPMSolverSDEScheduler,
    "unipc": UniPCMultistepScheduler,
    "lcm": LCMScheduler,
    "tcd": TCDScheduler,
}

# What a short name adds to the options.
FIXED = {"dpm++2m-sde": dict(algorithm_type="sde-dpmsolver++"), "pndm": dict(skip_prk_steps=True)}

# Options that a class refuses or ignores, and "cosine" where its f32 arithmetic fails: the first sigma is 20,000.
UNKNOWN = {
    "pndm": {"threshold", "sample", "zero_snr"},
    "lms": {"threshold", "zero_snr"},
    "euler-a": {"threshold", "sample", "cosine"},
    "heun": {"threshold", "zero_snr", "cosine"},
    "dpm++sde": {"threshold", "sample", "zero_snr"},
    "lcm": {"trained_betas"},
    "tcd": {"trained_betas", "threshold"},
}

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
    "beta": (6, LATENT | dict(use_beta_sigmas=True)),
    "final_sigma_min": (6, LATENT | dict(final_sigmas_type="sigma_min", timestep_spacing="trailing")),
}

# The sigma spacings of classes without bounds for sigmas.
SPACINGS = {name: SIGMAS[name] for name in ("karras", "exponential", "beta")}

OWN = {
    "ddpm": {
        "clip": (5, dict(clip_sample=True, clip_sample_range=0.5)),
        "large": (5, LATENT | dict(variance_type="fixed_large")),
        "small_log": (5, LATENT | dict(variance_type="fixed_small_log")),
    },
    "pndm": {
        "alpha_to_one": (6, LATENT | dict(set_alpha_to_one=True)),
        "long": (12, LATENT),
    },
    "lms": SPACINGS | {"long": (12, LATENT)},
    "euler-a": {"long": (12, LATENT)},
    "heun": SPACINGS | {"clip": (4, dict(clip_sample=True, clip_sample_range=0.5))},
    "dpm++sde": SPACINGS,
    "unipc": SIGMAS
    | {
        "first_order": (5, LATENT | dict(solver_order=1)),
        "third_order": (7, LATENT | dict(solver_order=3)),
        # With a last sigma of zero, diffusers' bh1 gives NaN.
        "bh1": (6, LATENT | dict(solver_type="bh1", final_sigmas_type="sigma_min")),
        "third_order_bh1": (7, LATENT | dict(solver_order=3, solver_type="bh1", final_sigmas_type="sigma_min")),
        "no_lower_order": (
            6,
            LATENT | dict(lower_order_final=False, final_sigmas_type="sigma_min", timestep_spacing="trailing"),
        ),
        "corrector": (6, LATENT | dict(disable_corrector=[0, 3])),
        "dpm_config": (5, LATENT | dict(solver_type="midpoint")),
    },
    "lcm": {
        "clip": (4, dict(clip_sample=True, clip_sample_range=0.5)),
        "original_steps": (4, LATENT | dict(original_inference_steps=30)),
        "scaling": (4, LATENT | dict(timestep_scaling=0.01)),
    },
    "tcd": {"original_steps": (4, LATENT | dict(original_inference_steps=30))},
    "dpm++2m-sde": SIGMAS
    | {
        "first_order": (5, LATENT | dict(solver_order=1)),
        "heun": (6, LATENT | dict(solver_type="heun")),
        "long": (16, LATENT | dict(final_sigmas_type="sigma_min", timestep_spacing="trailing")),
    },
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
    options = options | FIXED.get(kind, {})
    return CLASSES[kind].from_config({key: value for key, value in options.items() if value is not None})


class Noise:
    """Recorded noise in place of a scheduler's own."""

    def __init__(self):
        self.step = 0
        self.drawn = {}

    def at(self, step):
        return self.drawn.setdefault(step, randn(f"schedulers/step_noise/{step}", 1, 4, 4, 4))

    def randn_tensor(self, *_args, **_options):
        return self.at(self.step)

    def brownian(self, sigma, sigma_next):
        """The change of a Brownian motion from `sigma` to `sigma_next`, divided by its standard deviation.

        The motion changes by the noise of a step to the middle, then by that of the step after it.
        """
        if self.step % 2 == 0:
            self.middle = sigma_next
            return self.at(self.step)
        first, second = sigma - self.middle, self.middle - sigma_next
        change = first.sqrt() * self.at(self.step - 1) + second.sqrt() * self.at(self.step)
        return change / (first + second).sqrt()


def made_up_model(inputs, timestep):
    """A synthetic model output that depends on its input."""
    mixed = inputs.roll(1, dims=-1) - 0.5 * inputs.roll(1, dims=1)
    return torch.tanh(0.7 * inputs + 0.4 * mixed + 0.001 * float(timestep)) * 1.3


def original_of(walker, kind, output, inputs, timestep):
    """The predicted finished latents, for schedulers that do not return them."""
    alpha = walker.alphas_cumprod[int(timestep)]
    match walker.config.prediction_type:
        case "epsilon":
            original = (inputs - (1 - alpha).sqrt() * output) / alpha.sqrt()
        case "sample":
            original = output
        case "v_prediction":
            original = alpha.sqrt() * inputs - (1 - alpha).sqrt() * output
    if kind == "lcm" and walker.config.thresholding:
        return walker._threshold_sample(original)
    if kind == "lcm" and walker.config.clip_sample:
        return original.clamp(-walker.config.clip_sample_range, walker.config.clip_sample_range)
    return original


def walk(name, kind, steps, options):
    walker = scheduler(kind, options)
    walker.set_timesteps(steps)
    if hasattr(walker, "set_begin_index"):
        walker.set_begin_index(0)  # otherwise it starts with the second step where two timesteps round to one
    recorded = Noise()
    walker.noise_sampler = recorded.brownian
    latents = randn("schedulers/noise", 1, 4, 4, 4) * walker.init_noise_sigma
    seen, outputs, after, originals = [], [], [], []
    with patch.object(sys.modules[type(walker).__module__], "randn_tensor", recorded.randn_tensor, create=True):
        for recorded.step, timestep in enumerate(walker.timesteps):
            inputs = walker.scale_model_input(latents, timestep)
            output = made_up_model(inputs, timestep)
            step = walker.step(output, timestep, latents)
            if hasattr(walker, "model_outputs"):
                original = walker.model_outputs[-1]
            elif kind in ("pndm", "lcm", "tcd"):
                original = original_of(walker, kind, output, latents, timestep)
            else:
                original = step.pred_original_sample
            latents = step.prev_sample
            for list, value in ((seen, inputs), (outputs, output), (after, latents), (originals, original)):
                list.append(value)
    record = dict(model_inputs=seen, model_outputs=outputs, latents=after, predicted_originals=originals)
    assert all(value.isfinite().all() for values in record.values() for value in values), name
    return {
        f"{name}/timesteps": walker.timesteps.to(torch.float64),
        **{f"{name}/{key}": torch.cat(values) for key, values in record.items()},
    }, recorded.drawn


# The schedule of a flow: "trained" asks for a number of steps, with the shift of FLUX.1's pipeline; "flux2" is what the
# pipeline of FLUX.2 Klein asks for. A picture has this number of latents.
FLOWS = {
    "plain": ("trained", 5, 256, {}),
    "one_step": ("flux2", 1, 256, {}),
    "shift": ("trained", 6, 256, dict(shift=3.0)),
    "shift_of_sigmas": ("flux2", 6, 256, dict(shift=3.0)),
    "dynamic": ("trained", 6, 1024, dict(use_dynamic_shifting=True)),
    "dynamic_bounds": (
        "trained",
        4,
        300,
        dict(
            use_dynamic_shifting=True,
            base_shift=0.3,
            max_shift=0.9,
            base_image_seq_len=100,
            max_image_seq_len=500,
            shift=3.0,
        ),
    ),
    "klein": ("flux2", 4, 4096, dict(use_dynamic_shifting=True, shift=3.0)),
    "klein_small": ("flux2", 4, 16, dict(use_dynamic_shifting=True, shift=3.0)),
    "klein_large": ("flux2", 7, 5000, dict(use_dynamic_shifting=True, shift=3.0)),
    "klein_base": ("flux2", 50, 1024, dict(use_dynamic_shifting=True)),
    "klein_one_step": ("flux2", 1, 1024, dict(use_dynamic_shifting=True)),
    "flow_sigmas": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, use_flow_sigmas=True)),
    "linear": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, time_shift_type="linear")),
    "terminal": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, shift_terminal=0.02)),
    "stochastic": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, stochastic_sampling=True)),
    "karras": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, use_karras_sigmas=True)),
    "exponential": ("trained", 5, 1024, dict(shift=2.0, use_exponential_sigmas=True)),
    "beta": ("flux2", 5, 1024, dict(use_dynamic_shifting=True, use_beta_sigmas=True)),
    "few_trained": ("trained", 3, 256, dict(num_train_timesteps=40, shift=1.5)),
    "null": ("flux2", 3, 256, dict(shift_terminal=None, base_shift=None)),
}


def set_flow_timesteps(walker, flow, steps, latents):
    """As the pipelines do, without their networks."""
    if flow == "flux2":
        is_own = walker.config.get("use_flow_sigmas", False)
        sigmas = None if is_own else np.linspace(1.0, 1 / steps, steps)
        walker.set_timesteps(steps, sigmas=sigmas, mu=pipeline_flux2_klein.compute_empirical_mu(latents, steps))
        return
    config = walker.config
    bounds = (config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
    mu = pipeline_flux.calculate_shift(latents, *bounds) if config.use_dynamic_shifting else None
    walker.set_timesteps(steps, mu=mu)


def walk_flow(name, flow, steps, size, options):
    walker = FlowMatchEulerDiscreteScheduler.from_config(
        {key: value for key, value in options.items() if value is not None}
    )
    set_flow_timesteps(walker, flow, steps, size)
    timesteps = walker.timesteps
    original, noise = randn("schedulers/original", 1, 4, 4, 4), randn("schedulers/noise", 1, 4, 4, 4)
    noised = [walker.scale_noise(original, timestep[None], noise) for timestep in timesteps]
    walker.set_begin_index(0)
    latents, recorded, seen, outputs, after, originals = noise, Noise(), [], [], [], []
    with patch.object(sys.modules[type(walker).__module__], "randn_tensor", recorded.randn_tensor):
        for recorded.step, timestep in enumerate(timesteps):
            output = made_up_model(latents, timestep)
            seen.append(latents)
            outputs.append(output)
            originals.append(latents - walker.sigmas[recorded.step] * output)
            latents = walker.step(output, timestep, latents).prev_sample
            after.append(latents)
    record = dict(
        model_inputs=seen, model_outputs=outputs, latents=after, predicted_originals=originals, noised=noised
    )
    assert all(value.isfinite().all() for values in record.values() for value in values), name
    return {
        f"{name}/timesteps": timesteps.to(torch.float64),
        **{f"{name}/{key}": torch.cat(values) for key, values in record.items()},
    }, recorded.drawn


def record_flows():
    """Runs of the scheduler of flows, in files of their own."""
    names = ("original", "noise")
    cases, tensors = [], {name: randn(f"schedulers/{name}", 1, 4, 4, 4) for name in names}
    for label, (flow, steps, latents, options) in FLOWS.items():
        name = f"flow-euler/{label}"
        walked, drawn = walk_flow(name, flow, steps, latents, options)
        tensors |= walked | {f"step_noise/{step}": noise for step, noise in drawn.items()}
        cases.append(
            dict(name=name, scheduler="flow-euler", steps=steps, flow=flow, latents=latents, config=options)
        )
    save_json("schedulers/flow_cases.json", cases)
    save_tensors("schedulers/flow_trajectories.safetensors", tensors)


def checksums(kind, spacing):
    """A checksum of the timesteps for every number of steps from 1 to 1000. NaN where diffusers fails."""
    walker = scheduler(kind, LATENT | dict(timestep_spacing=spacing))
    sums = []
    for steps in range(1, 1001):
        try:
            walker.set_timesteps(steps)
        except ValueError:
            sums.append(float("nan"))
            continue
        timesteps = walker.timesteps.to(torch.float64).numpy()
        repeats = kind in ("heun", "pndm")
        distinct = steps if repeats else len(timesteps)
        sound = timesteps.min() >= 0 and timesteps.max() < 1000 and len(set(timesteps)) == distinct
        sound = sound and len(timesteps) >= steps
        sums.append(float(np.dot(timesteps, np.arange(1, len(timesteps) + 1))) if sound else float("nan"))
    return torch.tensor(sums, dtype=torch.float64)


def record():
    warnings.simplefilter("ignore")
    cases, tensors = [], {}
    tensors["noise"] = randn("schedulers/noise", 1, 4, 4, 4)
    for kind in CLASSES:
        for label, (steps, options) in (COMMON | OWN.get(kind, {})).items():
            if label in UNKNOWN.get(kind, ()):
                continue
            name = f"{kind}/{label}"
            walked, drawn = walk(name, kind, steps, options)
            tensors |= walked | {f"step_noise/{step}": noise for step, noise in drawn.items()}
            cases.append(dict(name=name, scheduler=kind, steps=steps, config=options | FIXED.get(kind, {})))
        for spacing in ("leading", "trailing", "linspace"):
            tensors[f"checksums/{kind}/{spacing}"] = checksums(kind, spacing)
    record_flows()
    save_json("schedulers/cases.json", cases)
    save_tensors("schedulers/trajectories.safetensors", tensors)

"""Runs ControlNets with random weights for the small models `sd1` and `sd2` with diffusers, and records their inputs and
residuals. Those of `sd1` also with predictions of the denoiser, and whole pictures. That of `sd2` is a single file.

The predictions have 9 x 7 latents: a drawing of 72 x 56 pixels.
"""

import torch
import torch.nn.functional as F
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, UNet2DConditionModel

from adapters import pillow, smooth
import original_names
from common import FIXTURES, randn, randomise, save_json, save_tensors
from schedulers import CLASSES

FOLDER = FIXTURES / "sd1_control_net"
HEIGHT, WIDTH = 56, 72
#: The weight of the residuals.
WEIGHT = 0.7


def network(model):
    """The denoiser of a model, and a ControlNet for it, whose weights are those in its file: f16."""
    unet = UNet2DConditionModel.from_pretrained(FIXTURES / model / "unet")
    options = dict(conditioning_embedding_out_channels=(4, 6, 8, 12), load_weights_from_unet=False)
    control = randomise(ControlNetModel.from_unet(unet, **options), f"{model}/control_net").half()
    return unet.eval(), control


def single_file():
    """The ControlNet of `sd2` as a single file with the names of LDM, and its residuals."""
    _, control = network("sd2")
    state = control.state_dict()
    names = original_names.of_control_net(control)
    original = {f"control_model.{ldm}": state[name] for ldm, name in names.items()}
    save_tensors("single_files/control_net_of_sd2.safetensors", original)
    noisy, states = randn("sd2/control_net/noisy", 1, 4, 7, 9), randn("sd2/control_net/states", 1, 77, 20)
    drawing = smooth("sd2/control_net/drawing", 3, HEIGHT, WIDTH)[None].float() / 255
    tensors = {"noisy": noisy, "states": states, "drawing": drawing}
    down, middle = control.float()(noisy, torch.tensor(500), states, drawing, return_dict=False)
    tensors |= {f"residuals.{i}": residual for i, residual in enumerate([*down, middle])}
    save_tensors("networks/sd2_control_net.safetensors", tensors)


def predictions(unet, control):
    """Inputs, residuals and predictions."""
    noisy, states = randn("sd1/control_net/noisy", 1, 4, 7, 9), randn("sd1/control_net/states", 1, 77, 24)
    drawing = smooth("sd1/control_net/drawing", 3, HEIGHT, WIDTH)[None].float() / 255
    mask = smooth("sd1/control_net/mask", 1, HEIGHT, WIDTH)
    tensors = {"noisy": noisy, "states": states, "drawing": drawing, "mask": mask}
    tensors["embedding"] = control.controlnet_cond_embedding(drawing)
    down, middle = control(noisy, torch.tensor(500), states, drawing, return_dict=False)
    tensors |= {f"residuals.{i}": residual for i, residual in enumerate([*down, middle])}

    def predict(residuals):
        *down, middle = [WEIGHT * residual for residual in residuals]
        options = dict(down_block_additional_residuals=down, mid_block_additional_residual=middle)
        return unet(noisy, torch.tensor(500), states, **options).sample

    tensors["prediction"] = predict([*down, middle])
    mask, masked = mask[None].float() / 255, []
    for residual in [*down, middle]:
        cell = 8 * 2 ** {7: 0, 4: 1, 2: 2, 1: 3}[residual.shape[2]]
        masked.append(residual * F.avg_pool2d(mask, cell, ceil_mode=True, count_include_pad=False))
    tensors["masked.prediction"] = predict(masked)
    return tensors


def pictures(control):
    """Pictures that follow an outline in all steps, and in some of them."""
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(FIXTURES / "sd1", controlnet=control)
    pipeline.set_progress_bar_config(disable=True)
    tensors = {}
    ranges = {"all": (64, 64, 0.0, 1.0), "some": (WIDTH, HEIGHT, 0.2, 0.6)}
    for name, (width, height, start, end) in ranges.items():
        pipeline.scheduler = CLASSES["euler"].from_config(pipeline.scheduler.config)
        # Dark lines on white. The network reads white lines on black.
        lines = torch.where(smooth(f"sd1/control_net/{name}", 1, height, width) > 140, 30, 255).to(torch.uint8)
        noise = randn(f"sd1/control_net/{name}/noise", 1, 4, height // 8, width // 8)
        picture = pipeline(
            "a red lighthouse by the sea at night",
            negative_prompt="low fog",
            image=pillow((255 - lines).expand(3, -1, -1)),
            controlnet_conditioning_scale=WEIGHT,
            control_guidance_start=start,
            control_guidance_end=end,
            width=width,
            height=height,
            num_inference_steps=5,
            guidance_scale=5.0,
            latents=noise,
            output_type="pt",
        ).images
        tensors |= {f"{name}.lines": lines, f"{name}.noise": noise, f"{name}.picture": picture * 2 - 1}
    return tensors


def record():
    unet, control = network("sd1")
    control.save_pretrained(FOLDER)
    save_json("single_files/control_net_of_sd1.json", original_names.of_control_net(control))
    control = control.float()
    save_tensors("networks/sd1_control_net.safetensors", predictions(unet, control) | pictures(control))
    single_file()

"""Runs a union ControlNet with random weights for the small model `sdxl` with diffusers. Records its inputs and residuals for
two types of drawings, predictions of the denoiser, and pictures.

The predictions have 9 x 7 latents: a drawing of 72 x 56 pixels.
"""

import inspect

import torch
from diffusers import ControlNetUnionModel, StableDiffusionXLControlNetUnionPipeline, UNet2DConditionModel

from adapters import HEIGHT, WEIGHT, WIDTH, pillow, smooth
from adapters_xl import picture
from common import FIXTURES, randn, randomise, save_tensors
from networks import conditions_of_xl

FOLDER = FIXTURES / "sdxl_adapters" / "union_control_net"
#: The numbers of the published networks.
TYPES = {"soft_edges": 2, "lines": 3}


def network():
    """The denoiser, and a network for it with the weights of its file: f16."""
    unet = UNet2DConditionModel.from_pretrained(FIXTURES / "sdxl" / "unet").eval()
    known = inspect.signature(ControlNetUnionModel.__init__).parameters
    config = {name: value for name, value in unet.config.items() if name in known and not name.startswith("_")}
    first = unet.config.block_out_channels[0]
    config |= dict(conditioning_embedding_out_channels=(4, 6, 8, 12), num_control_type=6)
    config |= dict(num_trans_channel=first, num_proj_channel=first, num_trans_head=2, num_trans_layer=2)
    return unet, randomise(ControlNetUnionModel(**config), "sdxl/union_control_net").half()


def predictions(unet, union):
    noisy, states = randn("sdxl/union/noisy", 1, 4, 7, 9), randn("sdxl/union/states", 1, 77, 32)
    added = {name: value[:1] for name, value in conditions_of_xl(unet, "sdxl/union", (7, 9)).items()}
    drawing = smooth("sdxl/union/drawing", 3, HEIGHT, WIDTH)[None].float() / 255
    tensors = {"noisy": noisy, "states": states, "pooled": added["text_embeds"], "drawing": drawing}
    for name, index in TYPES.items():
        # As in the pipeline, both halves of a batch have the same latents and drawing.
        types = torch.zeros(2, union.config.num_control_type)
        types[:, index] = 1
        down, middle = union(
            noisy.repeat(2, 1, 1, 1),
            torch.tensor(500),
            states.repeat(2, 1, 1),
            [drawing.repeat(2, 1, 1, 1)],
            types,
            [index],
            added_cond_kwargs={key: value.repeat(2, 1) for key, value in added.items()},
            return_dict=False,
        )
        down, middle = [residual[:1] for residual in down], middle[:1]
        tensors |= {f"{name}.residuals.{i}": residual for i, residual in enumerate([*down, middle])}
        tensors[f"{name}.prediction"] = unet(
            noisy,
            torch.tensor(500),
            states,
            added_cond_kwargs=added,
            down_block_additional_residuals=[WEIGHT * residual for residual in down],
            mid_block_additional_residual=WEIGHT * middle,
        ).sample
    return tensors


def drawn(union):
    """A picture that follows an outline."""
    pipeline = StableDiffusionXLControlNetUnionPipeline.from_pretrained(FIXTURES / "sdxl", controlnet=union)
    # Dark lines on white. The network reads white lines on black.
    lines = torch.where(smooth("sdxl/union/lines", 1, 64, 96) > 140, 30, 255).to(torch.uint8)
    options = dict(control_mode=[TYPES["lines"]], controlnet_conditioning_scale=WEIGHT)
    drawing = pillow((255 - lines).expand(3, -1, -1))
    return {"lines": lines} | picture(pipeline, "union", control_image=[drawing], **options)


def record():
    unet, union = network()
    union.save_pretrained(FOLDER)
    union = union.float()
    save_tensors("networks/sdxl_union_control_net.safetensors", predictions(unet, union) | drawn(union))

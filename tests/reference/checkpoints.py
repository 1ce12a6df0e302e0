"""The names of the tensors of whole models in a single file (LDM), for the small pipelines of `models.py`. Checks them with
diffusers' own conversion.
"""

import re

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)

import models
from common import save_json
from original_names import RESNET, ldm_name

UNET, VAE = "model.diffusion_model.", "first_stage_model."


def unet_name(name, config):
    """The LDM name, without prefix, for a name of diffusers."""
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    name = re.sub(r"^conv_norm_out", "out.0", name)
    name = re.sub(r"^conv_out", "out.2", name)
    name = name.replace("add_embedding.linear_1", "label_emb.0.0").replace("add_embedding.linear_2", "label_emb.0.2")

    def block(match):
        level, kind, layer = int(match[1]), match[2], int(match[3])
        crosses = "CrossAttn" in config["up_block_types"][level]
        place = {"resnets": 0, "attentions": 1, "upsamplers": 1 + crosses}[kind]
        layer = layers if kind == "upsamplers" else layer
        return f"output_blocks.{level * (layers + 1) + layer}.{place}"

    is_resnet = ".resnets." in name
    renamed = re.sub(r"up_blocks\.(\d)\.(resnets|attentions|upsamplers)\.(\d)", block, name)
    if renamed == name:
        return ldm_name(name, layers)
    assert levels > 0
    if is_resnet:
        for ldm, diffusers in RESNET.items():
            renamed = renamed.replace(f".{diffusers}.", f".{ldm}.")
    return renamed


def vae_name(name, levels):
    """The LDM name, without prefix, for a name of diffusers."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1")
    for diffusers, ldm in {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
        name = name.replace(f"attn_1.{diffusers}.", f"attn_1.{ldm}.")
    name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda match: f"up.{levels - 1 - int(match[1])}.block.", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda match: f"up.{levels - 1 - int(match[1])}.upsample", name)


def open_clip_names(names, layers):
    """The names of OpenCLIP with those of transformers, of which some are parts of a tensor."""
    plain = {
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
    layer = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    layer |= {"attn.out_proj": "self_attn.out_proj"}
    for at in range(layers):
        for kind in ("weight", "bias"):
            of, to = f"encoder.layers.{at}", f"transformer.resblocks.{at}"
            plain |= {f"{to}.{ldm}.{kind}": f"{of}.{name}.{kind}" for ldm, name in layer.items()}
            plain[f"{to}.attn.in_proj_{kind}"] = [f"{of}.self_attn.{p}_proj.{kind}" for p in "qkv"]
    prefix = "text_model." if any(name.startswith("text_model.") for name in names) else ""
    listed = {ldm: [name] if isinstance(name, str) else name for ldm, name in plain.items()}
    listed = {ldm: [prefix + name for name in names] for ldm, names in listed.items()}
    if "text_projection.weight" in names:
        listed["text_projection"] = ["text_projection.weight"]
    assert sorted(sum(listed.values(), [])) == sorted(names)
    return listed


def of_pipeline(pipeline):
    """For each LDM name: how the tensor is stored, and the tensors in it. Checks all of them."""
    unet, vae = pipeline.unet.state_dict(), pipeline.vae.state_dict()
    entries = {UNET + unet_name(name, pipeline.unet.config): ("unet", [name], "whole") for name in unet}
    levels = len(pipeline.vae.config.block_out_channels)
    for name, tensor in vae.items():
        ldm = VAE + vae_name(name, levels)
        is_projection = ".attn_1." in ldm and tensor.dim() == 2
        entries[ldm] = ("vae", [name], "unsqueezed" if is_projection else "whole")
    is_xl = hasattr(pipeline, "text_encoder_2")
    clip = pipeline.text_encoder.state_dict()
    if is_xl or pipeline.tokenizer.pad_token != "!":
        prefix = "conditioner.embedders.0.transformer." if is_xl else "cond_stage_model.transformer."
        for name in clip:
            entries[prefix + "text_model." + name.removeprefix("text_model.")] = ("text_encoder", [name], "whole")
    opens = []
    if is_xl:
        opens.append(("text_encoder_2", "conditioner.embedders.1.model."))
    elif pipeline.tokenizer.pad_token == "!":
        opens.append(("text_encoder", "cond_stage_model.model."))
    for component, prefix in opens:
        encoder = getattr(pipeline, component)
        names = [name for name in encoder.state_dict() if not name.endswith("position_ids")]
        for ldm, of in open_clip_names(names, encoder.config.num_hidden_layers).items():
            view = "transposed" if ldm == "text_projection" else "whole"
            entries[prefix + ldm] = (component, of, view)
    check(pipeline, entries, opens)
    return {
        ldm: " ".join([view, *(f"{component}/{name}" for name in of)]) for ldm, (component, of, view) in entries.items()
    }


def of_unet(unet):
    """As `of_pipeline`, for a UNet alone."""
    names = {UNET + unet_name(name, unet.config): name for name in unet.state_dict()}
    original = {ldm: unet.state_dict()[name] for ldm, name in names.items()}
    converted = convert_ldm_unet_checkpoint(original, dict(unet.config))
    assert converted.keys() == unet.state_dict().keys(), converted.keys() ^ unet.state_dict().keys()
    assert all(torch.equal(converted[name], tensor) for name, tensor in unet.state_dict().items())
    return {ldm: f"whole unet/{name}" for ldm, name in names.items()}


def stored(pipeline, component, of, view):
    state = getattr(pipeline, component).state_dict()
    tensor = torch.cat([state[name] for name in of])
    match view:
        case "transposed":
            return tensor.T.contiguous()
        case "unsqueezed":
            return tensor[..., None, None]
        case "whole":
            return tensor


def check(pipeline, entries, opens):
    original = {ldm: stored(pipeline, *entry) for ldm, entry in entries.items()}

    def same(converted, state):
        converted = {name.removeprefix("text_model."): tensor for name, tensor in converted.items()}
        state = {name.removeprefix("text_model."): tensor for name, tensor in state.items()}
        state.pop("embeddings.position_ids", None)
        assert converted.keys() == state.keys(), converted.keys() ^ state.keys()
        assert all(torch.equal(converted[name], state[name]) for name in state)

    config = dict(pipeline.unet.config)
    same(convert_ldm_unet_checkpoint(dict(original), config), pipeline.unet.state_dict())
    same(convert_ldm_vae_checkpoint(dict(original), dict(pipeline.vae.config)), pipeline.vae.state_dict())
    for component, prefix in opens:
        encoder = getattr(pipeline, component)
        same(convert_open_clip_checkpoint(encoder, original, prefix), encoder.state_dict())
    if len(opens) == 0 or hasattr(pipeline, "text_encoder_2"):
        same(convert_ldm_clip_checkpoint(dict(original)), pipeline.text_encoder.state_dict())


def record():
    for name, pipeline in (
        ("sd1", models.pipeline("sd1")),
        ("sd2", models.pipeline("sd2")),
        ("sdxl", models.pipeline_xl()),
    ):
        save_json(f"single_files/{name}.json", of_pipeline(pipeline))
    for name in ("sdxl_pruned", "sdxl_no_middle"):
        save_json(f"single_files/{name}.json", of_unet(models.unet(name)))

"""The names of ControlNets and T2I-Adapters in the files of the original programs, for the small networks of
`control_nets.py` and `adapters.py`. Checks them with diffusers' own conversion, or with the original network's order of
layers.
"""

import re

import torch
import torch.nn.functional as F
from diffusers.loaders.single_file_utils import DIFFUSERS_TO_LDM_MAPPING, convert_controlnet_checkpoint

#: The layers of a residual block in LDM, and in diffusers.
RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}


def ldm_name(name, layers):
    """The LDM name, without prefix, for a name of diffusers. All levels have `layers` residual blocks."""
    name = name.replace("time_embedding.linear_1", "time_embed.0").replace("time_embedding.linear_2", "time_embed.2")
    name = name.replace("add_embedding.linear_1", "label_emb.0.0").replace("add_embedding.linear_2", "label_emb.0.2")
    name = re.sub(r"^conv_in", "input_blocks.0.0", name)
    name = name.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
    name = name.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
    name = re.sub(
        r"controlnet_cond_embedding\.blocks\.(\d)", lambda match: f"input_hint_block.{2 * int(match[1]) + 2}", name
    )
    name = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", name)
    name = name.replace("controlnet_mid_block", "middle_block_out.0")
    name = name.replace("mid_block.resnets.0", "middle_block.0").replace("mid_block.resnets.1", "middle_block.2")
    name = name.replace("mid_block.attentions.0", "middle_block.1")

    def block(match):
        level, kind, layer = int(match[1]), match[2], int(match[3])
        place = {"resnets": 0, "attentions": 1, "downsamplers": 0}[kind]
        layer = layers if kind == "downsamplers" else layer
        return f"input_blocks.{1 + level * (layers + 1) + layer}.{place}"

    is_resnet = ".resnets." in name or re.match(r"middle_block\.[02]\.", name)
    name = re.sub(r"down_blocks\.(\d)\.(resnets|attentions|downsamplers)\.(\d)", block, name)
    name = re.sub(r"(input_blocks\.\d+\.0)\.conv\.", r"\1.op.", name)
    if is_resnet:
        for ldm, diffusers in RESNET.items():
            name = name.replace(f".{diffusers}.", f".{ldm}.")
    return name


def of_control_net(network):
    """The names in diffusers by those in LDM, without prefix."""
    layers = network.config.layers_per_block
    state = network.state_dict()
    names = {ldm_name(name, layers): name for name in state}
    for prefix in ("control_model.", ""):
        original = {prefix + ldm: state[name] for ldm, name in names.items()}
        converted = convert_controlnet_checkpoint(dict(original), network.config)
        if network.config.addition_embed_type is not None:
            # diffusers has these names in a table, but does not convert them.
            names_of_sizes = DIFFUSERS_TO_LDM_MAPPING["controlnet"]["addition_embed_type"]
            converted |= {name: original[prefix + ldm] for name, ldm in names_of_sizes.items()}
        assert converted.keys() == state.keys()
        assert all(torch.equal(converted[name], state[name]) for name in state)
    return names


def of_t2i_adapter(network, drawing):
    """The names in diffusers by those of TencentARC. `drawing` is an input of the network."""
    blocks = network.config.num_res_blocks
    is_light = network.config.adapter_type == "light_adapter"
    state, names = network.state_dict(), {}
    for name in state:
        original = name.removeprefix("adapter.")
        if is_light:
            original = original.replace(".resnets.", ".body.")
        else:
            original = re.sub(
                r"body\.(\d)\.(?:resnets\.(\d)\.)?",
                lambda match: f"body.{int(match[1]) * blocks + int(match[2] or 0)}.",
                original,
            )
        names[original] = name
    assert len(names) == len(state)
    original = {original: state[name] for original, name in names.items()}
    if is_light:
        features = light_features(original, drawing, blocks)
    elif network.config.adapter_type == "full_adapter_xl":
        features = full_features(original, drawing, blocks, 16, halving=[2])
    else:
        features = full_features(original, drawing, blocks, 8, halving=[1, 2, 3])
    for found, expected in zip(features, network(drawing), strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
    return names


def conv(state, name, x):
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)


def residual(state, name, x):
    return x + conv(state, f"{name}.block2", F.relu(conv(state, f"{name}.block1", x)))


def halved(x):
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def full_features(state, drawing, blocks, side, halving):
    """TencentARC's `Adapter`, without learned downsampling and skips: a list of residual blocks for all levels. Squares of
    `side` pixels become channels, and the levels `halving` have half the size of the level before."""
    x, features = conv(state, "conv_in", F.pixel_unshuffle(drawing, side)), []
    count = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    for block in range(count):
        if block % blocks == 0 and block > 0:
            features.append(x)
            x = halved(x) if block // blocks in halving else x
        if f"body.{block}.in_conv.weight" in state:
            x = conv(state, f"body.{block}.in_conv", x)
        x = residual(state, f"body.{block}", x)
    return [*features, x]


def light_features(state, drawing, blocks):
    """TencentARC's `Adapter_light`: a list of levels, each with a list of residual blocks."""
    x, features = F.pixel_unshuffle(drawing, 8), []
    count = 1 + max(int(name.split(".")[1]) for name in state)
    for level in range(count):
        x = conv(state, f"body.{level}.in_conv", halved(x) if level > 0 else x)
        for block in range(blocks):
            x = residual(state, f"body.{level}.body.{block}", x)
        x = conv(state, f"body.{level}.out_conv", x)
        features.append(x)
    return features

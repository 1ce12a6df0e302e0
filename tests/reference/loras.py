"""Low-rank adapters in the names of kohya's sd-scripts and of diffusers, and the networks that diffusers changes by them."""

import re

import torch

import models
from checkpoints import unet_name
from common import FIXTURES, randn, save_tensors

RANK = 3
#: The layers that the adapters change, by the names of diffusers.
UNET = r"(attn\d\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2)|proj_in|proj_out)\.weight$"
CONVOLUTIONS = r"(resnets\.\d\.(conv1|conv_shortcut)|downsamplers\.0\.conv)\.weight$"
TEXT = r"(self_attn\.(q|k|v|out)_proj|mlp\.fc\d)\.weight$"


def layers(network, pattern):
    state = network.state_dict()
    return {name.removesuffix(".weight"): state[name].shape for name in state if re.search(pattern, name)}


def factors(key, shape):
    """The two matrices of a layer. Convolutions have a kernel in the first one only."""
    out, into, *kernel = shape
    down = randn(f"{key}/down", RANK, into, *kernel) / into**0.5
    up = randn(f"{key}/up", out, RANK, *(1 for _ in kernel))
    return down, up


def kohya(prefix, names, alpha):
    """The tensors of `names`, layers by their names in the file."""
    tensors = {}
    for name, (key, shape) in names.items():
        stem = prefix + name.replace(".", "_")
        down, up = factors(key, shape)
        tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
        tensors[f"{stem}.alpha"] = torch.tensor(float(alpha))
    return tensors


def peft(prefix, names, suffixes):
    tensors = {}
    for name, (key, shape) in names.items():
        down, up = factors(key, shape)
        tensors |= {f"{prefix}{name}{suffixes[0]}": down, f"{prefix}{name}{suffixes[1]}": up}
    return tensors


def keyed(model, part, found):
    return {name: (f"{model}/lora/{part}/{name}", shape) for name, shape in found.items()}


def of_text(name):
    return name if name.startswith("text_model.") else f"text_model.{name}"


def record():
    pipeline = models.pipeline("sd1")
    unet = keyed("sd1", "unet", layers(pipeline.unet, UNET))
    convolutions = keyed("sd1", "unet", layers(pipeline.unet, CONVOLUTIONS))
    text = {of_text(n): of for n, of in keyed("sd1", "te", layers(pipeline.text_encoder, TEXT)).items()}
    save("sd1_kohya", kohya("lora_unet_", unet | convolutions, 1.5) | kohya("lora_te_", text, 2))
    save("sd1_peft", peft("unet.", unet, (".lora_A.weight", ".lora_B.weight")))
    old = {re.sub(r"\.to_(q|k|v|out)(\.0)?$", r".processor.to_\1", n): of for n, of in unet.items() if ".to_" in n}
    save("sd1_old", peft("unet.", old, ("_lora.down.weight", "_lora.up.weight")))
    for name in ("sd1_kohya", "sd1_peft", "sd1_old"):
        fused = models.pipeline("sd1")
        fuse(fused, name)
        record_networks(name, fused.unet, {"text_encoder": fused.text_encoder}, {})

    pipeline = models.pipeline_xl()
    config = pipeline.unet.config
    unet = keyed("sdxl", "unet", layers(pipeline.unet, UNET))
    ldm = {unet_name(f"{n}.weight", config).removesuffix(".weight"): of for n, of in unet.items()}
    tensors = kohya("lora_unet_", ldm, 2)
    for part, prefix in (("text_encoder", "lora_te1_"), ("text_encoder_2", "lora_te2_")):
        text = keyed("sdxl", part, layers(getattr(pipeline, part), TEXT))
        tensors |= kohya(prefix, {of_text(n): of for n, of in text.items()}, 1)
    save("sdxl_kohya", tensors)
    fuse(pipeline, "sdxl_kohya")
    added = {"text_embeds": randn("sdxl/lora/pooled", 1, 14), "time_ids": torch.tensor([[64, 64, 0, 0, 64, 64]])}
    encoders = {"text_encoder": pipeline.text_encoder, "text_encoder_2": pipeline.text_encoder_2}
    record_networks("sdxl_kohya", pipeline.unet, encoders, added)


def save(name, tensors):
    save_tensors(f"loras/{name}.safetensors", tensors)


def fuse(pipeline, name):
    pipeline.load_lora_weights(FIXTURES / "loras" / f"{name}.safetensors")
    pipeline.fuse_lora(lora_scale=0.75)
    pipeline.unload_lora_weights()


def record_networks(name, unet, encoders, added):
    sample = randn(f"{name}/sample", 1, 4, 8, 8)
    context = randn(f"{name}/context", 1, 7, unet.config.cross_attention_dim)
    ids = torch.tensor([[5, 40, 300, 2]])
    tensors = {
        "sample": sample,
        "context": context,
        "output": unet(sample, 500, context, added_cond_kwargs=added).sample,
        "ids": ids.to(torch.uint32),
        **({"pooled": added["text_embeds"]} if added else {}),
        **{part: encoder(ids).last_hidden_state for part, encoder in encoders.items()},
    }
    save_tensors(f"networks/lora_{name}.safetensors", tensors)

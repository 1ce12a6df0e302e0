"""Low-rank adapters for FLUX.2 Klein and Z-Image, what diffusers predicts with them, and pictures with several of them.

In the names that diffusers reads, it loads the files itself. For the original names, the weights are changed in these names,
and diffusers converts them.
"""

import json
import re

import torch
from diffusers import Flux2KleinPipeline, Flux2Transformer2DModel, ZImageTransformer2DModel
from diffusers.loaders.single_file_utils import (
    convert_flux2_transformer_checkpoint_to_diffusers,
    convert_z_image_transformer_checkpoint_to_diffusers,
)
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from safetensors.torch import load_file, save_file

import flux2
import klein_files
import z_image
from common import FIXTURES, randn, save_tensors
from loras import RANK, kohya, peft

PEFT = (".lora_A.weight", ".lora_B.weight")
SCALE = 0.75

#: Layers that diffusers does not know in the names of kohya.
UNKNOWN_TO_KOHYA = r"modulation|^norm_out"

#: The names of the blocks of FLUX.2 in the original program.
ORIGINAL = {
    r"^x_embedder$": "img_in",
    r"^context_embedder$": "txt_in",
    r"^time_guidance_embed\.timestep_embedder\.linear_1$": "time_in.in_layer",
    r"^time_guidance_embed\.timestep_embedder\.linear_2$": "time_in.out_layer",
    r"^proj_out$": "final_layer.linear",
    r"^transformer_blocks\.(\d+)\.attn\.to_out\.0$": r"double_blocks.\1.img_attn.proj",
    r"^transformer_blocks\.(\d+)\.attn\.to_add_out$": r"double_blocks.\1.txt_attn.proj",
    r"^transformer_blocks\.(\d+)\.attn\.to_q$": r"double_blocks.\1.img_attn.qkv",
    r"^transformer_blocks\.(\d+)\.attn\.add_q_proj$": r"double_blocks.\1.txt_attn.qkv",
    r"^transformer_blocks\.(\d+)\.ff\.linear_in$": r"double_blocks.\1.img_mlp.0",
    r"^transformer_blocks\.(\d+)\.ff\.linear_out$": r"double_blocks.\1.img_mlp.2",
    r"^transformer_blocks\.(\d+)\.ff_context\.linear_in$": r"double_blocks.\1.txt_mlp.0",
    r"^transformer_blocks\.(\d+)\.ff_context\.linear_out$": r"double_blocks.\1.txt_mlp.2",
    r"^single_transformer_blocks\.(\d+)\.attn\.to_qkv_mlp_proj$": r"single_blocks.\1.linear1",
    r"^single_transformer_blocks\.(\d+)\.attn\.to_out$": r"single_blocks.\1.linear2",
}


def linear_layers(network):
    """The shapes of the weights of all dense layers."""
    linear = {name: child for name, child in network.named_modules() if isinstance(child, torch.nn.Linear)}
    return {name: tuple(child.weight.shape) for name, child in linear.items()}


def keyed(model, shapes):
    return {name: (f"{model}/lora/{name}", shape) for name, shape in shapes.items()}


def of_kohya(shapes):
    """The layers of FLUX.2 in the names of kohya, with queries, keys and values as one layer."""
    layers = {}
    for name, (out, into) in shapes.items():
        for pattern, original in ORIGINAL.items():
            if re.match(pattern, name):
                fused = 3 if original.endswith("qkv") else 1
                layers[re.sub(pattern, original, name)] = (fused * out, into)
    return layers


def changed(weights, tensors, prefix, scale):
    """Weights in the names of a file, changed by its adapter."""
    whole = dict(weights)
    for name, up in tensors.items():
        if name.endswith(PEFT[1]):
            layer = name.removesuffix(PEFT[1]).removeprefix(prefix)
            whole[f"{layer}.weight"] = weights[f"{layer}.weight"] + scale * up @ tensors[name.replace(PEFT[1], PEFT[0])]
    return whole


def save(name, tensors):
    save_tensors(f"loras/{name}.safetensors", tensors)
    return FIXTURES / "loras" / f"{name}.safetensors"


def with_gradient(predict, latents, context):
    """A prediction, and the gradient of its squares with respect to the latents."""
    latents = latents.requires_grad_()
    with torch.enable_grad():
        output = predict(latents, context)
        (gradient,) = torch.autograd.grad(output.square().sum(), latents)
    return {"latents": latents, "context": context, "output": output, "latents_gradient": gradient}


def klein_run(network, name):
    def predict(latents, context):
        output = network(
            hidden_states=Flux2KleinPipeline._pack_latents(latents),
            timestep=torch.full((1,), 437.5) / 1000,
            guidance=None,
            encoder_hidden_states=context,
            txt_ids=Flux2KleinPipeline._prepare_text_ids(context),
            img_ids=Flux2KleinPipeline._prepare_latent_ids(latents),
        ).sample
        return flux2.unpacked(output, 3, 4)

    return with_gradient(predict, randn(f"{name}/latents", 1, 16, 3, 4), randn(f"{name}/context", 1, 5, 36))


def z_image_run(network, name):
    def predict(latents, context):
        time = (1000 - torch.full((1,), 437.5)) / 1000
        return -torch.stack(network(list(latents.unsqueeze(2)), time, list(context)).sample).squeeze(2)

    return with_gradient(predict, randn(f"{name}/latents", 1, 4, 6, 4), randn(f"{name}/context", 1, 7, 12))


def record_loaded(build, run, name, files):
    """A prediction with adapters that diffusers loads: files with their weights."""
    pipeline = build()
    names = [f"lora_{at}" for at in range(len(files))]
    for adapter, (file, _) in zip(names, files):
        pipeline.load_lora_weights(file, adapter_name=adapter)
    pipeline.set_adapters(names, [weight for _, weight in files])
    output = run(pipeline.transformer, f"{name}/lora")
    save_tensors(f"networks/lora_{name}.safetensors", output)
    return pipeline


def record_klein():
    shapes = linear_layers(flux2.transformer())
    own = save("klein_peft", peft("transformer.", keyed("klein", shapes), PEFT))
    kohya_file = save("klein_kohya", kohya("lora_unet_", keyed("klein/kohya", of_kohya(shapes)), 1.5))
    record_loaded(flux2.pipeline, klein_run, "klein_peft", [(own, SCALE)])
    record_loaded(flux2.pipeline, klein_run, "klein_kohya", [(kohya_file, SCALE)])
    pipeline = record_loaded(flux2.pipeline, klein_run, "klein_both", [(own, 0.5), (kohya_file, -0.25)])
    case = dict(name="klein_loras", is_distilled=True, steps=3, guidance=1.0, size=(48, 32), references=[])
    save_tensors("pipelines/klein_loras.safetensors", flux2.draw(case, pipeline))
    record_alphas(shapes)
    # All layers of transformers in the original names: in bf16, and in quantized blocks.
    bf16 = load_file(FIXTURES / "single_files/klein_original.safetensors")
    weights = {name: weight.float() for name, weight in bf16.items()}
    record_original_klein("klein_original", klein_files.ORIGINAL, weights)
    record_original_klein("klein_blocks", klein_files.BLOCKS, klein_files.blocks())


def record_alphas(shapes):
    """An adapter whose metadata has its scales, as the training programs of diffusers write it."""
    layers = {name: shape for name, shape in shapes.items() if re.search(r"attn\.(to_q|to_k|to_out\.0)$", name)}
    tensors = peft("transformer.", keyed("klein/alphas", layers), PEFT)
    options = {
        "transformer.r": RANK,
        "transformer.lora_alpha": 2 * RANK,
        "transformer.alpha_pattern": {"attn.to_k": 1, "transformer_blocks.1.attn.to_q": 4},
        "transformer.target_modules": ["to_q", "to_k", "to_out.0"],
    }
    file = FIXTURES / "loras/klein_alphas.safetensors"
    save_file(tensors, file, {LORA_ADAPTER_METADATA_KEY: json.dumps(options)})
    record_loaded(flux2.pipeline, klein_run, "klein_alphas", [(file, SCALE)])


def record_original_klein(name, config, weights):
    shapes = {n.removesuffix(".weight"): tuple(w.shape) for n, w in weights.items() if w.ndim == 2}
    prefix = "diffusion_model."
    tensors = peft(prefix, keyed(name, shapes), PEFT)
    save(name, tensors)
    network = Flux2Transformer2DModel(**config).eval()
    whole = changed(weights, tensors, prefix, SCALE)
    network.load_state_dict(convert_flux2_transformer_checkpoint_to_diffusers(whole))
    save_tensors(f"networks/lora_{name}.safetensors", klein_run(network, f"{name}/lora"))


def z_image_original(state):
    """The weights of Z-Image in the original names."""
    original = {}
    for name, weight in state.items():
        name = name.replace("all_final_layer.2-1.", "final_layer.").replace("all_x_embedder.2-1.", "x_embedder.")
        name = name.replace(".attention.to_out.0.", ".attention.out.")
        name = name.replace(".norm_k.", ".k_norm.").replace(".norm_q.", ".q_norm.")
        if ".attention.to_" not in name:
            original[name] = weight
        elif ".to_q." in name:
            parts = [state[name.replace(".to_q.", f".to_{part}.")] for part in "qkv"]
            original[name.replace(".to_q.", ".qkv.")] = torch.cat(parts)
    return original


def record_z_image():
    network = z_image.transformer()
    # The widths of the timestep's embedding are fixed, and large.
    shapes = {name: shape for name, shape in linear_layers(network).items() if not name.startswith("t_embedder.")}
    own = save("z_image_peft", peft("transformer.", keyed("z_image", shapes), PEFT))
    joined = {name: shape for name, shape in shapes.items() if re.match(r"layers|noise_refiner|context_refiner", name)}
    kohya_file = save("z_image_kohya", kohya("lora_unet_", keyed("z_image/kohya", joined), 2.0))
    record_loaded(z_image.pipeline, z_image_run, "z_image_peft", [(own, SCALE)])
    record_loaded(z_image.pipeline, z_image_run, "z_image_kohya", [(kohya_file, SCALE)])
    pipeline = record_loaded(z_image.pipeline, z_image_run, "z_image_both", [(own, 0.5), (kohya_file, -0.25)])
    case = dict(name="z_image_loras", steps=3, guidance=3.0, size=(32, 48), dynamic=False)
    save_tensors("pipelines/z_image_loras.safetensors", z_image.draw(case, pipeline))

    weights = z_image_original(network.state_dict())
    is_layer = lambda name, weight: name.endswith(".weight") and weight.ndim == 2 and not name.startswith("t_embedder.")
    shapes = {n.removesuffix(".weight"): tuple(w.shape) for n, w in weights.items() if is_layer(n, w)}
    prefix = "diffusion_model."
    tensors = peft(prefix, keyed("z_image/original", shapes), PEFT)
    save("z_image_original", tensors)
    whole = convert_z_image_transformer_checkpoint_to_diffusers(changed(weights, tensors, prefix, SCALE))
    network = ZImageTransformer2DModel(**z_image.TRANSFORMER).eval()
    network.load_state_dict(whole)
    save_tensors("networks/lora_z_image_original.safetensors", z_image_run(network, "z_image_original/lora"))


def record():
    record_klein()
    record_z_image()

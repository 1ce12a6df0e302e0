"""The transformer of Z-Image as a GGUF file in the names of the original program, and its text encoder with a tokenizer as a
GGUF file in the names of llama.cpp.
"""

import torch
from diffusers import ZImageTransformer2DModel
from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers
from gguf import GGMLQuantizationType as Type
from transformers import AutoTokenizer, Qwen3ForCausalLM

import klein_files
from common import FIXTURES, randn, randomise, save_tensors

#: What no tensor tells is that of the published models.
TRANSFORMER = dict(
    in_channels=4,
    dim=32,
    n_layers=2,
    n_refiner_layers=1,
    n_heads=2,
    n_kv_heads=2,
    cap_feat_dim=12,
    axes_dims=[4, 6, 6],
    axes_lens=[600, 32, 32],
)


def original_name(name):
    for ours, original in (
        ("all_x_embedder.2-1.", "x_embedder."),
        ("all_final_layer.2-1.", "final_layer."),
        (".attention.to_out.0.", ".attention.out."),
        (".attention.norm_q.", ".attention.q_norm."),
        (".attention.norm_k.", ".attention.k_norm."),
    ):
        name = name.replace(ours, original)
    return name


def original_weights():
    """Random weights in the original names, with queries, keys and values in one matrix."""
    network = randomise(ZImageTransformer2DModel(**TRANSFORMER), "z_image_original")
    weights = network.state_dict()
    fused = {}
    for name, weight in weights.items():
        if ".attention.to_q." in name:
            parts = [weights[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
            fused[name.replace("to_q", "qkv")] = torch.cat(parts)
        elif ".attention.to_k." not in name and ".attention.to_v." not in name:
            fused[original_name(name)] = weight
    # The original program has this norm, and does not use it.
    return fused | {"norm_final.weight": torch.ones(TRANSFORMER["dim"])}


def kind_of(name, weight):
    if weight.ndim == 1 or name.endswith("pad_token"):
        return Type.F32
    if weight.shape[-1] % 32:
        return Type.F16
    return Type.Q8_0 if "qkv" in name else Type.Q4_0


def record_transformer():
    """Writes the transformer, and what diffusers predicts with its numbers and its conversion of names."""
    file, wide = klein_files.writer("z_image_original.gguf", "lumina2"), {}
    for name, weight in original_weights().items():
        # Programs in C++ leave out dimensions of size 1.
        stored = weight.flatten() if name == "x_pad_token" else weight
        wide[name] = klein_files.add(file, name, stored, kind_of(name, weight)).reshape(weight.shape)
    klein_files.finish(file)
    converted = convert_z_image_transformer_checkpoint_to_diffusers(dict(wide))
    network = ZImageTransformer2DModel(**TRANSFORMER).eval()
    network.load_state_dict(converted)
    latents, context = randn("z_image_original/latents", 1, 4, 6, 4), randn("z_image_original/context", 1, 5, 12)
    time = (1000 - torch.full((1,), 437.5)) / 1000
    output = -torch.stack(network(list(latents.unsqueeze(2)), time, list(context)).sample).squeeze(2)
    # Small numbers that tell whether rows are in their places.
    sums = {f"sums.{name}": weight.sum(-1) for name, weight in converted.items() if weight.ndim == 2}
    run = {"latents": latents, "context": context, "output": output}
    save_tensors("networks/z_image_original.safetensors", run | sums)


def record_text_encoder():
    folder = FIXTURES / "z_image"
    model = Qwen3ForCausalLM.from_pretrained(folder / "text_encoder")
    words = AutoTokenizer.from_pretrained(folder / "tokenizer")
    klein_files.write_text_encoder("z_image_text_encoder.gguf", model, words, lambda *_: Type.F32)


def record():
    record_transformer()
    record_text_encoder()

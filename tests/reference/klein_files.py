"""The large parts of FLUX.2 Klein as files of their own: the transformer in the names of Black Forest Labs, as safetensors
and as GGUF, and Qwen3 as GGUF in the names of llama.cpp. Also one tensor in each type of blocks of GGUF.
"""

import json

import gguf
import numpy as np
import torch
from diffusers import Flux2Transformer2DModel
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from gguf import GGMLQuantizationType as Type
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

import flux2
from common import FIXTURES, generator, randn, randomise, save_tensors

#: The types that the package gguf can write.
QUANTIZED = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]

#: The types of larger blocks, with the offsets of the scales of a block (f16) in bytes. It can only read them.
LARGE_BLOCKS = {
    Type.Q2_K: [80, 82],
    Type.Q3_K: [108],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
}

#: The transformer in safetensors has the sizes of `klein`, the one in GGUF those of blocks.
ORIGINAL = flux2.TRANSFORMER | dict(num_layers=1, num_single_layers=1)
BLOCKS = ORIGINAL | dict(attention_head_dim=16, axes_dims_rope=(4, 4, 4, 4), mlp_ratio=2.0)

TEXT_ENCODER = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    # transformers assumes this size for files in GGUF.
    head_dim=128,
    max_position_embeddings=600,
    # Other constants than those of `klein`.
    rms_norm_eps=1e-3,
    rope_parameters=dict(rope_type="default", rope_theta=700.0),
    tie_word_embeddings=True,
)


def writer(name, architecture, folder=FIXTURES / "single_files"):
    return gguf.GGUFWriter(folder / name, architecture)


def finish(file):
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def add(file, name, tensor, kind):
    """Adds a tensor in this type, and returns what it becomes."""
    data = gguf.quants.quantize(tensor.numpy(), kind)
    file.add_tensor(name, data, raw_dtype=kind)
    return torch.from_numpy(gguf.quants.dequantize(data, kind).copy())


def random_blocks(kind, rows, columns):
    """Blocks with random bits and small scales."""
    size, width = gguf.GGML_QUANT_SIZES[kind]
    count = rows * columns // size
    source = generator(f"blocks/{kind.name}")
    blocks = torch.randint(0, 256, (count, width), generator=source, dtype=torch.uint8).numpy()
    for offset in LARGE_BLOCKS[kind]:
        scales = 0.01 * torch.randn(count, 1, generator=source)
        blocks[:, offset : offset + 2] = scales.half().numpy().view(np.uint8)
    return blocks.reshape(rows, -1)


def record_types():
    """A tensor of each type, and its numbers by the package gguf."""
    file, numbers = writer("types.gguf", "types"), {}
    for kind in [Type.F32, Type.F16, Type.BF16, *QUANTIZED]:
        numbers[kind.name] = add(file, kind.name, randn(f"types/{kind.name}", 3, 64), kind)
    for kind in LARGE_BLOCKS:
        blocks = random_blocks(kind, 2, 256)
        file.add_tensor(kind.name, blocks, raw_dtype=kind)
        numbers[kind.name] = torch.from_numpy(gguf.quants.dequantize(blocks, kind).copy())
        assert numbers[kind.name].isfinite().all()
    file.add_string("general.license", "apache-2.0")
    file.add_array("types.names", list(numbers))
    finish(file)
    save_tensors("networks/gguf_types.safetensors", numbers)


def original_shapes(config):
    """The shapes of the tensors in the names of Black Forest Labs."""
    head = config["attention_head_dim"]
    width = head * config["num_attention_heads"]
    inner = int(width * config["mlp_ratio"])
    shapes = {
        "img_in.weight": (width, config["in_channels"]),
        "txt_in.weight": (width, config["joint_attention_dim"]),
        "time_in.in_layer.weight": (width, config["timestep_guidance_channels"]),
        "time_in.out_layer.weight": (width, width),
        "double_stream_modulation_img.lin.weight": (6 * width, width),
        "double_stream_modulation_txt.lin.weight": (6 * width, width),
        "single_stream_modulation.lin.weight": (3 * width, width),
        "final_layer.adaLN_modulation.1.weight": (2 * width, width),
        "final_layer.linear.weight": (config["in_channels"], width),
    }
    for index in range(config["num_layers"]):
        for stream in ("img", "txt"):
            block = f"double_blocks.{index}.{stream}"
            shapes |= {
                f"{block}_attn.qkv.weight": (3 * width, width),
                f"{block}_attn.proj.weight": (width, width),
                f"{block}_attn.norm.query_norm.scale": (head,),
                f"{block}_attn.norm.key_norm.scale": (head,),
                f"{block}_mlp.0.weight": (2 * inner, width),
                f"{block}_mlp.2.weight": (width, inner),
            }
    for index in range(config["num_single_layers"]):
        block = f"single_blocks.{index}"
        shapes |= {
            f"{block}.linear1.weight": (3 * width + 2 * inner, width),
            f"{block}.linear2.weight": (width, width + inner),
            f"{block}.norm.query_norm.scale": (head,),
            f"{block}.norm.key_norm.scale": (head,),
        }
    return shapes


def original_weights(config, name):
    """The names and the weights of a transformer, one after the other."""
    for tensor, shape in original_shapes(config).items():
        noise = randn(f"{name}/{tensor}", *shape)
        yield tensor, 1 + 0.2 * noise if len(shape) == 1 else noise / shape[-1] ** 0.5


def prediction(config, original, name, size=(3, 4), tokens=5):
    """What diffusers predicts with these weights, and all weights in its names."""
    converted = convert_flux2_transformer_checkpoint_to_diffusers(dict(original))
    # The weights of a large one would not fit into memory twice.
    with torch.device("meta"):
        network = Flux2Transformer2DModel(**config).eval()
    network.load_state_dict(converted, assign=True)
    latents = randn(f"{name}/latents", 1, config["in_channels"], *size)
    context = randn(f"{name}/context", 1, tokens, config["joint_attention_dim"])
    pipeline = flux2.Flux2KleinPipeline
    output = network(
        hidden_states=pipeline._pack_latents(latents),
        timestep=torch.full((1,), 437.5) / 1000,
        guidance=None,
        encoder_hidden_states=context,
        txt_ids=pipeline._prepare_text_ids(context),
        img_ids=pipeline._prepare_latent_ids(latents),
    ).sample
    return converted, {"latents": latents, "context": context, "output": flux2.unpacked(output, *size)}


def record_transformers():
    original = original_weights(ORIGINAL, "klein_original")
    original = {name: weight.bfloat16() for name, weight in original}
    save_tensors("single_files/klein_original.safetensors", original)
    wide = {name: weight.float() for name, weight in original.items()}
    converted, run = prediction(ORIGINAL, wide, "klein_original")
    # Small numbers that tell whether rows are in their places.
    sums = {f"sums.{name}": weight.sum(-1) for name, weight in converted.items() if weight.ndim == 2}
    save_tensors("networks/klein_original.safetensors", run | sums)

    _, run = prediction(BLOCKS, blocks(), "klein_blocks")
    save_tensors("networks/klein_blocks.safetensors", run)


def blocks():
    """Writes a transformer in GGUF, and returns its numbers."""
    file, wide = writer("klein_original.gguf", "flux"), {}
    for name, weight in original_weights(BLOCKS, "klein_blocks"):
        is_matrix = weight.ndim == 2 and weight.shape[-1] % 32 == 0
        kind = Type.F32 if weight.ndim == 1 else Type.Q8_0 if "qkv" in name else Type.Q4_0 if is_matrix else Type.F16
        wide[name] = add(file, name, weight, kind)
    finish(file)
    return wide


#: The names of a layer in transformers and in llama.cpp.
LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def llama_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, index, layer = name.removesuffix(".weight").split(".", 3)
    return f"blk.{index}.{LAYER[layer]}.weight"


def write_text_encoder(name, model, words, kind_of, **place):
    """Writes a language model with its tokenizer. `kind_of` chooses the type of a tensor by its name."""
    config = model.config
    file = writer(name, "qwen3", **place)
    file.add_block_count(config.num_hidden_layers)
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_key_length(config.head_dim)
    file.add_value_length(config.head_dim)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(config.rope_parameters["rope_theta"])
    vocabulary = sorted(words.get_vocab(), key=words.get_vocab().get)
    thoughts = flux2.SPECIAL[2:]
    kinds = {token: gguf.TokenType.CONTROL for token in words.get_added_vocab()}
    kinds |= {token: gguf.TokenType.USER_DEFINED for token in thoughts}
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("qwen2")
    file.add_token_list(vocabulary)
    file.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in vocabulary])
    merges = json.loads(words.backend_tokenizer.to_str())["model"]["merges"]
    file.add_token_merges([" ".join(pair) for pair in merges])
    file.add_eos_token_id(words.eos_token_id)
    file.add_pad_token_id(words.pad_token_id)
    for name, weight in model.state_dict().items():
        if name != "lm_head.weight":
            add(file, llama_name(name), weight, kind_of(name, weight))
    finish(file)


def record_text_encoder():
    """A language model with its tokenizer, and what transformers computes after each layer but the last."""
    words = flux2.tokenizer()
    config = Qwen3Config(vocab_size=len(words), attn_implementation="eager", **TEXT_ENCODER)
    model = randomise(Qwen3ForCausalLM(config), "klein_files/text_encoder")

    def kind_of(name, weight):
        return Type.F32 if weight.ndim == 1 else Type.F16 if "embed" in name else Type.Q8_0

    write_text_encoder("qwen3.gguf", model, words, kind_of)
    folder = FIXTURES / "single_files"
    model = Qwen3ForCausalLM.from_pretrained(folder, gguf_file="qwen3.gguf", dtype=torch.float32)
    message = [{"role": "user", "content": flux2.PROMPT}]
    whole = words.apply_chat_template(message, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    ids = words(whole, return_tensors="pt").input_ids
    loaded = AutoTokenizer.from_pretrained(folder, gguf_file="qwen3.gguf")
    assert loaded(whole).input_ids == ids[0].tolist()
    states = model.model(ids, output_hidden_states=True).hidden_states
    save_tensors("networks/qwen3_file.safetensors", {"ids": ids, "layer_1": states[1], "layer_2": states[2]})


def record():
    (FIXTURES / "single_files").mkdir(parents=True, exist_ok=True)
    record_types()
    record_transformers()
    record_text_encoder()

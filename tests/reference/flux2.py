"""FLUX.2 Klein: a complete pipeline with random weights in `fixtures/klein`, and what its networks and pipelines compute."""

import shutil
from collections import Counter

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from PIL import Image
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

import flows
from common import FIXTURES, randn, randomise, save_json, save_tensors
from flows import PROMPT
from tokens import CORPUS, PROMPTS, byte_symbols, merge

END = "<|endoftext|>"
SPECIAL = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")

# What Qwen3's template gives for one message of the user, with an empty thought.
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)

# The layers that the pipeline joins are 9, 18 and 27; the output of the last layer is normalised.
TEXT_ENCODER = flows.TEXT_ENCODER | dict(num_hidden_layers=28, tie_word_embeddings=True)

TRANSFORMER = dict(
    in_channels=16,
    num_layers=2,
    num_single_layers=3,
    attention_head_dim=12,
    num_attention_heads=2,
    joint_attention_dim=3 * 12,
    timestep_guidance_channels=10,
    mlp_ratio=2.5,
    axes_dims_rope=(2, 4, 4, 2),
    rope_theta=100,
    guidance_embeds=False,
)

AUTOENCODER = flows.AUTOENCODER | dict(batch_norm_eps=1e-3)

# As in the published model.
SCHEDULER = dict(use_dynamic_shifting=True, shift=3.0)

# Sizes are (width, height), parts are (left, top, width, height). All in pixels and multiples of a latent.
# References are pictures of these sizes, (width, height), that the model sees.
PICTURES = [
    dict(name="klein_distilled", is_distilled=True, steps=4, guidance=1.0, size=(64, 48), references=[]),
    # The pipeline of a distilled model ignores its guidance.
    dict(name="klein_ignored", is_distilled=True, steps=2, guidance=4.0, size=(32, 32), references=[]),
    dict(name="klein_base", is_distilled=False, steps=6, guidance=4.0, size=(48, 64), references=[]),
    dict(name="klein_referred", is_distilled=True, steps=3, guidance=1.0, size=(48, 32), references=[(64, 80), (96, 64)]),
    dict(name="klein_base_referred", is_distilled=False, steps=3, guidance=4.0, size=(32, 48), references=[(80, 64)]),
]
EDITS = [
    dict(name="klein_part", steps=4, strength=1.0, size=(64, 48), part=(16, 16, 32, 16)),
    dict(name="klein_weak", steps=8, strength=0.5, size=(48, 64), part=(0, 0, 32, 32)),
]


def tokenizer():
    """A tiny tokenizer of Qwen2: byte pairs with the space before a word."""
    space = "\u0120"  # the symbol of byte 32
    words = Counter(CORPUS.replace(",", " ,").split())
    words = {(space, *word): times for word, times in words.items()}
    merges = []
    for _ in range(80):
        pairs = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {merge(word, best): times for word, times in words.items()}
    symbols = byte_symbols() + ["".join(pair) for pair in merges]
    built = Qwen2TokenizerFast(
        vocab={word: index for index, word in enumerate(symbols)},
        merges=merges,
        pad_token=END,
        eos_token="<|im_end|>",
        extra_special_tokens=list(SPECIAL[:2]),
        chat_template=TEMPLATE,
        model_max_length=1000,
    )
    built.add_tokens(list(SPECIAL[2:]))
    return built


def text_encoder(words):
    config = Qwen3Config(vocab_size=len(words), attn_implementation="eager", **TEXT_ENCODER)
    return randomise(Qwen3ForCausalLM(config), "klein/text_encoder")


def transformer():
    return randomise(Flux2Transformer2DModel(**TRANSFORMER), "klein/transformer")


def vae():
    built = randomise(AutoencoderKLFlux2(**AUTOENCODER), "klein/vae")
    built.bn.running_mean.copy_(0.5 * randn("klein/vae/mean", 16))
    built.bn.running_var.copy_(0.5 + randn("klein/vae/variance", 16).square())
    return built


def pipeline():
    words = tokenizer()
    built = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        vae=vae(),
        text_encoder=text_encoder(words),
        tokenizer=words,
        transformer=transformer(),
        is_distilled=True,
    )
    built.set_progress_bar_config(disable=True)
    return built


def save():
    """Writes the folder of the pipeline."""
    folder = FIXTURES / "klein"
    shutil.rmtree(folder, ignore_errors=True)
    pipeline().save_pretrained(folder)


def record_text_encoder(built):
    """The ids of prompts, and the joined layers of two of them: of the tokens at the start and at the end."""
    texts = [*PROMPTS, PROMPT, "it's 3 o'clock:\n\n  the CAPTAIN's\tdoor\r\n", "the alien spaceport " * 300]
    rows = flows.token_rows(built.tokenizer, texts, enable_thinking=False)
    save_json("networks/klein_tokens.json", rows)
    tensors = {}
    for name, text in (("prompt", PROMPT), ("long", texts[-1])):
        embeds, _ = built.encode_prompt(text)
        tensors |= {f"{name}_start": embeds[:, :64], f"{name}_end": embeds[:, -16:]}
    save_tensors("networks/klein_text_encoder.safetensors", tensors)


def unpacked(tokens, height, width):
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, height, width)


def record_transformer(network):
    """A prediction with the outputs of all blocks (text tokens first), its gradients, and one with reference pictures."""
    height, width, count, blocks = 3, 4, 7, {}
    latents = randn("klein/transformer/latents", 2, 16, height, width)
    context = randn("klein/transformer/context", 2, count, 36)
    ids = Flux2KleinPipeline._prepare_latent_ids(latents)
    text_ids = Flux2KleinPipeline._prepare_text_ids(context)

    def keep(name):
        def hook(_module, _inputs, output):
            blocks[name] = torch.cat(output, dim=1) if isinstance(output, tuple) else output

        return hook

    def predict(latents, context, timestep, references=()):
        tokens, all_ids = Flux2KleinPipeline._pack_latents(latents), ids
        if references:
            packed = [Flux2KleinPipeline._pack_latents(reference) for reference in references]
            tokens = torch.cat([tokens, *packed], dim=1)
            reference_ids = Flux2KleinPipeline._prepare_image_ids([reference[:1] for reference in references])
            all_ids = torch.cat([ids, reference_ids.repeat(len(latents), 1, 1)], dim=1)
        output = network(
            hidden_states=tokens,
            timestep=torch.full((len(latents),), timestep) / 1000,
            guidance=None,
            encoder_hidden_states=context,
            txt_ids=text_ids,
            img_ids=all_ids,
        ).sample
        return unpacked(output[:, : height * width], height, width)

    hooks = [
        child.register_forward_hook(keep(name))
        for name, child in network.named_modules()
        if name.count(".") == 1 and "transformer_blocks" in name
    ]
    output = predict(latents, context, 437.5)
    for hook in hooks:
        hook.remove()
    references = [randn("klein/transformer/reference", 2, 16, 2, 5), randn("klein/transformer/second", 2, 16, 3, 1)]
    inputs = [latents.clone().requires_grad_(), context.clone().requires_grad_()]
    with torch.enable_grad():
        gradients = torch.autograd.grad(predict(*inputs, 437.5).square().sum(), inputs)
    save_tensors(
        "networks/klein_transformer.safetensors",
        {
            "latents": latents,
            "context": context,
            "output": output,
            "first_output": predict(latents, context, 1000.0),
            "reference_0": references[0],
            "reference_1": references[1],
            "referred_output": predict(latents, context, 437.5, references),
            "latents_gradient": gradients[0],
            "context_gradient": gradients[1],
            **blocks,
        },
    )


def record_autoencoder(built):
    """A picture and latents in the scale of the denoiser."""
    network = built.vae
    image = randn("klein/image", 2, 3, 32, 48).tanh()
    latents = randn("klein/latents", 2, 16, 2, 3)
    deviation = (network.bn.running_var + network.config.batch_norm_eps).sqrt().view(1, -1, 1, 1)
    raw = built._unpatchify_latents(latents * deviation + network.bn.running_mean.view(1, -1, 1, 1))
    save_tensors(
        "networks/klein_vae.safetensors",
        {
            "image": image,
            "encoded": built._encode_vae_image(image, None),
            "latents": latents,
            "decoded": network.decode(raw).sample,
        },
    )


def of_size(size):
    """The form of the latents of a picture."""
    width, height = size
    return lambda latents: unpacked(latents, height // 16, width // 16)


def noise_shape(size):
    width, height = size
    return 1, 16, height // 16, width // 16


def draw(case, built=None):
    """A picture, of the pipeline in the fixtures or of another one."""
    built = built or Flux2KleinPipeline.from_pretrained(FIXTURES / "klein", dtype=torch.float32)
    built.set_progress_bar_config(disable=True)
    built.register_to_config(is_distilled=case["is_distilled"])
    name = f"pipelines/{case['name']}"
    references = {
        f"reference_{at}": flows.smooth_picture(f"{name}/{at}", *size) for at, size in enumerate(case["references"])
    }
    images = [Image.fromarray(picture.numpy()) for picture in references.values()] or None
    noise = randn(name, *noise_shape(case["size"]))
    return references | flows.draw(built, case, noise, of_size(case["size"]), prompt=PROMPT, image=images)


def edit(case):
    """As `flows.edit`. The model sees the picture as a reference."""
    built = Flux2KleinInpaintPipeline.from_pretrained(FIXTURES / "klein", dtype=torch.float32)
    built.set_progress_bar_config(disable=True)
    shape, form = noise_shape(case["size"]), of_size(case["size"])
    return flows.edit(built, case, shape, form, prompt=PROMPT, guidance_scale=1.0)


def record():
    built = pipeline()
    record_text_encoder(built)
    record_transformer(built.transformer)
    record_autoencoder(built)
    for case in PICTURES:
        save_tensors(f"pipelines/{case['name']}.safetensors", draw(case))
    save_json("pipelines/klein_cases.json", [case | dict(prompt=PROMPT) for case in PICTURES])
    for case in EDITS:
        save_tensors(f"edits/{case['name']}.safetensors", edit(case))
    save_json("edits/klein_cases.json", [case | dict(prompt=PROMPT) for case in EDITS])

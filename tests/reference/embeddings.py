"""Textual inversions in the files of A1111 and of diffusers, and the embeddings of prompts with them, as diffusers and compel
compute them, for `tests/networks/embeddings.rs`.
"""

from compel import DiffusersTextualInversionManager
from compel.embeddings_provider import EmbeddingsProvider
from safetensors.torch import load_file

import models
from common import FIXTURES, randn, save_json, save_tensors

LONG = "a lighthouse on a cliff above the sea at night, a quiet desert full of stars; "

# Prompts, in which `<harbour>` and `<glow>` are textual inversions.
PLAIN = {
    "one": "a ship in <harbour>, at night",
    "two": "<glow>,<harbour> rain",
}

# As in `prompts.py`.
WEIGHTED = {
    "strong": ("(<harbour>:1.3), a cliff", [[("<harbour>", 1.3), (", a cliff", 1)]]),
    "weak": ("a sea (in <harbour>:0.4) [<glow>]", [[("a sea ", 1), ("in <harbour>", 0.4), (" ", 1), ("<glow>", 1 / 1.1)]]),
    # The second chunk begins with the textual inversion.
    "chunks": ("sea " * 73 + "<harbour> " + LONG, [[("sea " * 73 + "<harbour> " + LONG, 1)]]),
}


def in_prompts(prompt):
    """The prompt in the notation of ComfyUI."""
    return prompt.replace("<harbour>", "embedding:harbour").replace("<glow>", "embedding:glow")


def record():
    prompts = PLAIN | {name: prompt for name, (prompt, _) in WEIGHTED.items()}
    save_json("embeddings/prompts.json", {name: in_prompts(prompt) for name, prompt in prompts.items()})
    for name, width in (("sd1", 24), ("sd2", 20)):
        # A1111 has several vectors in a tensor of a fixed name, diffusers may have one under its token.
        save(f"{name}/harbour", {"emb_params": 0.5 * randn(f"{name}/harbour", 3, width)})
        save(f"{name}/glow", {"<glow>": 0.5 * randn(f"{name}/glow", width)})
    for name in ("harbour", "glow"):
        vectors = {key: 0.5 * randn(f"sdxl/{name}/{key}", 2, width) for key, width in (("clip_l", 12), ("clip_g", 20))}
        save(f"sdxl/{name}", vectors)

    for name in ("sd1", "sd2"):
        pipeline = models.pipeline(name)
        pipeline.load_textual_inversion(file(f"{name}/harbour"), token="<harbour>")
        pipeline.load_textual_inversion(file(f"{name}/glow"))
        encoded = {key: pipeline.encode_prompt(prompt, "cpu", 1, False)[0] for key, prompt in PLAIN.items()}
        if name == "sd1":
            provider = EmbeddingsProvider(
                pipeline.tokenizer,
                pipeline.text_encoder,
                textual_inversion_manager=DiffusersTextualInversionManager(pipeline),
                truncate=False,
            )
            encoded |= {key: weighted(provider, sections) for key, (_, [sections]) in WEIGHTED.items()}
        save_tensors(f"embeddings/{name}_prompts.safetensors", encoded)

    pipeline = models.pipeline_xl()
    encoders = (
        ("clip_l", pipeline.text_encoder, pipeline.tokenizer),
        ("clip_g", pipeline.text_encoder_2, pipeline.tokenizer_2),
    )
    for name in ("harbour", "glow"):
        vectors = load_file(file(f"sdxl/{name}"))
        for key, encoder, words in encoders:
            pipeline.load_textual_inversion(
                {f"<{name}>": vectors[key]}, token=f"<{name}>", text_encoder=encoder, tokenizer=words
            )
    encoded = {}
    for key, prompt in PLAIN.items():
        embedded, _, pooled, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
        encoded |= {key: embedded, f"{key}_pooled": pooled}
    save_tensors("embeddings/sdxl_prompts.safetensors", encoded)


def weighted(provider, section):
    return provider.get_embeddings_for_weighted_prompt_fragments(
        [[text for text, _ in section]], [[weight for _, weight in section]]
    )


def file(name):
    return str(FIXTURES / "embeddings" / f"{name}.safetensors")


def save(name, tensors):
    save_tensors(f"embeddings/{name}.safetensors", tensors)

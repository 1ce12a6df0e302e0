"""Embeddings of prompts with weights, as compel computes them, for `tests/networks/prompts.rs`."""

import torch
from compel.embeddings_provider import EmbeddingsProvider, EmbeddingsProviderMulti, ReturnedEmbeddingsType

import models
from common import save_json, save_tensors

LONG = "the spaceport above an alien ocean, a quiet desert night full of stars; "

# Each prompt in the notation of the web UI, and the weighted fragments of its sections.
CASES = {
    "plain": ("a lighthouse on a cliff, at night", [[("a lighthouse on a cliff, at night", 1)]]),
    "strong": ("a (lighthouse:1.4) on a cliff", [[("a ", 1), ("lighthouse", 1.4), (" on a cliff", 1)]]),
    "brackets": (
        "((a castle)) hall, [in the light]",
        [[("a castle", 1.1 * 1.1), (" hall, ", 1), ("in the light", 1 / 1.1)]],
    ),
    "weak": (
        "(a portrait:0.3) of the (captain:1.5) (angry:0.75)",
        [[("a portrait", 0.3), (" of the ", 1), ("captain", 1.5), (" ", 1), ("angry", 0.75)]],
    ),
    "none": ("a neon (jungle:0) in the rain", [[("a neon ", 1), ("jungle", 0), (" in the rain", 1)]]),
    "sentences": ("A cliff. A snowy pass, " + LONG * 3, [[("A cliff. A snowy pass, " + LONG * 3, 1)]]),
    "phrases": (
        f"({LONG}:1.2) a hall, [at dawn], {LONG}",
        [[(LONG, 1.2), (" a hall, ", 1), ("at dawn", 1 / 1.1), (", " + LONG, 1)]],
    ),
    "words": ("sea " * 90, [[("sea " * 90, 1)]]),
    "sections": (
        f"(a castle:1.3) BREAK {LONG * 2} [night]",
        [[("a castle", 1.3)], [(LONG * 2 + " ", 1), ("night", 1 / 1.1)]],
    ),
    "empty": ("", [[("", 1)]]),
}


def embeddings(provider, names=tuple(CASES)):
    """The embeddings of the prompts with these names."""
    embedded = {}
    for name in names:
        _, sections = CASES[name]
        sections = [
            provider.get_embeddings_for_weighted_prompt_fragments(
                [[text for text, _ in section]], [[weight for _, weight in section]]
            )
            for section in sections
        ]
        # compel's `.and()` concatenates its parts.
        embedded[name] = torch.cat(sections, dim=1)
    return embedded


def record():
    save_json("networks/prompts.json", {name: prompt for name, (prompt, _) in CASES.items()})
    pipeline = models.pipeline("sd1")
    provider = EmbeddingsProvider(pipeline.tokenizer, pipeline.text_encoder, truncate=False)
    save_tensors("networks/sd1_prompts.safetensors", embeddings(provider))

    pipeline = models.pipeline_xl()
    provider = EmbeddingsProviderMulti(
        [pipeline.tokenizer, pipeline.tokenizer_2],
        [pipeline.text_encoder, pipeline.text_encoder_2],
        truncate=False,
        returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED,
        requires_pooled_mask=[False, True],
    )
    plain = {
        f"{name}_pooled": provider.get_pooled_embeddings(
            [" ".join("".join(text for text, _ in section) for section in sections)]
        )
        for name, (_, sections) in CASES.items()
    }
    save_tensors("networks/sdxl_prompts.safetensors", embeddings(provider) | plain)

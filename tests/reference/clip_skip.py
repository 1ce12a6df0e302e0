"""Embeddings without the last layers of text encoders, as diffusers and compel compute them, for
`tests/networks/prompts.rs`.
"""

from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType

import models
import prompts
from common import save_tensors

PROMPT = "a lighthouse on a cliff, at night"


def record():
    for name in ("sd1", "sd2"):
        pipeline = models.pipeline(name)
        # diffusers finds the final norm in the module that transformers 5 leaves out. Not a submodule of itself.
        object.__setattr__(pipeline.text_encoder, "text_model", pipeline.text_encoder)
        layers = pipeline.text_encoder.config.num_hidden_layers
        skipped = {
            f"skip_{count}": pipeline.encode_prompt(PROMPT, "cpu", 1, False, clip_skip=count)[0]
            for count in range(layers)
        }
        if name == "sd1":
            provider = EmbeddingsProvider(
                pipeline.tokenizer,
                pipeline.text_encoder,
                truncate=False,
                returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NORMALIZED,
            )
            skipped |= {f"{case}_skip_1": embedded for case, embedded in prompts.embeddings(provider, ("weak",)).items()}
        save_tensors(f"networks/{name}_clip_skip.safetensors", skipped)

    pipeline = models.pipeline_xl()
    skipped = {}
    for count in range(pipeline.text_encoder.config.num_hidden_layers - 1):
        embedded, _, pooled, _ = pipeline.encode_prompt(PROMPT, do_classifier_free_guidance=False, clip_skip=count)
        skipped |= {f"skip_{count}": embedded, f"skip_{count}_pooled": pooled}
    save_tensors("networks/sdxl_clip_skip.safetensors", skipped)

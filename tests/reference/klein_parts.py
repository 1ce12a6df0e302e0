"""The text encoder of the pipeline `klein` as a GGUF file in the names of llama.cpp, with its tokenizer."""

from transformers import AutoTokenizer, Qwen3ForCausalLM

import klein_files
from common import FIXTURES


def record():
    folder = FIXTURES / "klein"
    model = Qwen3ForCausalLM.from_pretrained(folder / "text_encoder")
    words = AutoTokenizer.from_pretrained(folder / "tokenizer")
    klein_files.write_text_encoder("klein_text_encoder.gguf", model, words, lambda *_: klein_files.Type.F32)

"""A tiny CLIP tokenizer, and prompts with the ids that the Rust tokenizer must produce."""

from collections import Counter

from open_clip.tokenizer import SimpleTokenizer
from transformers import CLIPTokenizer

from common import save_json

START, END = "<|startoftext|>", "<|endoftext|>"

CORPUS = """a lighthouse on a cliff above the sea at night, a snowy mountain pass at dawn,
the castle hall in the evening light, a portrait of the painter smiling, a portrait of the captain angry,
a neon jungle in the rain, the spaceport above an alien ocean, a quiet desert night full of stars"""

PROMPTS = [
    "",
    "a lighthouse on a cliff, at night",
    "  A   Snowy\tMountain PASS\nat dawn!! ",
    "the painter's door; they'll see what we've drawn, I'd say it isn't 12345 miles",
    "café naïve — Größe, 灯台 🎨",
    "e\u0301 composed and é precomposed",
    "the spaceport above an alien ocean " * 12,
    "a<|endoftext|>b",
    "...?!(([weird]))___--==",
]


def byte_symbols():
    """The printable characters that stand for the 256 bytes, in CLIP's order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]


def learn_merges(count):
    """The merges that byte pair encoding learns from `CORPUS`."""
    words = Counter(CORPUS.replace(",", " ").split())
    words = {(*word[:-1], word[-1] + "</w>"): times for word, times in words.items()}
    merges = []
    for _ in range(count):
        pairs = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {merge(word, best): times for word, times in words.items()}
    return merges


def merge(word, pair):
    merged = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def tokenizer(name, length):
    symbols = byte_symbols()
    merges = learn_merges(80)
    words = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(pair) for pair in merges] + [START, END]
    return CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=merges,
        # Stable Diffusion 2 and the second text encoder of XL pad with "!", the others with the end token.
        pad_token="!" if name in ("sd2", "sdxl_2") else END,
        model_max_length=length,
    )


def record(name, words):
    ids = words(PROMPTS, padding="max_length", truncation=True, max_length=words.model_max_length).input_ids
    save_json(f"networks/{name}_tokens.json", [{"text": text, "ids": row} for text, row in zip(PROMPTS, ids)])


def record_clip():
    """The ids of OpenCLIP's own tokenizer, without padding."""
    words = SimpleTokenizer()
    # It repairs Unicode and HTML, which transformers does not do.
    prompts = [prompt for prompt in PROMPTS if prompt.isascii() and "<" not in prompt]
    start, end = words.encoder["<start_of_text>"], words.encoder["<end_of_text>"]
    ids = [[start, *words.encode(text), end][:77] for text in prompts]
    save_json("networks/clip_tokens.json", [{"text": text, "ids": row} for text, row in zip(prompts, ids, strict=True)])

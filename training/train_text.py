"""Builds the tokenizer and trains the text encoder, without any pictures.

The encoder learns to represent the attributes in captions: one head classifies every attribute from the
state of the end token, another by attention over the states of the words, like a UNet. The heads are discarded, and
their accuracies are saved as `text_heads.json`.

    python training/train_text.py --out DIR --seed 0 --minutes 10
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sketchbook import words
from sketchbook.caption import compose, describe
from sketchbook.distractions import ASIDES, STORY_WORDS
from sketchbook.sampling import sample_scene

LENGTH = 77  # tokens, including start and end
START, END = "<|startoftext|>", "<|endoftext|>"
BATCH, CHUNK = 40, 8000  # captions; a chunk is written and sorted by length at a time
RATE = 2e-3
#: The share of captions with a long preamble, and of batches padded to the full length, so that late positions are
#: trained too.
PREAMBLES, PADDED = 0.05, 0.04

#: The attributes of captions and their values. Class 0 of each is "not mentioned".
ATTRIBUTES = {
    "place": words.PLACES,
    "time": words.TIMES,
    "weather": words.WEATHERS,
    "style": words.STYLES,
    "framing": words.FRAMINGS,
    "expression": words.EXPRESSIONS,
}
for _slot in (*words.POSITIONS, "somewhere", "elsewhere"):
    ATTRIBUTES[f"{_slot}.kind"] = words.SUBJECTS
    ATTRIBUTES[f"{_slot}.colour"] = tuple(words.COLOURS)
    ATTRIBUTES[f"{_slot}.hair"] = tuple(words.HAIR)


# ---- tokenizer


def build_tokenizer(folder: Path, rng: random.Random) -> CLIPTokenizer:
    """Learns the merges of a CLIP tokenizer from captions and story words."""
    captions = [compose(sample_scene(rng), rng).text for _ in range(40_000)]
    # Repeated often enough that story words are merged at least to syllables.
    corpus = captions + STORY_WORDS * 30 + ASIDES * 30
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    bpe.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    pieces = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pieces, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=2200, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False
        ),
    )
    merges = [tuple(merge) for merge in json.loads(bpe.to_str())["model"]["merges"]]
    # CLIP's order: characters, characters at word ends, merges, start and end token.
    tokens = [*letters, *(c + "</w>" for c in letters), *map("".join, merges), START, END]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = CLIPTokenizer(
        vocab=vocab, merges=merges, model_max_length=LENGTH,
        pad_token=END, unk_token=END, bos_token=START, eos_token=END,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()), ensure_ascii=False, separators=(",", ":")))
    # For loaders without support for tokenizer.json.
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return tokenizer


# ---- networks


def build_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, projection_dim=128,
            num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=LENGTH,
            hidden_act="quick_gelu", bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    for name, weight in encoder.named_parameters():
        if "token_embedding" in name:
            nn.init.normal_(weight, std=0.1)  # CLIP's 0.02 trains slowly from scratch
    return encoder


class EndHead(nn.Module):
    """Classifies all attributes from the end token's state."""

    def __init__(self, width: int):
        super().__init__()
        self.sizes = [1 + len(names) for names in ATTRIBUTES.values()]
        self.read = nn.Linear(width, sum(self.sizes))

    def forward(self, state: torch.Tensor) -> list[torch.Tensor]:
        return list(self.read(state).split(self.sizes, -1))


class WordsHead(nn.Module):
    """Classifies each attribute with its own query, by attention over the token states."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.randn(len(ATTRIBUTES), width))
        self.key_value = nn.Linear(width, 2 * width)
        self.read = nn.ModuleList(nn.Linear(width, 1 + len(names)) for names in ATTRIBUTES.values())

    def forward(self, states: torch.Tensor, is_word: torch.Tensor) -> list[torch.Tensor]:
        batch = len(states)
        key, value = map(self._split, self.key_value(states).chunk(2, -1))
        query = self._split(self.query.expand(batch, -1, -1))
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=is_word[:, None, None])
        found = found.transpose(1, 2).flatten(2)
        return [read(found[:, i]) for i, read in enumerate(self.read)]

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, width) to (batch, heads, tokens, width of a head)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


# ---- captions as numbers


def labels(said: dict[str, str]) -> list[int]:
    return [1 + names.index(said[key]) if key in said else 0 for key, names in ATTRIBUTES.items()]


def preamble(rng: random.Random) -> str:
    """Words without information about the picture."""
    some = " ".join(rng.sample(STORY_WORDS, rng.randint(1, 12)))
    return " ".join([*rng.sample(ASIDES, rng.randint(0, 6)), some + rng.choice(",.")]) + " "


def chunk(tokenizer: CLIPTokenizer, rng: random.Random, count: int, held_out: bool = False):
    """Batches of new captions of similar length: ids, padded with the end token, and labels."""
    captions = [compose(sample_scene(rng, held_out), rng) for _ in range(count)]
    texts = [
        preamble(rng) + c.text if not held_out and rng.random() < PREAMBLES else c.text for c in captions
    ]
    rows = [
        (ids, labels(c.said)) for ids, c in zip(tokenizer(texts).input_ids, captions) if len(ids) <= LENGTH
    ]
    rows.sort(key=lambda row: len(row[0]))
    batches = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    rng.shuffle(batches)
    for batch in batches:
        length = LENGTH if rng.random() < PADDED else len(batch[-1][0])
        ids = [row + [tokenizer.eos_token_id] * (length - len(row)) for row, _ in batch]
        yield torch.tensor(ids), torch.tensor([wanted for _, wanted in batch])


# ---- training


class Reader(nn.Module):
    """The encoder with both heads."""

    def __init__(self, tokenizer: CLIPTokenizer):
        super().__init__()
        self.end_id = tokenizer.eos_token_id
        self.encoder = build_encoder(tokenizer)
        width = self.encoder.config.hidden_size
        self.end, self.words = EndHead(width), WordsHead(width)

    def forward(self, ids: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The scores of every attribute, from the end token and from the words."""
        states = self.encoder(ids).last_hidden_state
        end = (ids == self.end_id).int().argmax(1)
        at = end
        if self.training:
            # Padding consists of end tokens, which a UNet reads too.
            at = end + (torch.rand(len(ids)) * (ids.shape[1] - end)).long()
        is_word = torch.arange(ids.shape[1]) < end[:, None]
        return self.end(states[torch.arange(len(ids)), at]), self.words(states, is_word)


def loss_of(scores: list[torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    return sum(F.cross_entropy(s, w) for s, w in zip(scores, wanted.T)) / len(scores)


@torch.no_grad()
def measure(reader: Reader, batches) -> dict[str, dict[str, float]]:
    """The share of right answers by head and attribute. "said" counts only captions that mention the attribute."""
    reader.eval()
    right = {name: torch.zeros(2, len(ATTRIBUTES)) for name in ("end", "words")}
    total = torch.zeros(2, len(ATTRIBUTES))
    for ids, wanted in batches:
        said = wanted > 0
        total += torch.stack([torch.ones_like(wanted), said]).sum(1)
        for name, scores in zip(right, reader(ids)):
            hit = torch.stack([s.argmax(1) for s in scores], 1) == wanted
            right[name] += torch.stack([hit, hit & said]).sum(1)
    reader.train()
    shares = {name: hits / total.clamp(min=1) for name, hits in right.items()}
    return {
        f"{name}{suffix}": {key: round(float(v), 5) for key, v in zip(ATTRIBUTES, share[row])}
        for name, share in shares.items()
        for row, suffix in enumerate(("", ", said"))
    }


def train(tokenizer: CLIPTokenizer, rng: random.Random, minutes: float) -> Reader:
    reader = Reader(tokenizer).train()
    optimizer = torch.optim.AdamW(reader.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    started, step, mean = time.time(), 0, None
    while (done := (time.time() - started) / (60 * minutes)) < 1:
        for ids, wanted in chunk(tokenizer, rng, CHUNK):
            done = (time.time() - started) / (60 * minutes)
            rate = (
                RATE * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, done))))
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            end, found = reader(ids)
            loss = loss_of(end, wanted) + loss_of(found, wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimizer.step()
            step += 1
            mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
            if step % 100 == 0:
                print(f"step {step}, {100 * done:.0f} %: loss {mean:.4f}", flush=True)
            if done >= 1:
                break
    return reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = build_tokenizer(args.out / "tokenizer", rng)
    print(f"{len(tokenizer)} tokens; {tokenizer.tokenize(describe(sample_scene(rng)))}")
    reader = train(tokenizer, rng, args.minutes)
    reader.encoder.eval().save_pretrained(args.out / "text_encoder")
    accuracies = measure(reader, chunk(tokenizer, random.Random(args.seed + 1), 8192, held_out=True))
    (args.out / "text_heads.json").write_text(json.dumps(accuracies, indent=1))
    for name, shares in accuracies.items():
        worst = min(shares, key=shares.get)
        print(f"{name}: mean {sum(shares.values()) / len(shares):.4f}, worst {worst} {shares[worst]:.4f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, made from files of this repository.

    seeds.py DIR [TARGET...]           seeds in DIR/TARGET/, words of their formats in DIR/TARGET.dict
    seeds.py --large DIR [TARGET...]   inputs of 10 MB in DIR/TARGET/: repeated, nested and inflated seeds
"""

import base64
import functools
import hashlib
import json
import math
import re
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ART = ROOT / "tests/fixtures/art_today"
SIZE = 10_000_000
# What separates the parts of an input, as in src/lib.rs.
SEPARATOR = b"\xff--\xff"


def read(path):
    return (ROOT / path).read_bytes()


def edit_files():
    text = b"""(prompt: "a", negative_prompt: "b", style: "ink", context: (x: 0, y: 1, width: 8, height: 8), parts: [
    (name: "sky", mask: "a.png", edit: Replace, words: "stars", strength: 0.9, grow: 4, seed: 7),
    (name: "boat", scribble: "b.png", edit: Add, words: "a boat", feather: 12, unwanted: "x", amount: 1.5),
    (mask: Some("a.png"), edit: Keep), (mask: "a.png", edit: Refine), (mask: "a.png", edit: Embolden),
    (mask: "a.png", edit: Remove, words: r#"a "dog""#),
])"""
    mask = read("tests/fixtures/art_today/pictures/item-key.png")
    return [text, SEPARATOR.join([text, mask, mask])]


def ledgers():
    other = b"""(
    accepted: {"item-key": "2578ec9f365ca4a4"},
    words: {"item-key": (words: "brass", negative_prompt: "iron")},
    style: Some((words: "ink", model: "sketch", sampler: (steps: 3), sizes: (item: (width: 64, height: 64)))),
    keys: {"undo": ["Ctrl+Z"]},
    propagations: {"item-key": ("item-lamp", "46c6b12246175f41")},
)"""
    return [read("tests/fixtures/art_today/ledger.ron"), other]


def names():
    shots = [path.name for path in (ART / "takes").iterdir()]
    takes = [path.stem for path in ART.glob("takes/*/*.png")]
    others = ["a.story.ron", "e\u0301", "\u0939\u093f\u0928\u094d\u0926\u0940", "0" * 64, "..", "con", "a" * 120]
    return [name.encode() for name in shots + takes + others]


def stories():
    return [path.read_bytes() for path in sorted((ROOT / "assets/stories").iterdir())]


def pictures():
    files = sorted(ART.glob("takes/*/*.png")) + sorted(ART.glob("pictures/*.png"))
    return [path.read_bytes() for path in files]


def text_of(png, keyword):
    """The text of an iTXt chunk without compression (PNG specification, third edition, 11.3.3.4)."""
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"iTXt" and data.startswith(keyword + b"\0"):
            return data[len(keyword) + 3 :].split(b"\0", 2)[2]
        at += length + 12
    return None


def recipes():
    texts = [text_of(png, b"bevy_illustrator") for png in pictures()]
    return [text for text in texts if text]


def queues():
    lists = [b'[{"shot": "item-key", "recipe": %s}]' % json.dumps(json.loads(recipe)["recipe"]).encode() for recipe in recipes()]
    return [read("tests/fixtures/art_today/queue.json"), b"[]", *lists]


def marks():
    return [path.read_bytes() for path in ART.glob("parts/*/*.json")]


def art_folders():
    takes = pictures()
    pairs = [SEPARATOR.join(pair) for pair in zip(takes, takes[1:])]
    return pairs + [SEPARATOR.join([b"", b"", takes[0], takes[1], b"{}"])]


def masks():
    return pictures() + [base64.b64decode(text) for mark in marks() for text in re.findall(rb'"(iVBOR[^"]*)"', mark)]


def models():
    names = ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json"]
    names += ["scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json"]
    card = [b"---\nlicense: mit\n---\n", b"MIT License\n"]
    shards = b'{"weight_map": {"a": "diffusion_pytorch_model.safetensors"}}'
    found = []
    for model in ["sd1", "sd2"]:
        files = [read(f"tests/reference/fixtures/{model}/{name}") for name in names] + card
        found += [SEPARATOR.join(files), SEPARATOR.join([*files, shards])]
        found += [SEPARATOR * index + file for index, file in enumerate(files)]
    return found


def tokenizers():
    sd2 = "tests/reference/fixtures/sd2/tokenizer/"
    prompt = "A red boat, \u00e9t\u00e9 \u591c 12 <|endoftext|> <new> it's!".encode()
    added = b'{"<new>": 600}'
    special = b'{"bos_token": "<|startoftext|>", "pad_token": {"content": "!"}, "unk_token": "<|endoftext|>"}'
    pair = [read(sd2 + "vocab.json"), read(sd2 + "merges.txt"), read(sd2 + "tokenizer_config.json"), special, added]
    sd1 = read("tests/reference/fixtures/sd1/tokenizer/tokenizer.json")
    return [SEPARATOR.join([prompt, b"", *pair]), SEPARATOR.join([prompt, sd1])]


def prompts():
    texts = [json.loads(recipe)["recipe"]["prompt"] for recipe in recipes()]
    texts += ["a (red coat:1.3), <lora:ink-v2:0.8>", "((x:.5)) it's \u591c\u00e9 \u0939\u093f " + "word " * 100]
    return [text.encode() for text in texts]


def weights():
    def file(tensors):
        header, at = {"__metadata__": {"format": "pt"}}, 0
        for name, shape in tensors.items():
            size = 4 * math.prod(shape)
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + bytes(at)

    unet, vae, text = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
    whole = {
        f"{unet}input_blocks.0.0.weight": [8, 4, 3, 3],
        f"{unet}input_blocks.1.0.in_layers.0.weight": [8],
        f"{unet}input_blocks.1.0.in_layers.2.weight": [8, 8, 3, 3],
        f"{unet}out.2.weight": [4, 8, 3, 3],
        f"{vae}encoder.down.0.block.0.norm1.weight": [8],
        f"{vae}encoder.down.0.block.0.conv1.weight": [8, 8, 3, 3],
        f"{vae}decoder.conv_in.weight": [8, 4, 3, 3],
        f"{text}embeddings.token_embedding.weight": [9, 8],
        f"{text}embeddings.position_embedding.weight": [9, 8],
        f"{text}encoder.layers.0.layer_norm1.weight": [8],
        f"{text}encoder.layers.0.mlp.fc1.weight": [16, 8],
    }
    lora = {"lora_unet_a.lora_down.weight": [2, 4], "lora_unet_a.lora_up.weight": [4, 2], "lora_unet_a.alpha": []}
    kinds = [["a", "b"], ["model.diffusion_model.a", "cond_stage_model.transformer.b"], ["x.lora_up.weight"]]
    kinds += [["time_embedding.a", "up_blocks.b"], ["decoder.conv_in.a", "encoder.b"], ["decoder.layers.a"]]
    others = [b"GGUF" + bytes(12), b"PK\x03\x04archive/data.pkl", b"\x80\x02}.", b"version https://git-lfs.github.com/spec/v1\n"]
    kinds = [dict.fromkeys(kind, [1, 2]) for kind in kinds]
    others += [read(f"tests/reference/fixtures/single_files/{name}.gguf") for name in ["types", "klein_original"]]
    return [file(kind) for kind in [*kinds, whole, lora]] + others


def licences():
    card = read("assets/models/sketch/README.md")[:400]
    other = b"---\nlicense: other\nlicense_name: 'a'\n---\n"
    return [card, other, SEPARATOR + read("assets/models/sketch/LICENSE")[:200], card + SEPARATOR + b"# MIT"]


def hubs():
    sha = "0123456789abcdef0123456789abcdef01234567"
    files = {"model_index.json": b'{"_class_name": "StableDiffusionPipeline"}', "unet/diffusion_pytorch_model.safetensors": b"weights"}
    siblings = []
    for name, content in files.items():
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        sibling = {"rfilename": name, "size": len(content), "blobId": blob}
        if name.endswith(".safetensors"):
            sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        siblings.append(sibling)
    listing = json.dumps({"sha": sha, "siblings": siblings, "cardData": {"license": "mit"}}).encode()

    def answer(body, status="200 OK", *headers):
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def moved(to, status="302 Found"):
        return answer(b"", status, f"Location: {to}")

    first, second = files.values()
    part = answer(second[3:], "206 Partial Content", "Content-Range: bytes 3-6/7", 'ETag: "a"')
    cut = answer(second, "200 OK", 'ETag: "a"')[:-4]
    whole = [answer(listing), answer(first), answer(second, "200 OK", 'ETag: "a"')]
    return [
        SEPARATOR.join(answers)
        for answers in [
            whole,
            [moved("{hub}/x"), whole[0], moved("{other}/file"), whole[1], moved("/a/b", "307 Temporary Redirect"), whole[2]],
            [whole[0], whole[1], cut, part],
            [whole[0], whole[1], answer(b"", "503 Service Unavailable"), whole[2]],
            [whole[0], whole[1], cut, answer(b"", "416 Range Not Satisfiable"), whole[2]],
            [answer(b"", "401 Unauthorized")],
            [answer(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n")],
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(listing), listing)],
        ]
    ]


TARGETS = {
    "art": art_folders,
    "blob": masks,
    "edit_file": edit_files,
    "hub": hubs,
    "ledger": ledgers,
    "licence": licences,
    "marks": marks,
    "mask": masks,
    "model": models,
    "names": names,
    "picture": lambda: pictures() + foreign_pictures(),
    "prompt": prompts,
    "queue": queues,
    "recipe": recipes,
    "story": stories,
    "tokenizer": tokenizers,
    "weights": weights,
}


def words(seeds):
    """The words of seeds, and signs of RON, JSON and PNG."""
    found = set()
    for seed in seeds:
        found |= set(re.findall(rb"[A-Za-z_<|>]{3,40}", seed))
    signs = [b"(", b")", b"[", b"]", b"{", b"}", b"Some(", b"None", b'r#"', b'"#', b"/*", b"\\u{", b"\\u", b"1e999", b"-1"]
    signs += [SEPARATOR, b"IHDR", b"IDAT", b"iTXt", b"zTXt", b"tEXt", b"eXIf", b"iCCP", b"\xef\xbb\xbf"]
    return sorted(found, key=lambda word: (-len(word), word))[:300] + signs


def quoted(word):
    plain = lambda byte: 32 < byte < 127 and byte not in b'"\\'
    return b'"' + b"".join(bytes([byte]) if plain(byte) else b"\\x%02x" % byte for byte in word) + b'"\n'


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def bomb(size):
    """This many zeros, compressed."""
    packer, zeros = zlib.compressobj(1), bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(size >> 20)) + packer.flush()


def png(width, height, depth, colour, pixels, *chunks):
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    image = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(image)


def foreign_pictures():
    """JPEG, WebP and GIF files."""
    return [path.read_bytes() for path in sorted((ROOT / "tests/reference/fixtures/pictures").iterdir())]


@functools.cache
def large_pictures():
    """Pictures that are small files and large in memory, and texts that are large."""
    dot, gigabyte = zlib.compress(bytes(5)), bomb(1 << 30)
    recipe = recipes()[0]
    nested = recipe.replace(b'"prompt":', b'"other":' + b"[" * SIZE + b',"prompt":', 1)
    long = recipe.replace(b'"prompt":"', b'"prompt":"' + b"a" * SIZE, 1)
    texts = [b"bevy_illustrator\0\0\0\0\0" + text for text in [nested, long]]
    return [
        png(10_000, 10_000, 8, 0, bomb(100_020_000)),
        png(10_000, 10_000, 8, 6, bomb(400_020_000)),
        png(10_000, 10_000, 16, 6, bomb(800_020_000)),
        png(30_000, 30_000, 8, 0, gigabyte),
        png(1, 100_000_000, 8, 0, bomb(200_000_000)),
        png(1, 1, 8, 6, gigabyte),
        png(1, 1, 8, 6, dot, chunk(b"iTXt", b"bevy_illustrator\0\1\0\0\0" + gigabyte)),
        png(1, 1, 8, 6, dot, chunk(b"iTXt", b"bevy_illustrator blobs\0\1\0\0\0" + gigabyte)),
        png(1, 1, 8, 6, dot, chunk(b"zTXt", b"Comment\0\0" + gigabyte)),
        png(1, 1, 8, 6, dot, chunk(b"iCCP", b"p\0\0" + gigabyte)),
        png(1, 1, 8, 6, dot, *[chunk(b"tEXt", b"a\0b")] * (SIZE // 15)),
        *(png(1, 1, 8, 6, dot, chunk(b"iTXt", text)) for text in texts),
    ]


def large_weights():
    def file(header, size=0):
        return len(header).to_bytes(8, "little") + header + bytes(size)

    many = {str(at): {"dtype": "U8", "shape": [1], "data_offsets": [at, at + 1]} for at in range(150_000)}
    deep = b'{"a":' * (SIZE // 5)
    shape = b'{"a":{"dtype":"U8","shape":[%s0],"data_offsets":[0,0]}}' % (b"1," * (SIZE // 2))
    name = b'{"%s":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' % (b"a" * SIZE)
    notes = b'{"__metadata__":{%s"z":""}}' % b"".join(b'"%d":"b",' % at for at in range(700_000))
    return [file(json.dumps(many).encode(), 150_000), file(deep), file(shape), file(name), file(notes)]


def large_tokenizers():
    sd1 = json.loads(read("tests/reference/fixtures/sd1/tokenizer/tokenizer.json"))
    vocabulary = json.dumps({f"t{at:08}": at for at in range(500_000)}).encode()
    special = {"bos_token": "t00000000", "eos_token": "t00000000", "unk_token": "t00000000"}
    special = json.dumps(special).encode()
    added = [{"id": at + 600, "content": f"<{at}>", "special": False} for at in range(100_000)]
    added = [{**token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False} for token in added]
    prompts = [b"a" * SIZE, b"a " * (SIZE // 2), "\u591c".encode() * (SIZE // 3), b"!" * SIZE, b" " * SIZE]
    tokenizer = json.dumps(sd1).encode()
    return [
        *(SEPARATOR.join([prompt, tokenizer]) for prompt in prompts),
        SEPARATOR.join([b"t", b"", vocabulary, b"", special]),
        SEPARATOR.join([b"t", b"", vocabulary, b"t0 t1\n" * (SIZE // 6), special]),
        SEPARATOR.join([b"a <5> b", json.dumps({**sd1, "added_tokens": added}).encode()]),
    ]


def large_hubs():
    sha = "0123456789abcdef0123456789abcdef01234567"
    many = [{"rfilename": f"unet/{at}.json", "size": 1, "blobId": sha} for at in range(100_000)]
    many.append({"rfilename": "model_index.json", "size": 1, "blobId": sha})
    listing = json.dumps({"sha": sha, "siblings": many}).encode()
    ok = b"HTTP/1.1 200 OK\r\n"
    return [
        ok + b"\r\n" + listing,
        ok + b"X: " + b"a" * SIZE,
        ok + b"X: a\r\n" * (SIZE // 6),
        ok + b"\r\n" + b"[" * SIZE,
        ok + b'\r\n{"sha": "' + b"0" * SIZE + b'"}',
        b"HTTP/1.1 302 Found\r\nLocation: /" + b"a" * SIZE + b"\r\n\r\n",
        SEPARATOR.join([b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n"] * (SIZE // 50)),
        b"HTTP/1.1 100 Continue\r\n\r\n" * (SIZE // 25),
    ]


LARGE = {
    "art": lambda: large_pictures() + [SEPARATOR + picture for picture in large_pictures()],
    "blob": large_pictures,
    "edit_file": lambda: [SEPARATOR.join([edit_files()[0], picture, picture]) for picture in large_pictures()],
    "hub": large_hubs,
    "mask": large_pictures,
    "picture": large_pictures,
    "tokenizer": large_tokenizers,
    "weights": large_weights,
}


def inflated(seed):
    """Inputs of about 10 MB from one seed: each of its parts is repeated, nested and inflated."""
    parts = seed.split(SEPARATOR)
    for index, part in enumerate(parts):
        for big in inflated_part(part):
            yield SEPARATOR.join([*parts[:index], big, *parts[index + 1 :]])


def inflated_part(part):
    if not part or b"\0" in part:
        return
    yield part * (SIZE // len(part))
    strings = list(re.finditer(rb'"((?:[^"\\]|\\.)*)"', part))
    for string in strings[:: max(1, len(strings) // 4)]:
        yield part[: string.start(1)] + b"a" * SIZE + part[string.end(1) :]
    lists = [match.start() for match in re.finditer(rb"[\[{(]", part)]
    for start in lists[:: max(1, len(lists) // 3)]:
        close = {ord("["): b"]", ord("{"): b"}", ord("("): b")"}[part[start]]
        end = part.find(close, start)
        item = part[start + 1 : end].strip().rstrip(b",") + b","
        if end > 0 and len(item) > 1:
            yield part[: start + 1] + item * (SIZE // len(item)) + part[end:]
        for opening in [b"[", b"(", b'{"a":', b"Some("]:
            yield part[:start] + opening * (SIZE // len(opening))
    number = re.search(rb"\d+", part)
    if number:
        yield part[: number.start()] + b"1" * SIZE + part[number.end() :]


def large_inputs(target):
    inputs = [big for seed in TARGETS[target]()[:2] for big in inflated(seed)]
    # 300 MB at most.
    return LARGE.get(target, list)() + inputs[:: len(inputs) // 30 + 1]


def main():
    arguments = sys.argv[1:]
    large = arguments[0] == "--large"
    root, *targets = arguments[1:] if large else arguments
    root = Path(root)
    for target in targets or TARGETS:
        folder = root / target
        folder.mkdir(parents=True, exist_ok=True)
        seeds = TARGETS[target]()
        inputs = large_inputs(target) if large else seeds
        for index, content in enumerate(inputs):
            (folder / f"{index:03}").write_bytes(content)
        if not large:
            (root / f"{target}.dict").write_bytes(b"".join(map(quoted, words(seeds))))


main()

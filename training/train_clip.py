"""Trains a small CLIP on drawings and their captions.

`python training/train_clip.py --drawings DIR --tokenizer DIR --text-encoder DIR --out DIR --minutes M`

Writes a CLIPModel folder (f16), `clip`, with the tokenizer and `preprocessor_config.json`. Pictures are
resized to squares without cropping, so that the sides of wide pictures stay visible.

A stopped run can be continued, see loop.py.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPTokenizer

from drawings import Drawings, squeezed
from loop import Training, arguments
from sketchbook.caption import caption

SIDE, PATCH = 128, 16  # px
WIDTH, LAYERS, HEADS = 160, 4, 5  # of the vision tower
PROJECTION = 128
MEAN = STD = 0.5  # of pixels in 0..=1, every channel


def built(text: CLIPTextModel) -> CLIPModel:
    """Creates a CLIP whose text tower is a copy of `text`. The rest is random."""
    # Do not publish a local path.
    words = {key: value for key, value in text.config.to_dict().items() if key != "_name_or_path"}
    config = CLIPConfig(
        text_config=words,
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        projection_dim=PROJECTION,
    )
    model = CLIPModel(config)
    model.text_model.load_state_dict(text.state_dict())
    return model


def pixels(pictures: np.ndarray) -> torch.Tensor:
    """Converts u8 (batch, side, side, 3) to the vision tower's input."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(255).sub(MEAN).div(STD)


def tokens(tokenizer: CLIPTokenizer, captions: list[str], positions: int) -> dict[str, torch.Tensor]:
    # The tower is causal, so tokens after the end have no effect. It needs no mask, and padding only to the longest
    # caption of the batch.
    padded = tokenizer(
        captions, padding="longest", truncation=True, max_length=positions, return_tensors="pt"
    )
    return {"input_ids": padded.input_ids}


def train(model: CLIPModel, tokenizer: CLIPTokenizer, drawings: Drawings, args: argparse.Namespace) -> None:
    """The contrastive loss of CLIP (Radford et al. 2021)."""
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    training = Training(model, [(optimizer, 1.0)], args, keep=0.99, steady=0.2)
    batches = drawings.batches(args.batch, SIDE, training.rng)
    # Captions use their own random generator, because batches are prepared on another thread.
    words = random.Random(f"captions {args.seed}/{training.step}")
    pairs = torch.arange(args.batch)
    model.train()
    for _ in training:
        numbers, pictures = next(batches)
        captions = [caption(drawings.scenes[i], words) for i in numbers]
        with torch.autocast("cpu", torch.bfloat16):
            logits = similarities(model, tokenizer, pictures, captions)
        loss = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
        training.learn(loss, {"loss": loss.item()})
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        if training.step % 250 == 0:
            training.save()
    training.save()
    training.average.apply()
    batches.close()
    model.eval()


def similarities(model: CLIPModel, tokenizer: CLIPTokenizer, pictures: np.ndarray, captions) -> torch.Tensor:
    """Logits (pictures, captions)."""
    positions = model.config.text_config.max_position_embeddings
    out = model(pixel_values=pixels(pictures), **tokens(tokenizer, captions, positions))
    return out.logits_per_image.float()


@torch.inference_mode()
def recall(
    model: CLIPModel, tokenizer: CLIPTokenizer, drawings: Drawings, seed: int
) -> tuple[int, float, float]:
    """The number of drawings excluded from training, and the percentages of them whose caption ranks first and among
    the first five of all captions."""
    numbers, rng = drawings.unseen(), random.Random(seed)
    pictures = squeezed((drawings.picture(i) for i in numbers), SIDE)
    logits = similarities(model, tokenizer, pictures, [caption(drawings.scenes[i], rng) for i in numbers])
    ranks = (logits > logits.diagonal()[:, None]).sum(1)
    return len(numbers), *(100 * (ranks < n).float().mean().item() for n in (1, 5))


def save(model: CLIPModel, tokenizer: Path, out: Path) -> None:
    """Saves the model and copies the files of the `tokenizer` folder."""
    model.half().save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    for file in tokenizer.iterdir():
        shutil.copyfile(file, out / file.name)
    preprocessor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": int(Image.Resampling.BICUBIC),
        "do_center_crop": False,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
    }
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n")


def main() -> None:
    parser = arguments(__doc__, lr=1e-3, batch=192)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--text-encoder", type=Path, required=True, help="initialises the text tower")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = CLIPTokenizer.from_pretrained(args.tokenizer)
    model = built(CLIPTextModel.from_pretrained(args.text_encoder, dtype=torch.float32))
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    drawings = Drawings(args.drawings)
    train(model, tokenizer, drawings, args)
    count, first, five = recall(model, tokenizer, drawings, args.seed)
    print(f"of {count} captions, the right one: first {first:.1f} %, among the first five {five:.1f} %")
    save(model, args.tokenizer, args.out / "clip")


if __name__ == "__main__":
    main()

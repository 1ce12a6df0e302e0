"""Runs MobileSAM (its authors' code) with weights that Rust can generate too, and records masks for points and boxes.

Forty megabytes of weights are too many to be committed: each number is computed from the tensor's name and its
place in it, here and in `src/mask/sam/tests.rs`, to the same bit.
"""

import numpy as np
import torch
from common import save_json, save_tensors
from mobile_sam import SamPredictor, sam_model_registry

#: The picture's size. It is enlarged fourfold for the encoder and padded at the bottom.
WIDTH, HEIGHT = 256, 160
CASES = {
    "point": {"include": [[80, 50]], "exclude": [], "box": None},
    "points": {"include": [[80, 50], [200, 120]], "exclude": [[10, 150]], "box": None},
    "box": {"include": [], "exclude": [], "box": [30, 24, 110, 70]},
    "box_and_points": {"include": [[128, 80]], "exclude": [[40, 30]], "box": [32, 24, 180, 120]},
}


def numbers(name, count):
    """`count` numbers between -1 and 1 from SplitMix64, seeded with the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % (1 << 64)
    state = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def weights(model):
    """Norm scales are about 1, variances are positive, and matrices keep the variance of their input."""
    made = {}
    for name, old in model.state_dict().items():
        if not old.is_floating_point():
            continue
        made[name] = numbers(name, old.numel()).reshape(old.shape)
        if name.endswith("running_var"):
            made[name] = np.float32(1) + np.float32(0.5) * made[name]
        elif old.ndim == 1 and name.endswith("weight"):
            made[name] = np.float32(1) + np.float32(0.25) * made[name]
        elif old.ndim == 1:
            made[name] = np.float32(0.125) * made[name]
        elif old[0].numel() > 1 and "embed" not in name and "token." not in name and "tokens." not in name:
            # A power of two, so that scaling is exact in every library.
            made[name] = made[name] * np.float32(2.0 ** np.round(np.log2((3 / old[0].numel()) ** 0.5)))
    return {name: torch.from_numpy(np.asarray(value)) for name, value in made.items()}


def picture():
    """Stripes, a disc and a gradient. Values are multiples of 64, so that fourfold enlargement is exact in every
    library."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    disc = (x - 80) ** 2 + (y - 50) ** 2 < 1000
    red = np.where(disc, 192, x // 64 * 64)
    return np.stack([red, (x // 20 + y // 26) % 2 * 128, y // 40 * 64], axis=-1).astype(np.uint8)


def record():
    model = sam_model_registry["vit_t"]()
    made = weights(model)
    missing, unexpected = model.load_state_dict(made, strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing), missing
    # Spreads out the attention biases for inference.
    model.eval()
    shapes = {name: " ".join(map(str, value.shape)) for name, value in made.items()}
    found = {}
    # candle uses the tanh approximation of GELU, MobileSAM the exact one.
    for form in ["none", "tanh"]:
        for child in model.modules():
            if isinstance(child, torch.nn.GELU):
                child.approximate = form
        predictor = SamPredictor(model)
        predictor.set_image(picture())
        found[f"{form}/features"] = predictor.features[:, ::5, ::5, ::5]
        for case, said in CASES.items():
            points = said["include"] + said["exclude"]
            labels = [1] * len(said["include"]) + [0] * len(said["exclude"])
            box = said["box"] and np.array([*said["box"][:2], *np.add(said["box"][:2], said["box"][2:])])
            several = case == "point"
            masks, quality, logits = predictor.predict(
                point_coords=np.array(points) if points else None,
                point_labels=np.array(labels) if points else None,
                box=box,
                multimask_output=several,
                return_logits=True,
            )
            best = quality.argmax()
            # Every fifth pixel, which covers all phases of the fourfold enlargement.
            found[f"{form}/{case}/logits"] = torch.from_numpy(logits[:, ::5, ::5])
            found[f"{form}/{case}/quality"] = torch.from_numpy(quality)
            found[f"{form}/{case}/picture"] = torch.from_numpy(masks[best, ::3, ::3])
    save_tensors("segment/mobile_sam.safetensors", found)
    save_json("segment/mobile_sam.json", {"cases": CASES, "shapes": shapes})

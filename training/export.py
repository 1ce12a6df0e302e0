"""Combines the trained networks into a diffusers folder in f16:

`python training/export.py --vae DIR --text DIR --unet DIR... --out DIR`

Averages several denoisers that were trained from the same weights (Wortsman et al. 2022, arXiv:2203.05482).
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import CLIPTextModel


def schedule() -> DPMSolverMultistepScheduler:
    """Trailing timesteps start from pure noise, as in training."""
    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,  # has no effect on trailing timesteps; diffusers warns if it is 0
    )


def mean(folders: list[Path]) -> UNet2DConditionModel:
    """A network whose weights are the means of the networks in these folders."""
    first, *others = (UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32) for folder in folders)
    states = [unet.state_dict() for unet in (first, *others)]
    first.load_state_dict({name: sum(state[name] for state in states) / len(states) for name in states[0]})
    return first


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vae", type=Path, required=True, help="an AutoencoderKL folder")
    parser.add_argument("--text", type=Path, required=True, help="the output of train_text.py")
    parser.add_argument("--unet", type=Path, nargs="+", required=True, help="UNet2DConditionModel folders")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    AutoencoderKL.from_pretrained(args.vae, dtype=torch.float16).save_pretrained(args.out / "vae")
    mean(args.unet).half().save_pretrained(args.out / "unet")
    text = CLIPTextModel.from_pretrained(args.text / "text_encoder", dtype=torch.float16)
    text.save_pretrained(args.out / "text_encoder")
    shutil.copytree(args.text / "tokenizer", args.out / "tokenizer", dirs_exist_ok=True)
    schedule().save_pretrained(args.out / "scheduler")
    nothing = [None, None]
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        # train_unet.py trains edits this way. diffusers ignores the key.
        "_clean_surroundings": True,
        "feature_extractor": nothing,
        "image_encoder": nothing,
        "requires_safety_checker": False,
        "safety_checker": nothing,
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (args.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for path in args.out.glob("*/config.json"):
        config = json.loads(path.read_text())
        # Do not publish a local path.
        config.pop("_name_or_path", None)
        # diffusers loads its own components in f32 by default; transformers uses this dtype.
        if "dtype" in config:
            config["dtype"] = "float32"
        path.write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Builds the fixtures of the Rust tests: `python make.py`, or `python make.py full FOLDER` (or `full-xl`, `full-klein`, `full-qwen3`).

A second run writes the same bytes. See README.md.
"""

import sys

import adapters
import adapters_xl
import checkpoints
import clip_model
import clip_skip
import common
import control_nets
import distilled
import edits
import embeddings
import flow_loras
import flux2
import guidance_interval
import half
import inpainting
import klein_files
import klein_parts
import latents
import loras
import models
import networks
import optimizers
import pictures
import pipelines
import prompts
import schedulers
import segment
import tiles
import union_control_nets
import z_image
import z_image_files


def main():
    common.make_deterministic()
    match sys.argv[1:]:
        case []:
            models.save()
            networks.record()
            prompts.record()
            clip_skip.record()
            embeddings.record()
            pipelines.record()
            edits.record()
            tiles.record()
            guidance_interval.record()
            inpainting.record()
            distilled.record()
            schedulers.record()
            segment.record()
            latents.record()
            optimizers.record()
            adapters.record()
            adapters_xl.record()
            union_control_nets.record()
            control_nets.record()
            clip_model.record()
            pictures.save()
            checkpoints.record()
            loras.record()
            flux2.save()
            flux2.record()
            klein_files.record()
            klein_parts.record()
            z_image.save()
            z_image.record()
            z_image_files.record()
            flow_loras.record()
            half.record()
        case ["full", folder]:
            import full_size

            full_size.save(folder)
        case ["full-xl", folder]:
            import full_size

            full_size.save_xl(folder)
        case ["full-klein", folder]:
            import full_size

            full_size.save_klein(folder)
        case ["full-qwen3", folder]:
            import full_size

            full_size.save_qwen3(folder)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()

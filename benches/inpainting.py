"""Measures the cost of diffusers' inpainting by the share of the picture that it changes. The model, size,
number of steps and masks are those of `benches/edit.rs`:

    python benches/inpainting.py

Needs the packages in `tests/reference/requirements.txt`. Prints medians of five runs, without and with
`padding_mask_crop`. That option scales the crop up to the full size, so small parts get more detail but are
not faster.
"""

import time
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image

MODEL = Path(__file__).parent.parent / "assets/models/sketch"
WIDTH, HEIGHT, STEPS, GUIDANCE = 384, 224, 20, 5.0
SHARES, RUNS, PADDING = (5, 10, 25, 50, 100), 5, 16
WORDS = "a night sky with stars, storybook illustration"


def median(run) -> float:
    run()
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        run()
        times.append(time.monotonic() - began)
    return sorted(times)[RUNS // 2]


def square(share: int) -> Image.Image:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    wide, high = (round(side * (share / 100) ** 0.5) for side in (WIDTH, HEIGHT))
    x, y = (WIDTH - wide) // 2, (HEIGHT - high) // 2
    mask[y : y + high, x : x + wide] = 255
    return Image.fromarray(mask)


def main() -> None:
    draw = StableDiffusionPipeline.from_pretrained(MODEL, dtype=torch.float32)
    inpaint = StableDiffusionInpaintPipeline(**draw.components, requires_safety_checker=False)
    settings = {
        "width": WIDTH,
        "height": HEIGHT,
        "num_inference_steps": STEPS,
        "guidance_scale": GUIDANCE,
    }
    for pipeline in (draw, inpaint):
        pipeline.set_progress_bar_config(disable=True)
    picture = draw(WORDS, **settings).images[0]
    whole = median(lambda: draw(WORDS, **settings))
    print(f"{WIDTH}x{HEIGHT}, {STEPS} steps, {torch.get_num_threads()} threads, medians of {RUNS}")
    print(f"{'changed':>8} {'seconds':>8} {'of whole':>9} {'cropped':>8} {'of whole':>9}")
    print(f"{'drawn':>8} {whole:8.3f} {100:8.0f}%")
    # The pipeline checks the number of channels only to identify the type of model, and rejects 32 channels.
    inpaint.unet.register_to_config(in_channels=4)
    for share in SHARES:
        wanted = dict(image=picture, mask_image=square(share), strength=1.0, **settings)
        plain = median(lambda: inpaint(WORDS, **wanted))
        cropped = median(lambda: inpaint(WORDS, padding_mask_crop=PADDING, **wanted))
        print(
            f"{share:7}% {plain:8.3f} {100 * plain / whole:8.0f}% {cropped:8.3f} {100 * cropped / whole:8.0f}%"
        )


if __name__ == "__main__":
    main()

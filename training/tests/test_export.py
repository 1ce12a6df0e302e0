"""Loads the shipped model with diffusers."""

from pathlib import Path

from diffusers import DiffusionPipeline

MODEL = Path(__file__).parents[2] / "assets" / "models" / "sketch"


def test_the_built_in_model_draws_with_the_defaults_of_diffusers():
    pipeline = DiffusionPipeline.from_pretrained(MODEL)
    picture = pipeline("a red fox in a forest", num_inference_steps=1, guidance_scale=5.0, guidance_rescale=0.5)
    assert picture.images[0].size == (256, 256)
    assert len(picture.images[0].getcolors(maxcolors=2**16)) > 100

"""What the pipelines of flow models, FLUX.2 Klein and Z-Image, have in common."""

import torch
from PIL import Image

from common import generator, randn

# The sizes of a language model. The pipelines use different layers of it.
TEXT_ENCODER = dict(
    hidden_size=12,
    intermediate_size=20,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=6,
    max_position_embeddings=600,
    rms_norm_eps=1e-5,
    rope_parameters=dict(rope_type="default", rope_theta=5000.0),
)

AUTOENCODER = dict(
    block_out_channels=(4, 4, 8, 8),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=2,
    sample_size=64,
)

PROMPT = "a red lighthouse by the sea at night"


def token_rows(tokenizer, texts, enable_thinking):
    """Texts with the ids of the tokens that the pipelines encode, without padding."""
    rows = []
    for text in texts:
        message = [{"role": "user", "content": text}]
        options = dict(tokenize=False, add_generation_prompt=True, enable_thinking=enable_thinking)
        whole = tokenizer.apply_chat_template(message, **options)
        rows.append(dict(text=text, ids=tokenizer(whole, truncation=True, max_length=512).input_ids))
    return rows


def kept_latents(way, form=lambda latents: latents):
    """A callback that keeps the latents of every step in `way`, each in this form."""

    def keep(_pipeline, _step, _timestep, kept):
        way.append(form(kept["latents"]))
        return {}

    return keep


def smooth_picture(name, width, height):
    """A picture of soft colours, `(height, width, 3)`."""
    coarse = torch.sigmoid(randn(name, 1, 3, 6, 6))
    picture = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8)


def draw(built, case, noise, form=lambda latents: latents, **options):
    """The noise, the timesteps, the latents after every step, each in this form, and the picture."""
    width, height = case["size"]
    way = [noise]
    image = built(
        width=width,
        height=height,
        num_inference_steps=case["steps"],
        guidance_scale=case["guidance"],
        latents=noise,
        output_type="pt",
        callback_on_step_end=kept_latents(way, form),
        **options,
    ).images
    return {
        "noise": noise,
        "timesteps": built.scheduler.timesteps,
        "image": image * 2 - 1,
        **{f"latents_{step}": latents for step, latents in enumerate(way)},
    }


def edit(built, case, shape, form=lambda latents: latents, **options):
    """The noise of this shape, the picture, and the latents after every step, each in this form."""
    width, height = case["size"]
    picture = smooth_picture(f"edits/{case['name']}/picture", width, height)
    left, top, wide, high = case["part"]
    mask = torch.zeros(height, width, dtype=torch.uint8)
    mask[top : top + high, left : left + wide] = 255
    way = []
    built(
        image=Image.fromarray(picture.numpy()),
        mask_image=Image.fromarray(mask.numpy()),
        strength=case["strength"],
        num_inference_steps=case["steps"],
        # The generator's first numbers are the noise.
        generator=generator(f"edits/{case['name']}"),
        output_type="pt",
        callback_on_step_end=kept_latents(way, form),
        **options,
    )
    latents = {f"latents_{step + 1}": latents for step, latents in enumerate(way)}
    return {"noise": randn(f"edits/{case['name']}", *shape), "picture": picture} | latents

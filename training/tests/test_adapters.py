"""Tests of the adapters, their files, their inputs and their training samples."""

import random

import numpy as np
import pytest
import torch
from diffusers import T2IAdapter, UNet2DConditionModel
from safetensors.torch import load_file

import measure_adapters
from adapters import (
    IMAGES,
    KINDS,
    PICTURES,
    SHRINK,
    Adapters,
    Given,
    edges,
    outline,
    outline_input,
    regions,
    scribble,
    scribble_input,
    split,
)
from inspirations import recoloured, restyled, shuffled
from sketchbook.caption import describe
from sketchbook.sampling import sample_scene
from sketchbook.scene import Scene, Subject
from train_adapters import Incomplete, partial, words_of
from train_unet import denoiser

SCENE = Scene("forest", "night", "rain", "ink", "full", [Subject("fox", "red", "left")])


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return denoiser().eval().requires_grad_(False)


@pytest.fixture
def adapters(unet) -> Adapters:
    torch.manual_seed(1)
    adapters = Adapters(unet).eval()
    with torch.no_grad():
        for weight in adapters.parameters():
            # Exact in f16, and large enough to have an effect.
            weight.copy_((weight + 0.02 * torch.randn_like(weight)).half())
    return adapters


# ---- networks and files


def test_all_adapters_together_have_at_most_three_million_weights(adapters):
    assert sum(weight.numel() for weight in adapters.parameters()) <= 3_000_000


@torch.no_grad()
def test_diffusers_draws_the_same_with_the_exported_files(unet, adapters, tmp_path):
    adapters.export(tmp_path)
    noisy, times, states = torch.randn(2, 32, 8, 12), torch.tensor([700, 300]), torch.randn(2, 77, 128)
    values = {
        "outline": torch.rand(2, 1, 64, 96),
        "scribble": torch.rand(2, 4, 32, 48),
        "style": torch.randn(2, 65, 160),
        "content": torch.randn(2, 65, 160),
    }
    nothing, all_of = torch.randn(1, 65, 160), torch.arange(2)
    inputs = {
        kind: Given(all_of, value, nothing, torch.ones(2)) if kind in IMAGES else Given(all_of, value)
        for kind, value in values.items()
    }
    own = denoiser().eval()
    own.load_state_dict(unet.state_dict())
    plain = own(noisy, times, states).sample
    adapters.attach(own)
    expected = adapters.predict(own, noisy, times, states, inputs)
    other = denoiser().eval()
    other.load_state_dict(unet.state_dict())
    networks = {kind: T2IAdapter.from_pretrained(tmp_path / kind, dtype=torch.float32) for kind in PICTURES}
    features = [a + b for a, b in zip(*(networks[kind](values[kind]) for kind in PICTURES))]
    assert [feature.shape for feature in features] == [(2, 64, 4, 6), (2, 128, 4, 6)]
    files = [split(tmp_path / kind / "ip-adapter.safetensors") for kind in IMAGES]
    other._load_ip_adapter_weights(files, low_cpu_mem_usage=False)
    found = other(
        noisy,
        times,
        states,
        added_cond_kwargs={"image_embeds": [values[kind][:, None] for kind in IMAGES]},
        down_intrablock_additional_residuals=features,
    ).sample
    assert torch.allclose(found, expected, atol=1e-4)
    assert (found - plain).abs().mean() > 0.01


def test_files_have_the_names_of_ip_adapter(adapters, tmp_path):
    adapters.export(tmp_path)
    names = set(load_file(tmp_path / "style" / "ip-adapter.safetensors"))
    assert {
        "image_proj.latents",
        "image_proj.layers.3.0.to_kv.weight",
        "image_proj.layers.0.1.3.weight",
    } <= names
    attention = {name for name in names if name.startswith("ip_adapter.")}
    assert attention == {f"ip_adapter.{i}.to_{part}_ip.weight" for i in (1, 3, 5, 7) for part in "kv"}
    files = [*tmp_path.glob("*/*.safetensors")]
    assert len(files) == len(KINDS) and sum(file.stat().st_size for file in files) < 6e6


@torch.no_grad()
def test_pictures_without_inspirations_are_unchanged(unet, adapters):
    noisy, times, states = torch.randn(2, 32, 8, 8), torch.tensor([700, 300]), torch.randn(2, 77, 128)
    own = denoiser().eval()
    own.load_state_dict(unet.state_dict())
    plain = own(noisy, times, states).sample
    adapters.attach(own)
    first = torch.tensor([0])
    inputs = {
        "outline": Given(first, torch.rand(1, 1, 64, 64)),
        "style": Given(first, torch.randn(1, 65, 160), torch.randn(1, 65, 160), torch.tensor([1.0, 0.0])),
    }
    found = adapters.predict(own, noisy, times, states, inputs)
    assert torch.allclose(found[1], plain[1], atol=1e-5)
    assert (found[0] - plain[0]).abs().mean() > 0.01


# ---- inputs


def test_ink_is_one_and_paper_is_zero():
    lines = np.full((64, 96), 255, np.uint8)
    lines[:, 32:34] = 0
    x = outline_input(lines)
    assert x.shape == (1, 1, 32, 48) and (x[..., 16] == 1).all() and x.sum() == 32


def test_colours_count_where_they_are_opaque():
    colours = np.zeros((64, 64, 4), np.uint8)
    colours[:, :32] = (255, 0, 0, 255)
    x = scribble_input(colours)
    assert x.shape == (1, 4, 16, 16)
    assert (x[0, :, 0, 0] == torch.tensor([1.0, -1, -1, 1])).all() and (x[0, :, :, 8:] == 0).all()


def test_inputs_are_padded_to_whole_cells():
    assert outline_input(np.full((144, 208), 255, np.uint8)).shape == (1, 1, 80, 112)
    assert scribble_input(np.zeros((144, 208, 4), np.uint8)).shape == (1, 4, 40, 56)


def test_edges_are_at_the_borders_of_colours():
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., 30:] = 1
    lines = edges(picture, 1.2, 0.05)
    assert lines[..., 28:32].amax(-1).min() == 1 and lines[..., :26].sum() == lines[..., 34:].sum() == 0


def test_outlines_and_scribbles_have_the_size_that_adapters_read():
    torch.manual_seed(0)
    rng, pictures = random.Random(0), torch.rand(2, 3, 224, 288)
    for _ in range(12):
        lines = outline(pictures, rng)
        assert lines.shape == (2, 1, 112, 144) and 0 <= lines.min() and lines.max() <= 1
        assert scribble(np.zeros((224, 288, 3), np.uint8), rng).shape == (56, 72, 3)
    assert SHRINK == {"outline": 2, "scribble": 4}


def test_regions_are_whole_or_parts():
    torch.manual_seed(0)
    shares = regions(100, 16, 16, random.Random(0)).mean((1, 2, 3))
    assert 0.35 < (shares == 1).float().mean() < 0.65 and (shares < 0.6).float().mean() > 0.15


def test_hidden_colours_are_neutral():
    torch.manual_seed(0)
    x = partial("scribble", torch.rand(40, 3, 16, 16), random.Random(0))
    hidden = x[:, 3] == 0
    assert hidden.any() and x[:, :3].abs().sum(1)[hidden].max() == 0


# ---- samples


def test_restyled_scenes_have_the_same_contents():
    rng = random.Random(0)
    for _ in range(20):
        other = restyled(SCENE, rng)
        assert other.style != SCENE.style and other.subjects == SCENE.subjects and other.seed == SCENE.seed


def test_shuffled_pictures_keep_their_colours_and_recoloured_ones_their_layout():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:64] = (200, 40, 40)
    rng = random.Random(1)
    parts = shuffled(picture, rng)
    assert parts.shape == (128, 128, 3) and 40 < parts[..., 0].mean() < 160
    other = recoloured(picture, rng)
    assert other[:64].std((0, 1)).max() == 0 and other[64:].std((0, 1)).max() == 0


def test_incomplete_captions_do_not_mention_hidden_attributes():
    for seed in range(50):
        assert not {"style", "time"} & set(Incomplete(SCENE, random.Random(seed), {"style", "time"}).said)


def test_captions_are_sometimes_dropped_and_sometimes_wrong():
    rng, other = random.Random(0), Scene("desert", "day", "clear", "flat", "full", [])
    texts = [words_of(SCENE, {"outline"}, other, rng) for _ in range(400)]
    assert 0.14 < sum(text == "" for text in texts) / 400 < 0.26
    assert 0.03 < sum("desert" in text.lower() or "dune" in text.lower() for text in texts) / 400 < 0.2
    styled = [words_of(SCENE, {"style"}, other, rng) for _ in range(400)]
    assert not any("desert" in text.lower() for text in styled)


def test_silent_prompts_do_not_mention_style_and_time():
    rng = random.Random(0)
    for _ in range(30):
        scene = sample_scene(rng)
        quiet, full = measure_adapters.silent(scene).split(", "), describe(scene).split(", ")
        assert len(full) - len(quiet) == 2 and full[-1] not in quiet and set(quiet) < set(full)

"""Tests of the network that reads latents, its loss and its training samples."""

import random

import pytest
import torch
import torch.nn.functional as F

import views
from latent_clip import COARSE, FINE, LatentClip, coarser, gram
from sketchbook.sampling import sample_scene
from sketchbook.scene import Scene, Subject
from train_latent_clip import FARTHEST, Batch, Batches, blurred, losses, misled, style_loss
from views import ATTRIBUTES, CAPTIONS, UNNAMED, Views, contrast, variants

SCENE = Scene("forest", "day", "rain", "ink", "full", [Subject("fox", "red", "left"), Subject("cat", "black", "right")])


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LatentClip().eval()


def units(count: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, 128), dim=-1)


# ---- the network


def test_a_pass_needs_few_multiplications_for_a_latent():
    inner = 9 * FINE**2 + (9 * FINE * COARSE + 9 * COARSE**2) / 4
    assert 32 * FINE + inner <= 95_000


def test_the_weights_have_the_documented_names_and_fit_a_megabyte(network, tmp_path):
    names = {name.removesuffix(".weight") for name in network.state_dict() if name.endswith("weight")}
    assert names == {"stem", "fine.0", "down", "coarse.0", "head.0", "head.1"}
    network.save(tmp_path / "latents.safetensors")
    assert (tmp_path / "latents.safetensors").stat().st_size < 1_000_000
    loaded = LatentClip.load(tmp_path / "latents.safetensors")
    for name, values in loaded.state_dict().items():
        assert torch.equal(values, network.state_dict()[name].half().float()), name


def test_the_file_says_how_many_blocks_the_network_of_a_teacher_has(tmp_path):
    teacher, latents = LatentClip(blocks=2).eval(), torch.randn(2, 32, 8, 8)
    teacher.save(tmp_path / "latents.safetensors")
    assert LatentClip.load(tmp_path / "latents.safetensors")(latents).allclose(teacher(latents), atol=1e-2)


@pytest.mark.parametrize("size", [(6, 6), (9, 14), (14, 24)])
def test_features_have_the_size_of_the_latents_and_half_of_it(network, size):
    fine, coarse = network.features(torch.randn(2, 32, *size))
    assert fine.shape == (2, 64, *size)
    assert coarse.shape == (2, 128, *((side + 1) // 2 for side in size))
    assert gram(coarse).shape == (2, 128, 128)
    assert network(torch.randn(2, 32, *size)).norm(dim=-1).allclose(torch.ones(2))


def test_a_mask_of_ones_weighs_each_latent_equally(network):
    latents = torch.randn(1, 32, 8, 12)
    assert network(latents, torch.ones(1, 1, 8, 12)).allclose(network(latents), atol=1e-6)
    # At odd edges, a coarse cell covers fewer latents.
    shares = coarser(torch.ones(1, 1, 9, 7))
    assert shares.shape == (1, 1, 5, 4)
    assert shares.sum() * 4 == 9 * 7
    assert shares[0, 0, -1, -1] == 0.25


def test_latents_outside_a_mask_and_its_surroundings_have_no_effect(network):
    latents = torch.randn(1, 32, 12, 32)
    mask = torch.zeros(1, 1, 12, 32)
    mask[..., :6] = 1
    other = latents.clone()
    other[..., 20:] = 0
    assert network(other, mask).allclose(network(latents, mask), atol=1e-6)
    other[..., :6] = 0
    assert not network(other, mask).allclose(network(latents, mask), atol=1e-3)


def test_a_gram_matrix_has_mean_products_of_channels():
    features = torch.randn(1, 3, 4, 5)
    assert gram(features)[0, 0, 2].isclose((features[0, 0] * features[0, 2]).mean())


# ---- training


def test_blurred_latents_keep_the_early_components_longest():
    latents = torch.randn(400, 32, 8, 8)
    kept = (blurred(latents, torch.Generator().manual_seed(0)) * latents).mean((0, 2, 3))
    assert kept[0] > 1.5 * kept[31] > 0


def batch_of(captions: torch.Tensor, altered: torch.Tensor, **changes) -> Batch:
    count = len(captions)
    fields = {
        "latents": torch.randn(count, 32, 8, 8),
        "masks": torch.ones(count, 1, 8, 8),
        "styles": torch.zeros(count),
        "names": torch.full((count,), UNNAMED),
        "pictures": captions,
    }
    return Batch(captions=captions, altered=altered[:, None], **{**fields, **changes})


def test_the_loss_prefers_the_right_caption_and_ignores_missing_alterations():
    torch.manual_seed(0)
    captions, altered, names = units(8), units(8), units(5)
    right = losses(captions, batch_of(captions, altered), names, 20.0)
    wrong = losses(altered, batch_of(captions, altered), names, 20.0)
    assert right["contrast"] < 0.1 < wrong["contrast"]
    assert right["order"] < 0.1 < wrong["order"]
    same = losses(captions, batch_of(captions, captions), names, 20.0)
    assert same["order"] == 0
    assert same["contrast"] < 0.1
    assert same["distance"].abs() < 1e-5


def test_views_with_equal_captions_do_not_count_as_wrong():
    torch.manual_seed(0)
    captions = units(8)
    captions[1] = captions[0]
    found = losses(captions, batch_of(captions, units(8)), units(5), 20.0)
    assert found["contrast"] < 0.1


def test_the_loss_of_names_only_counts_parts():
    torch.manual_seed(0)
    captions, names = units(8), units(5)
    of_parts = torch.tensor([3, UNNAMED, 1, UNNAMED, 0, UNNAMED, 4, 2])
    batch = batch_of(captions, units(8), names=of_parts)
    found = names[of_parts.clamp(min=0)]
    right = losses(found, batch, names, 20.0)["name"]
    found[[1, 3, 5]] = units(3)
    assert losses(found, batch, names, 20.0)["name"] == right < 0.1
    assert losses(found.roll(2, 0), batch, names, 20.0)["name"] > 1
    assert losses(found, batch_of(captions, units(8)), names, 20.0)["name"] == 0


def test_misled_latents_are_close_and_less_like_their_captions(network):
    torch.manual_seed(0)
    latents, altered = torch.randn(6, 32, 8, 8), units(6)
    captions = network(latents).detach()
    moved = misled(network, batch_of(captions, altered, latents=latents))
    distances = (moved - latents).flatten(1).norm(dim=1) / latents.flatten(1).norm(dim=1)
    assert (distances <= FARTHEST).all() and distances.max() > 0.01
    assert ((network(moved) * captions).sum(1) < 1 - 1e-5).any()


def test_the_style_loss_prefers_equal_gram_matrices_of_a_style_to_those_of_another():
    torch.manual_seed(0)
    two = torch.randn(2, 6, 5, 5)
    styles = torch.tensor([0, 1, 0, 1, 2])
    # A Gram matrix ignores where features are. The last picture is the only one of its style.
    sorted_by_style = torch.cat([two, two.roll(2, 3), torch.randn(1, 6, 5, 5)])
    mixed = sorted_by_style[[0, 2, 1, 3, 4]]
    assert style_loss(sorted_by_style, styles) < style_loss(mixed, styles) - 1
    assert style_loss(two, torch.tensor([0, 1])) == 0


def test_batches_have_one_size_and_matching_rows():
    def of(count: int, size: int) -> Views:
        numbers = torch.arange(count).float()
        rows = numbers[:, None].expand(count, 128)
        latents = numbers.view(-1, 1, 1, 1).expand(count, 32, size, size).half()
        captions = rows[:, None].expand(count, CAPTIONS, 128)
        altered, masks = captions[:, :, None].expand(-1, -1, 3, -1), latents[:, :1].float()
        names = numbers if size == 10 else torch.full((count,), UNNAMED)
        return Views(latents, latents[: count // 2], rows, captions, altered, numbers, names, masks)

    batches, rng = Batches([of(40, 16), of(30, 8), of(3, 6), of(20, 10)], 8), random.Random(0)
    sizes = []
    for _ in range(200):
        batch = batches.draw(rng)
        sizes.append(batch.latents.shape[-1])
        assert torch.equal(batch.styles, batch.captions[:, 0])
        assert torch.equal(batch.masks[:, 0, 0, 0], batch.styles)
        assert torch.equal(batch.pictures, batch.captions)
        assert torch.equal(batch.altered[:, 2], batch.captions)
        assert (batch.names != UNNAMED).all() == (batch.latents.shape[-1] == 10)
    assert set(sizes) == {16, 8, 10}
    # Parts are a kind of their own, not crops.
    assert 0.3 < sizes.count(10) / 200 < 0.5


# ---- views


def test_variants_change_one_attribute_of_a_scene():
    assert [scene.time for scene in variants(SCENE, "time")] == ["dawn", "dusk", "night"]
    assert all(scene.subjects == SCENE.subjects for scene in variants(SCENE, "weather"))
    colours = [scene.subjects[0].colour for scene in variants(SCENE, "colour")]
    assert colours == ["orange", "white", "black"]
    assert all(scene.subjects[1] == SCENE.subjects[1] for scene in variants(SCENE, "kind"))
    assert variants(SCENE, "expression") == []
    for i in range(40):
        scene = sample_scene(random.Random(i))
        assert all(scene not in variants(scene, attribute) for attribute in ATTRIBUTES)


def test_nearly_all_captions_have_an_altered_caption():
    rng = random.Random(0)
    pairs = [contrast(sample_scene(rng), rng) for _ in range(200)]
    assert sum(text != other for text, other in pairs) > 190


def test_views_of_several_files_are_joined_with_predictions_first(tmp_path):
    def saved(name: str, count: int, first: int):
        numbers = torch.arange(first, first + count).float()
        latents = numbers.view(-1, 1, 1, 1).expand(count, 32, 6, 6).half()
        rows = numbers[:, None].expand(count, 128)
        each = {"latents": latents, "predicted": latents[:2], "pictures": rows, "captions": rows}
        each |= {"altered": rows.view(-1, 1, 1, 128), "styles": numbers, "names": numbers, "masks": numbers}
        of_parts = {**each, "altered": rows.view(-1, 1, 1, 128).expand(-1, -1, 3, -1)}
        torch.save([each, of_parts], tmp_path / name)
        return tmp_path / name

    joined, of_parts = views.load([saved("a.pt", 4, 0), saved("b.pt", 5, 10)])
    assert of_parts.altered.shape == (9, 1, 3, 128)
    assert joined.pictures[:, 0].tolist() == [0, 1, 10, 11, 2, 3, 12, 13, 14]
    assert joined.predicted[:, 0, 0, 0].tolist() == [0, 1, 10, 11]

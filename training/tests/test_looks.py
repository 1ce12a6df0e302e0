"""Tests of the measures of what pictures look like."""

import numpy as np
import pytest

import looks


def flat(colour, height=64, width=64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def bars(width=8, height=64, side=64) -> np.ndarray:
    """Vertical bars in black and white."""
    columns = np.arange(side) // width % 2 * 255
    return np.broadcast_to(columns[None, :, None], (height, side, 3)).astype(np.uint8)


def noise(seed=0, height=64, width=64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_the_palette_distance_is_to_the_nearest_colour():
    palette = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    assert looks.palette_distance(bars(), palette) == pytest.approx(0, abs=1e-9)
    # White is 100 from black in Lab.
    assert looks.palette_distance(bars(), palette[:1]) == pytest.approx(50, abs=0.01)
    right = np.arange(64)[None, :].repeat(64, 0) >= 56
    assert looks.palette_distance(bars(), palette[:1], right) == pytest.approx(100, abs=0.01)


def test_the_saturation_is_that_of_hsv():
    assert looks.saturation(flat((200, 100, 50))) == pytest.approx(0.75)
    assert looks.saturation(flat(0)) == looks.saturation(flat(90)) == 0


def test_bars_vary_across_and_not_down():
    # 7 of 63 steps across are 255, and there are as many steps down.
    assert looks.variation(bars()) == pytest.approx(255 * 7 / 63 / 2)
    assert looks.variation(flat(7)) == 0


def test_blocks_are_found_only_on_their_borders():
    assert looks.blocks(bars(16)) > 100
    assert looks.blocks(np.roll(bars(16), 5, 1)) < 0.01
    assert looks.blocks(noise()) == pytest.approx(1, abs=0.1)


def test_a_layout_correlates_with_itself_and_not_with_its_negative():
    picture = np.kron(noise(1, 16, 16), np.ones((4, 4, 1), np.uint8))
    assert looks.layout_correlation(picture, picture) == pytest.approx(1)
    brighter = np.clip(picture // 2 + 90, 0, 255).astype(np.uint8)
    assert looks.layout_correlation(picture, brighter) > 0.9
    assert looks.layout_correlation(picture, 255 - picture) < -0.5
    assert abs(looks.layout_correlation(picture, np.roll(picture, 20, 1))) < 0.3


def test_the_lines_of_a_square_are_its_borders():
    picture = flat(40)
    picture[20:44, 16:48] = 200
    found = looks.lines(picture)
    near = looks.widened(found, 1)
    assert near[20:44, 16].all() and near[20:44, 47].all() and near[20, 18:46].all() and near[43, 18:46].all()
    assert found.sum() < 140, "the lines are one pixel wide"
    assert not found[26:38, 22:42].any() and not found[:14].any()
    assert not looks.lines(flat(90)).any()


def test_widened_masks_are_squares():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert looks.widened(mask, 2).sum() == 25
    assert looks.widened(mask, 2)[2:7, 2:7].all()


def test_edges_on_lines_are_stronger_than_those_beside_them():
    picture = flat(40)
    picture[20:44, 16:48] = 200
    lines = looks.lines(picture)
    assert looks.edges_on_lines(picture, lines) > 20
    assert looks.edges_on_lines(np.roll(picture, (8, 8), (0, 1)), lines) < 1
    assert looks.edges_on_lines(noise(), lines) == pytest.approx(1, abs=0.15)


def test_a_line_drawing_is_black_on_white():
    mask = np.zeros((9, 9), bool)
    mask[4, :] = True
    drawing = looks.line_drawing(mask)
    assert (drawing[3:6] == 0).all() and (drawing[:3] == 255).all() and (drawing[6:] == 255).all()


def test_the_style_does_not_depend_on_positions():
    one = np.kron(noise(1, 16, 16), np.ones((4, 4, 1), np.uint8))
    same, other = np.roll(one, (16, 24), (0, 1)), np.clip(one // 4 + 100, 0, 255).astype(np.uint8)
    assert looks.style_distance(one, one) == pytest.approx(0, abs=1e-4)
    assert looks.style_distance(one, same) < 0.2 * looks.style_distance(one, other)
    # The same colours in finer grains are another style.
    fine = one.reshape(-1, 3)[np.random.default_rng(2).permutation(64 * 64)].reshape(64, 64, 3)
    assert looks.style_distance(one, same) < 0.2 * looks.style_distance(one, fine)

"""Tests of the measurement of losses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from test_edits import reading

import loss_cases
import loss_painter
import loss_texts
import losses
from sketchbook.caption import describe
from sketchbook.sampling import is_held_out
from sketchbook.scene import Scene, Subject


def scene(**changes) -> Scene:
    owl = Subject("owl", "orange", "left")
    values = {
        "place": "forest",
        "time": "night",
        "weather": "rain",
        "style": "ink",
        "framing": "full",
        "subjects": [owl],
    }
    return Scene(**values | changes)


class Fake(loss_painter.Painter):
    """Draws pictures from nothing."""

    def draw_whole(self, case, steered):
        rng = np.random.default_rng(case.seed)
        picture = rng.integers(0, 256, (loss_cases.SIDE, loss_cases.SIDE, 3), np.uint8)
        return picture // 2 if steered else picture

    edit = draw_whole


def painter(**more) -> loss_painter.Painter:
    return Fake(Path("none"), Path("model"), 12, Path(), None, **more)


class Perfect:
    """A judge that reads all pictures as one scene."""

    def __init__(self, scene: Scene):
        self.scene = scene

    def read(self, pictures):
        return [reading(self.scene) for _ in pictures]


@pytest.mark.parametrize("title", list(losses.KINDS))
def test_each_kind_has_cases_that_can_be_measured(title):
    result = losses.measured(title, painter(), Perfect(scene()), 3, 0)
    assert len(result.cases) == 3
    for case in result.cases:
        assert case.prompt
        assert bool(case.loss) != bool(case.losses)
        assert ("FILE" in case.loss) == (case.image is not None and not case.losses)
    assert all(np.isfinite(result.values[0] + result.values[1] + result.ideal))
    assert len(losses.row(title, result)) == len(losses.HEAD)


def test_scenes_are_held_out_and_the_same_for_any_count():
    few, more = loss_cases.scenes(3, 0, "all"), loss_cases.scenes(5, 0, "all")
    assert few == more[:3]
    assert few != loss_cases.scenes(3, 1, "all")
    assert all((s.width, s.height) == (256, 256) and is_held_out(s) for s in more)


@pytest.mark.parametrize(
    ("attribute", "gone"),
    [
        ("time", "an orange owl on the left, in a forest, in the rain, ink drawing"),
        ("weather", "an orange owl on the left, in a forest, at night, ink drawing"),
        ("place", "an orange owl on the left, at night, in the rain, ink drawing"),
        ("style", "an orange owl on the left, in a forest, at night, in the rain"),
        ("colour", "an owl on the left, in a forest, at night, in the rain, ink drawing"),
        ("kind", "an orange owl on the left, in a forest, at night, in the rain, ink drawing"),
    ],
)
def test_a_prompt_leaves_out_one_attribute(attribute, gone):
    assert loss_texts.without(scene(), attribute) == gone


def test_hair_keeps_its_colour_when_clothes_lose_theirs():
    girl = scene(subjects=[Subject("girl", "red", "left", "red")])
    assert loss_texts.without(girl, "colour").startswith("a girl with red hair in a coat on the left, ")
    knight = scene(subjects=[Subject("knight", "white", "left")])
    assert loss_texts.without(knight, "colour").startswith("a knight on the left, ")


@pytest.mark.parametrize("attribute", list(loss_texts.ATTRIBUTES))
def test_the_judge_finds_the_wanted_value_in_the_wanted_scene_only(attribute):
    kind = loss_texts.ATTRIBUTES[attribute]
    asked = loss_cases.scenes(8, 0, attribute, kind.suits)
    for before, wanted, value in loss_texts.changes(attribute, asked, 0):
        assert describe(before) != describe(wanted)
        assert value != kind.usual
        seen = kind.seen(wanted, value)
        assert seen(None, reading(wanted)) == 100
        assert seen(None, reading(before)) == 0


def test_a_direction_goes_from_the_prompt_to_another_value():
    for case in losses.KINDS["direction, time"].cases(loss_cases.scenes(6, 0, "time"), 0):
        before, after = case.loss.removeprefix("direction:").split("=>")
        assert before in case.prompt and after not in case.prompt


def test_both_parts_must_win():
    left, right = loss_cases.halves()
    assert not (left & right).any() and left.sum() == right.sum()
    picture = np.zeros((loss_cases.SIDE, loss_cases.SIDE, 3), np.uint8)
    picture[left], picture[right] = (192, 48, 48), (48, 96, 192)
    assert loss_cases.both_palettes_win(picture, left, right)
    assert not loss_cases.both_palettes_win(picture, right, left)
    picture[left], picture[right] = 90, (200, 20, 20)
    assert loss_cases.both_saturations_win(picture, left, right)
    picture[right] = 90
    assert not loss_cases.both_saturations_win(picture, left, right)


def test_the_report_compares_and_counts():
    cases = [loss_cases.Case("a", "total-variation", i, lambda picture, _: picture.mean()) for i in range(4)]
    blank = [np.zeros((32, 32, 3), np.uint8)] * 4
    result = losses.Result(cases, (blank, blank), ([10.0] * 4, [5.0, 5.0, 5.0, 11.0]), [])
    cells = dict(zip(losses.HEAD, losses.row("total-variation", result)))
    assert (cells["compared"], cells["better"], cells[""]) == ("x 0.65", "75 %", "reached")
    result = losses.Result(cases, (blank, blank), ([0.1] * 4, [0.2] * 4), [1.0])
    cells = dict(zip(losses.HEAD, losses.row("content", result)))
    assert (cells["compared"], cells["better"], cells[""]) == ("+0.10", "100 %", "missed")


def test_a_total_is_the_mean_of_all_attributes():
    cases = [loss_cases.Case("a", "text:b", 0, lambda *_: 0.0)]
    blank = [np.zeros((32, 32, 3), np.uint8)]
    results = {
        f"text, {attribute}": losses.Result(cases, (blank, blank), ([0.0], [value]), [])
        for attribute, value in (("time", 100.0), ("style", 0.0))
    }
    [cells] = losses.totals(results)
    assert (cells[1], cells[4], cells[5]) == ("2", "50", "+50")


def test_kinds_are_chosen_by_name_or_beginning():
    assert losses.chosen(["outline"]) == ["outline"]
    assert losses.chosen(["style"]) == ["style", "style, judge"]
    assert len(losses.chosen(["text"])) == len(loss_texts.ATTRIBUTES)
    assert losses.chosen(None) == list(losses.KINDS)
    with pytest.raises(SystemExit, match="beauty"):
        losses.chosen(["beauty"])


def test_a_sheet_has_all_rows():
    results = {title: losses.measured(title, painter(), None, 2, 0) for title in ("palette", "content")}
    # Two pictures without and with, and two images.
    sheet = losses.sheet(results, 3)
    assert 2 * loss_cases.SIDE < sheet.width < 3 * loss_cases.SIDE and sheet.height > 5 * loss_cases.SIDE
    results["content"] = losses.measured("content", painter(), None, 3, 0)
    assert losses.sheet(results, 4).width > 3 * loss_cases.SIDE, "shorter rows have blanks"


def test_the_options_of_a_loss_are_written_into_the_recipe(tmp_path):
    provenance = {"recipe": {"seed": 3, "sampler": {"steps": 1}, "losses": [{"kind": "TotalVariation"}]}}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("bevy_illustrator", json.dumps(provenance))
    info.add_itxt("bevy_illustrator blobs", "{}")
    Image.new("RGBA", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    change = lambda provenance: loss_painter.changed_recipe(provenance, 12, {"to": 0.5})
    loss_painter.rewrite(tmp_path / "a.png", tmp_path / "b.png", change)
    texts = Image.open(tmp_path / "b.png").text
    recipe = json.loads(texts["bevy_illustrator"])["recipe"]
    assert recipe["losses"] == [{"kind": "TotalVariation", "to": 0.5}]
    assert recipe["sampler"] == {"steps": 12} and recipe["seed"] == 3
    assert texts["bevy_illustrator blobs"] == "{}"


def test_edit_files_contain_losses():
    part = {"mask": "left.png", "edit": "Refine", "losses": [{"kind": {"Palette": ["#112233"]}, "weight": 2}]}
    text = loss_painter.ron_with_kinds({"prompt": "a", "parts": [part]})
    wanted = '(mask: "left.png", edit: Refine, losses: [(kind: Palette(["#112233"]), weight: 2)])'
    assert text == f'(prompt: "a", parts: [{wanted}])'


def test_pictures_without_losses_are_kept(tmp_path):
    case = loss_cases.Case("a", "total-variation", 1, lambda *_: 0.0)
    mine = painter()
    mine.cache = tmp_path / "cache"
    first = mine.draw(case, False)
    assert len(list(mine.cache.iterdir())) == 1
    mine.draw_whole = None
    np.testing.assert_array_equal(mine.draw(case, False), first)

use image::{Rgba, RgbaImage};

use super::*;
use crate::mask::Combine;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

/// A blue sky that gets lighter towards the horizon, with a white moon; a green meadow with a red house that has a
/// yellow door. Everything is slightly noisy.
fn landscape() -> RgbaImage {
    noisy(|x, y| match thing(x, y) {
        "moon" => [245, 245, 235],
        "door" => [230, 200, 60],
        "house" => [190, 50, 40],
        "sky" => [60 + y as u8, 90 + y as u8, 200],
        _ => [60, 150, 60],
    })
}

fn noisy(colour: impl Fn(u32, u32) -> [u8; 3]) -> RgbaImage {
    RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let noise = (x * 7 + y * 13 + x * y) % 9;
        let [r, g, b] = colour(x, y).map(|channel| channel.saturating_add(noise as u8));
        Rgba([r, g, b, 255])
    })
}

fn thing(x: u32, y: u32) -> &'static str {
    let (dx, dy) = (x as i32 - 120, y as i32 - 25);
    match (x, y) {
        _ if dx * dx + dy * dy < 144 => "moon",
        (40..50, 70..90) => "door",
        (25..65, 50..90) => "house",
        (_, 0..75) => "sky",
        _ => "meadow",
    }
}

fn things(names: &[&str]) -> Mask {
    Mask::from_fn(WIDTH, HEIGHT, |x, y| if names.contains(&thing(x, y)) { 255 } else { 0 })
}

/// Asserts a minimum intersection over union.
#[track_caller]
fn assert_overlap(found: &Mask, expected: &Mask, at_least: f32) {
    let share = |how| {
        let mut both = found.clone();
        both.combine(expected, how).unwrap();
        both.coverage()
    };
    let overlap = share(Combine::Intersect) / share(Combine::Add);
    assert!(overlap >= at_least, "overlap {overlap}: {found:?}, {expected:?}");
}

fn at(x: u32, y: u32) -> SelectionPrompt {
    SelectionPrompt { include: vec![(x, y)], ..SelectionPrompt::default() }
}

#[test]
fn a_click_selects_the_object_under_it() {
    let objects = Objects::detect(&landscape());
    assert_overlap(&objects.select(&at(120, 25)), &things(&["moon"]), 0.9);
    assert_overlap(&objects.select(&at(45, 80)), &things(&["door"]), 0.8);
    assert_overlap(&objects.select(&at(20, 20)), &things(&["sky"]), 0.9);
    assert_overlap(&objects.select(&at(100, 105)), &things(&["meadow"]), 0.9);
}

#[test]
fn more_points_add_objects_and_excluded_points_stay_out() {
    let objects = Objects::detect(&landscape());
    let both = SelectionPrompt { include: vec![(120, 25), (45, 80)], ..SelectionPrompt::default() };
    assert_overlap(&objects.select(&both), &things(&["moon", "door"]), 0.85);
    for (x, y) in [(45, 80), (30, 60), (120, 25)] {
        let not = SelectionPrompt { include: vec![(27, 52)], exclude: vec![(x, y)], area: None };
        assert_eq!(objects.select(&not).at(x, y), 0);
    }
}

#[test]
fn a_box_selects_the_objects_inside_it() {
    let objects = Objects::detect(&landscape());
    let area = |x, y, width, height| SelectionPrompt {
        area: Some(Area { x, y, width, height }),
        ..SelectionPrompt::default()
    };
    assert_overlap(&objects.select(&area(100, 5, 40, 40)), &things(&["moon"]), 0.85);
    assert_overlap(&objects.select(&area(20, 45, 50, 50)), &things(&["house", "door"]), 0.85);
}

#[test]
fn an_enclosed_detail_belongs_to_the_object_unless_excluded() {
    let objects = Objects::detect(&landscape());
    let wall = SelectionPrompt { include: vec![(30, 60)], ..SelectionPrompt::default() };
    assert_overlap(&objects.select(&wall), &things(&["house", "door"]), 0.85);
    let not_the_door = SelectionPrompt { exclude: vec![(45, 80)], ..wall };
    assert_overlap(&objects.select(&not_the_door), &things(&["house"]), 0.8);
}

#[test]
fn splitting_puts_every_pixel_in_exactly_one_part() {
    let objects = Objects::detect(&landscape());
    for most in [1, 2, 5, 12] {
        let parts = objects.split(most);
        assert!(parts.len() <= most && !parts.is_empty());
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                assert_eq!(parts.iter().filter(|part| part.at(x, y) == 255).count(), 1, "{x} {y}");
            }
        }
    }
    let parts = objects.split(5);
    for (names, x, y) in
        [(&["sky"], 10, 10), (&["meadow"], 150, 110), (&["house"], 30, 60), (&["moon"], 120, 25)]
    {
        let part = parts.iter().find(|part| part.at(x, y) == 255).unwrap();
        assert_overlap(part, &things(names), 0.75);
    }
}

#[test]
fn selection_works_at_every_picture_size() {
    for (width, height) in [(1, 1), (2, 7), (16, 16), (700, 30), (1300, 900)] {
        let picture = RgbaImage::from_fn(width, height, |x, _| {
            if x < width / 2 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 0, 200, 255]) }
        });
        let objects = Objects::detect(&picture);
        let last = (width - 1, height - 1);
        let found = objects.select(&at(last.0, last.1));
        assert_eq!((found.size(), found.at(last.0, last.1)), ((width, height), 255));
        assert!(objects.select(&at(width, height)).is_empty());
        assert!(!objects.split(2).is_empty());
    }
}

#[test]
fn one_colour_is_one_object() {
    let objects = Objects::detect(&RgbaImage::from_pixel(64, 48, Rgba([9, 99, 199, 255])));
    assert_eq!(objects.select(&at(30, 30)), Mask::full(64, 48));
}

/// The landscape slightly darker, from a viewpoint further left, and without the door.
fn from_further_left() -> RgbaImage {
    noisy(|x, y| match thing_from_further_left(x, y) {
        "moon" => [235, 235, 228],
        "house" => [176, 44, 38],
        "sky" => [56 + y as u8, 84 + y as u8, 190],
        _ => [55, 138, 58],
    })
}

fn thing_from_further_left(x: u32, y: u32) -> &'static str {
    let thing = thing(x.wrapping_sub(30), y.wrapping_add(4));
    if thing == "door" { "house" } else { thing }
}

fn things_from_further_left(name: &str) -> Mask {
    let is_it = |x, y| thing_from_further_left(x, y) == name;
    Mask::from_fn(WIDTH, HEIGHT, |x, y| if is_it(x, y) { 255 } else { 0 })
}

#[test]
fn an_object_is_found_at_another_place_in_another_picture() {
    let (here, there) = (Objects::detect(&landscape()), Objects::detect(&from_further_left()));
    for name in ["house", "moon", "sky", "meadow"] {
        let found =
            there.find_similar(&here, &things(&[name])).unwrap_or_else(|| panic!("no {name}"));
        assert_overlap(&found, &things_from_further_left(name), 0.85);
    }
    // Hand-drawn masks contain some of the surroundings.
    let loose = Mask::rectangle(WIDTH, HEIGHT, Area { x: 20, y: 46, width: 50, height: 48 });
    let found = there.find_similar(&here, &loose).expect("a house");
    assert_overlap(&found, &things_from_further_left("house"), 0.8);
}

#[test]
fn an_object_is_found_in_a_picture_of_another_size() {
    let image = imageops::resize(
        &from_further_left(),
        2 * WIDTH,
        2 * HEIGHT,
        imageops::FilterType::Triangle,
    );
    let (here, there) = (Objects::detect(&landscape()), Objects::detect(&image));
    let found = there.find_similar(&here, &things(&["house"])).expect("a house");
    assert_overlap(&found, &things_from_further_left("house").resized(2 * WIDTH, 2 * HEIGHT), 0.85);
}

#[test]
fn an_absent_object_is_not_found() {
    let here = Objects::detect(&landscape());
    let there = Objects::detect(&from_further_left());
    assert_eq!(there.find_similar(&here, &things(&["door"])), None);
    let [full, empty] = [Mask::full(WIDTH, HEIGHT), Mask::empty(WIDTH, HEIGHT)];
    assert_eq!(there.find_similar(&here, &full), None, "a full mask has no outside");
    assert_eq!(there.find_similar(&here, &empty), None);
    assert_eq!(there.find_similar(&here, &Mask::full(3, 3)), None, "the mask has another size");
}

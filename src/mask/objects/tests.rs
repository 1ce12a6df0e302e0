use image::{Rgba, RgbaImage};

use super::*;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

/// A blue sky that gets lighter downwards over a green meadow, a white moon in the sky, a red house with a
/// yellow door on the meadow; all a little noisy.
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

/// Intersection over union.
#[track_caller]
fn assert_alike(found: &Mask, expected: &Mask, at_least: f32) {
    let share = |how| {
        let mut both = found.clone();
        both.combine(expected, how).unwrap();
        both.coverage()
    };
    let alike = share(Combine::Intersect) / share(Combine::Add);
    assert!(alike >= at_least, "only {alike} alike: {found:?}, {expected:?}");
}

use crate::mask::Combine;

fn at(x: u32, y: u32) -> Pointing {
    Pointing { include: vec![(x, y)], ..Pointing::default() }
}

#[test]
fn a_click_takes_the_thing_that_it_hits() {
    let objects = Objects::of(&landscape());
    assert_alike(&objects.select(&at(120, 25)), &things(&["moon"]), 0.9);
    assert_alike(&objects.select(&at(45, 80)), &things(&["door"]), 0.8);
    assert_alike(&objects.select(&at(20, 20)), &things(&["sky"]), 0.9);
    assert_alike(&objects.select(&at(100, 105)), &things(&["meadow"]), 0.9);
}

#[test]
fn more_clicks_add_and_what_is_not_meant_stays_out() {
    let objects = Objects::of(&landscape());
    let both = Pointing { include: vec![(120, 25), (45, 80)], ..Pointing::default() };
    assert_alike(&objects.select(&both), &things(&["moon", "door"]), 0.85);
    for (x, y) in [(45, 80), (30, 60), (120, 25)] {
        let not = Pointing { include: vec![(27, 52)], exclude: vec![(x, y)], area: None };
        assert_eq!(objects.select(&not).at(x, y), 0);
    }
}

#[test]
fn a_box_takes_what_lies_in_it() {
    let objects = Objects::of(&landscape());
    let area = |x, y, width, height| Pointing {
        area: Some(Area { x, y, width, height }),
        ..Pointing::default()
    };
    assert_alike(&objects.select(&area(100, 5, 40, 40)), &things(&["moon"]), 0.85);
    assert_alike(&objects.select(&area(20, 45, 50, 50)), &things(&["house", "door"]), 0.85);
}

#[test]
fn what_an_object_runs_around_belongs_to_it_unless_it_is_not_meant() {
    let objects = Objects::of(&landscape());
    let wall = Pointing { include: vec![(30, 60)], ..Pointing::default() };
    assert_alike(&objects.select(&wall), &things(&["house", "door"]), 0.85);
    let not_the_door = Pointing { exclude: vec![(45, 80)], ..wall };
    assert_alike(&objects.select(&not_the_door), &things(&["house"]), 0.8);
}

#[test]
fn the_parts_of_a_picture_are_all_of_it_once() {
    let objects = Objects::of(&landscape());
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
        assert_alike(part, &things(names), 0.75);
    }
}

#[test]
fn every_size_of_picture_can_be_clicked_at() {
    for (width, height) in [(1, 1), (2, 7), (16, 16), (700, 30), (1300, 900)] {
        let picture = RgbaImage::from_fn(width, height, |x, _| {
            if x < width / 2 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 0, 200, 255]) }
        });
        let objects = Objects::of(&picture);
        let last = (width - 1, height - 1);
        let found = objects.select(&at(last.0, last.1));
        assert_eq!((found.size(), found.at(last.0, last.1)), ((width, height), 255));
        assert!(objects.select(&at(width, height)).is_empty());
        assert!(!objects.split(2).is_empty());
    }
}

#[test]
fn one_colour_is_one_object() {
    let objects = Objects::of(&RgbaImage::from_pixel(64, 48, Rgba([9, 99, 199, 255])));
    assert_eq!(objects.select(&at(30, 30)), Mask::full(64, 48));
}

/// The landscape a little later, seen from further left, without the door.
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
fn the_same_thing_is_found_where_it_stands_in_another_picture() {
    let (here, there) = (Objects::of(&landscape()), Objects::of(&from_further_left()));
    for name in ["house", "moon", "sky", "meadow"] {
        let found = there.alike(&here, &things(&[name])).unwrap_or_else(|| panic!("no {name}"));
        assert_alike(&found, &things_from_further_left(name), 0.85);
    }
    // Masks drawn by hand hold some of the surroundings.
    let loose = Mask::rectangle(WIDTH, HEIGHT, Area { x: 20, y: 46, width: 50, height: 48 });
    let found = there.alike(&here, &loose).expect("a house");
    assert_alike(&found, &things_from_further_left("house"), 0.8);
}

#[test]
fn the_same_thing_is_found_in_a_picture_of_another_size() {
    let image = imageops::resize(
        &from_further_left(),
        2 * WIDTH,
        2 * HEIGHT,
        imageops::FilterType::Triangle,
    );
    let (here, there) = (Objects::of(&landscape()), Objects::of(&image));
    let found = there.alike(&here, &things(&["house"])).expect("a house");
    assert_alike(&found, &things_from_further_left("house").resized(2 * WIDTH, 2 * HEIGHT), 0.85);
}

#[test]
fn what_is_not_there_is_not_found() {
    let here = Objects::of(&landscape());
    let there = Objects::of(&from_further_left());
    assert_eq!(there.alike(&here, &things(&["door"])), None);
    let [full, empty] = [Mask::full(WIDTH, HEIGHT), Mask::empty(WIDTH, HEIGHT)];
    assert_eq!(there.alike(&here, &full), None, "all of it is all of it");
    assert_eq!(there.alike(&here, &empty), None);
    assert_eq!(there.alike(&here, &Mask::full(3, 3)), None, "a mask of another picture");
}

//! The canvas: the pointer marks parts, and edits redraw them.

mod candidates;
mod enlarge;
mod inspirations;
mod keys;
#[cfg(unix)]
mod loading;
mod losses;
mod marking;
mod objects;
mod properties;
mod refused;
mod tools;
mod under_way;

use bevy_illustrator::{
    art::Take,
    mask::Mask,
    panel::{PanelState, Tab},
    project::Action,
    recipe::{EditKind, Layer},
    storyboard::{ShotId, ShotKind},
};
use egui::{Key, Modifiers, PointerButton, Pos2, Rect, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable};

use image::{Rgba, RgbaImage};

use super::support::{Fixture, Panel, has, open_in, press, story};

/// Draws all pictures, and opens a portrait on the canvas.
pub fn canvas() -> (Panel, ShotId) {
    canvas_with(|_| {})
}

/// Opens the canvas like [`canvas`], after `set_up` changes the panel's state.
pub fn canvas_with(set_up: impl FnOnce(&mut PanelState)) -> (Panel, ShotId) {
    let mut fixture = Fixture::new(story());
    set_up(&mut fixture.panel);
    fixture.draw_all();
    let shot = fixture.shot(ShotKind::Portrait).id;
    fixture.panel.select(shot.clone());
    fixture.panel.tab = Tab::Canvas;
    let mut panel = open_in(fixture, [920.0, 720.0]);
    wait_for_objects(&mut panel);
    (panel, shot)
}

/// Waits until another thread has loaded and segmented the picture.
pub fn wait_for_objects(panel: &mut Panel) {
    wait_until(panel, |panel| {
        !panel.get_by_label("Split into parts").accesskit_node().is_disabled()
    });
}

/// Changes the picture file of a take, and waits until the canvas has loaded it again. Returns the new picture.
pub fn repaint(panel: &mut Panel, take: &Take) -> RgbaImage {
    let mut picture = take.image().unwrap();
    picture.put_pixel(0, 0, Rgba([1, 2, 3, 255]));
    picture.save(&take.path).unwrap();
    wait_until(panel, |panel| has(panel, "was loaded again"));
    wait_for_objects(panel);
    picture
}

/// Runs frames until a condition holds.
pub fn wait_until(panel: &mut Panel, mut condition: impl FnMut(&mut Panel) -> bool) {
    for _ in 0..15_000 {
        if condition(panel) {
            return;
        }
        // Long enough to leave room for threads of low priority.
        std::thread::sleep(std::time::Duration::from_millis(20));
        panel.run_steps(1);
    }
    panic!("the condition did not hold within five minutes");
}

pub fn take(panel: &Panel, shot: &ShotId, number: usize) -> Take {
    panel.state().project.art().takes(shot)[number].clone()
}

/// The area of the picture, in points. It is fitted into the canvas with a margin of at least 8 points.
pub fn picture(panel: &Panel, shot: &ShotId) -> Rect {
    let canvas = panel.get_by_label(&format!("Canvas of {shot}")).rect();
    let size = take(panel, shot, 0).recipe().size;
    let size = vec2(size.width as f32, size.height as f32);
    let zoom = ((canvas.size() - vec2(16.0, 16.0)) / size).min_elem();
    Rect::from_center_size(canvas.center(), size * zoom)
}

/// The point on the screen of a position in the picture, in fractions of its width and height.
pub fn place(panel: &Panel, shot: &ShotId, x: f32, y: f32) -> Pos2 {
    let picture = picture(panel, shot);
    pos2(picture.left() + x * picture.width(), picture.top() + y * picture.height())
}

pub fn stroke(panel: &mut Panel, shot: &ShotId, places: &[(f32, f32)]) {
    draw(panel, shot, places, PointerButton::Primary, Modifiers::NONE);
}

/// Drags the pointer along these places with a button, while modifiers are held.
pub fn draw(
    panel: &mut Panel,
    shot: &ShotId,
    places: &[(f32, f32)],
    button: PointerButton,
    modifiers: Modifiers,
) {
    let places: Vec<Pos2> = places.iter().map(|&(x, y)| place(panel, shot, x, y)).collect();
    let button = |pressed, pos| egui::Event::PointerButton { pos, button, pressed, modifiers };
    panel.event(egui::Event::ModifiersChanged(modifiers));
    panel.event(egui::Event::PointerMoved(places[0]));
    panel.event(button(true, places[0]));
    panel.run_steps(1);
    for &at in &places[1..] {
        panel.event(egui::Event::PointerMoved(at));
        panel.run_steps(1);
    }
    panel.event(button(false, places[places.len() - 1]));
    panel.run_steps(1);
    panel.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    panel.run_steps(1);
}

pub fn key(panel: &mut Panel, modifiers: Modifiers, key: Key) {
    panel.key_press_modifiers(modifiers, key);
    panel.run_steps(2);
}

/// The layers that the panel last requested to save.
pub fn saved_layers(requested: &[Action]) -> &[Layer] {
    let saved_layers = requested.iter().rev().find_map(|action| match action {
        Action::SetMarks { marks, .. } => Some(marks.layers.as_slice()),
        _ => None,
    });
    saved_layers.unwrap_or_else(|| panic!("nothing was saved: {requested:?}"))
}

/// The value of a mask at a position, in fractions of its width and height.
pub fn at(mask: &Mask, x: f32, y: f32) -> u8 {
    let (width, height) = mask.size();
    mask.at((x * width as f32) as u32, (y * height as f32) as u32)
}

/// Sets the kind of edit and the prompt of the selected part.
pub fn choose(panel: &mut Panel, kind: EditKind, words: &str) {
    press(panel, kind.name());
    let field = "Prompt";
    panel.get_by_label(field).click();
    panel.run_steps(2);
    panel.get_by_label(field).type_text(words);
    panel.run_steps(2);
}

/// Draws a stroke, which makes a part, and sets its edit: replace by a moon.
pub fn mark_part_for_a_moon(panel: &mut Panel, shot: &ShotId) {
    stroke(panel, shot, &[(0.2, 0.2), (0.4, 0.2)]);
    choose(panel, EditKind::Replace, "a moon");
}

/// Presses a button a number of times and waits for the drawings. Returns the actions that the panel requested.
pub fn press_and_wait(panel: &mut Panel, name: &str, times: usize) -> Vec<Action> {
    for _ in 0..times {
        press(panel, name);
    }
    let requested = panel.state_mut().apply_requests();
    wait_for_drawings(panel);
    requested
}

/// Waits until the queue is empty and the panel shows the new takes.
pub fn wait_for_drawings(panel: &mut Panel) {
    panel.state_mut().poll_until(|project| project.studio().jobs().is_empty());
    panel.run_steps(3);
}

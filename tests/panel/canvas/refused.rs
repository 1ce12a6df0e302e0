//! Marks that could not be saved are not lost.

use bevy_illustrator::{
    recipe::Layer,
    storyboard::{ShotId, ShotKind},
};
use egui::{Key, Modifiers};

use crate::support::{Panel, press};

use super::{at, canvas, key, repaint, saved_layers, stroke, take, wait_for_objects};

/// Opens the canvas and draws one stroke that is saved and two whose marks are refused. Returns the parts after each
/// stroke.
fn with_refused_strokes() -> (Panel, ShotId, [Vec<Layer>; 3]) {
    let (mut panel, shot) = canvas();
    let mut full = false;
    let layers = [0.1, 0.5, 0.9].map(|y| {
        stroke(&mut panel, &shot, &[(0.1, y), (0.3, y)]);
        let layers = saved_layers(&panel.state().requested()).to_vec();
        assert_eq!(panel.state_mut().try_apply_requests(), usize::from(full));
        if !std::mem::replace(&mut full, true) {
            panel.state().fill_disk();
        }
        layers
    });
    (panel, shot, layers)
}

/// Checks that the refused strokes can be undone.
fn check_undo(panel: &mut Panel, [one, two, _]: &[Vec<Layer>; 3]) {
    press(panel, "Fit");
    for before in [two, one] {
        key(panel, Modifiers::COMMAND, Key::Z);
        assert_eq!(saved_layers(&panel.state_mut().apply_requests()), *before);
    }
}

#[test]
fn refused_marks_survive_a_visit_to_another_tab() {
    let (mut panel, shot, layers) = with_refused_strokes();
    press(&mut panel, "Style");
    panel.state().free_disk();
    press(&mut panel, "Canvas");
    assert_eq!(
        saved_layers(&panel.state_mut().apply_requests()),
        layers[2],
        "the marks are saved as soon as possible"
    );
    let of = take(&panel, &shot, 0).id;
    assert_eq!(panel.state().project.art().marks(&shot, &of).unwrap().layers, layers[2]);
    check_undo(&mut panel, &layers);
}

#[test]
fn refused_marks_survive_edits_of_another_picture() {
    let (mut panel, shot, layers) = with_refused_strokes();
    let other = panel.state().shot(ShotKind::Background).id;
    for shot in [&other, &shot] {
        panel.state_mut().panel.select(shot.clone());
        panel.run_steps(2);
        wait_for_objects(&mut panel);
        panel.state_mut().try_apply_requests();
    }
    panel.state().free_disk();
    stroke(&mut panel, &shot, &[(0.8, 0.8)]);
    let requested = panel.state_mut().apply_requests();
    let mask = &saved_layers(&requested)[0].mask;
    let places = [(0.2, 0.1), (0.2, 0.5), (0.2, 0.9), (0.8, 0.8)];
    assert_eq!(places.map(|(x, y)| at(mask, x, y)), [255; 4]);
    key(&mut panel, Modifiers::COMMAND, Key::Z);
    assert_eq!(saved_layers(&panel.state_mut().apply_requests()), layers[2]);
    check_undo(&mut panel, &layers);
}

#[test]
fn refused_marks_survive_a_change_of_the_picture_file() {
    let (mut panel, shot, layers) = with_refused_strokes();
    let first = take(&panel, &shot, 0);
    repaint(&mut panel, &first);
    panel.state().free_disk();
    check_undo(&mut panel, &layers);
}

#[test]
fn marks_refused_many_times_are_not_lost() {
    let (mut panel, shot, _) = with_refused_strokes();
    for x in 1..=8 {
        stroke(&mut panel, &shot, &[(0.1 * x as f32, 0.7)]);
        assert!(panel.state_mut().try_apply_requests() > 0);
    }
    press(&mut panel, "Style");
    panel.state().free_disk();
    press(&mut panel, "Canvas");
    let requested = panel.state_mut().apply_requests();
    let mask = &saved_layers(&requested)[0].mask;
    assert_eq!([(0.2, 0.1), (0.2, 0.9), (0.8, 0.7)].map(|(x, y)| at(mask, x, y)), [255; 3]);
}

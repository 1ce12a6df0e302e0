//! The inspirations and losses of whole pictures.

use bevy_illustrator::{
    panel::Tab,
    project::Action,
    recipe::{BlobId, ImageUse, Inspiration, InspirationKind, Loss, LossKind},
    storyboard::{ShotKind, ShotWords},
};
use egui_kittest::kittest::Queryable;

use super::{canvas::wait_until, support::*};

#[test]
fn a_loss_of_a_shot_is_saved_and_drawn_when_applied_and_its_values_are_shown() {
    let mut panel = open(Fixture::new(story()));
    let shot = panel.state().shot(ShotKind::Background);
    click(&mut panel, &shot);
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Calmer");
    panel.run_steps(2);
    panel.state_mut().controls.lock().unwrap().wait = true;
    scroll_and_press(&mut panel, "Apply and draw");
    let losses = vec![Loss::new(LossKind::TotalVariation)];
    let words = ShotWords { losses, ..ShotWords::default() };
    let id = shot.id.clone();
    let requested = panel.state_mut().apply_requests();
    assert_eq!(requested, [Action::SetWords { shot: id.clone(), words }, Action::Draw(vec![id])]);
    wait_until(&mut panel, |panel| {
        panel.state_mut().poll();
        has(panel, "from 0.75 to 0.12")
    });
    panel.state_mut().controls.lock().unwrap().wait = false;
}

#[test]
fn a_style_image_of_the_story_is_saved_with_its_style() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shown = fixture.shot(ShotKind::Portrait);
    let picture = fixture.project.shown(&shown.id).unwrap().image().unwrap();
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    scroll_and_press(&mut panel, "Inspirations");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Look like this");
    // The picker scrolls into view.
    panel.run_steps(12);
    press(&mut panel, &format!("Use {}", shown.title));
    wait_until(&mut panel, |panel| has(panel, "Remove this inspiration"));
    panel.run_steps(2);
    let all = panel.state().project.board().shots().len();
    assert!(has(&panel, &format!("{all} pictures become stale")));
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::AddImages(images), Action::SetStyle(Some(style))] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    let id = BlobId::of_image(&picture);
    assert_eq!(images.keys().collect::<Vec<_>>(), [&id]);
    let expected = Inspiration::new(InspirationKind::Image(ImageUse::Style, id.clone()));
    assert_eq!(style.inspirations, [expected]);
    let kept = panel.state().project.art().blobs().image(&id).unwrap();
    assert_eq!(*kept, picture);
}

#[test]
fn the_image_of_a_loss_is_saved_with_its_style() {
    let mut fixture = Fixture::new(story());
    fixture.draw_all();
    let shown = fixture.shot(ShotKind::Portrait);
    let picture = fixture.project.shown(&shown.id).unwrap().image().unwrap();
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Like this picture");
    panel.run_steps(12);
    press(&mut panel, &format!("Use {}", shown.title));
    wait_until(&mut panel, |panel| has(panel, "Remove this loss"));
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::AddImages(images), Action::SetStyle(Some(style))] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    let id = BlobId::of_image(&picture);
    assert_eq!(images.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(style.losses, [Loss::new(LossKind::Content(id.clone()))]);
    let kept = panel.state().project.art().blobs().image(&id).unwrap();
    assert_eq!(*kept, picture);
}

#[test]
fn a_loss_without_a_text_cannot_be_applied() {
    let mut fixture = Fixture::new(story());
    fixture.panel.tab = Tab::Style;
    let mut panel = open(fixture);
    scroll_and_press(&mut panel, "Losses");
    panel.run_steps(12);
    scroll_and_press(&mut panel, "Less of this");
    panel.run_steps(2);
    assert!(has(&panel, "the loss Text has an empty text"));
    press(&mut panel, "Apply");
    assert_eq!(panel.state().requested(), []);
    panel.get_by_label("What it shows").focus();
    panel.get_by_label("What it shows").type_text("rain");
    panel.run_steps(2);
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    let rain = Loss::new(LossKind::Text("rain".to_owned()));
    assert_eq!(style.losses, [Loss { unlike: true, ..rain }]);
}

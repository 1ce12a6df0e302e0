//! Inspirations and losses of shots and of the style.

use std::{slice, sync::Arc};

use bevy_illustrator::{
    project::{Action, ProjectError},
    recipe::{BlobId, ImageUse, Images, Inspiration, InspirationKind, Loss, LossKind, Style},
    storyboard::{ShotId, ShotState, ShotWords},
};
use image::{Rgba, RgbaImage};

use super::{
    edits::{edit, takes},
    fixture::ProjectFixture,
};

/// An image, its id and an action that adds it.
fn image(level: u8) -> (BlobId, Action) {
    let image = RgbaImage::from_pixel(8, 8, Rgba([level, 0, 0, 255]));
    let id = BlobId::of_image(&image);
    (id.clone(), Action::AddImages(Images::from([(id, Arc::new(image))])))
}

fn of_image(usage: ImageUse, id: &BlobId) -> Inspiration {
    Inspiration::new(InspirationKind::Image(usage, id.clone()))
}

fn set_words(shot: &ShotId, words: ShotWords) -> Action {
    Action::SetWords { shot: shot.clone(), words }
}

#[test]
fn a_shot_is_drawn_with_the_inspirations_and_losses_of_the_style_and_its_own() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let [(paper, add_paper), (lines, add_lines)] = [image(1), image(2)];
    let [style, outline] = [of_image(ImageUse::Style, &paper), of_image(ImageUse::Outline, &lines)];
    let [calm, night] =
        [LossKind::TotalVariation, LossKind::Text("at night".to_owned())].map(Loss::new);
    let mut of_story = fixture.project.style().clone();
    (of_story.inspirations, of_story.losses) = (vec![style.clone()], vec![calm.clone()]);
    let (inspirations, losses) = (vec![outline.clone()], vec![night.clone()]);
    let words = ShotWords { inspirations, losses, ..ShotWords::default() };
    // Nothing waits for the disk in between.
    for action in [
        add_paper,
        add_lines,
        Action::SetStyle(Some(Box::new(of_story))),
        set_words(&item, words),
        Action::DrawNeeded,
    ] {
        fixture.project.apply(action);
    }
    fixture.wait_until_idle();
    assert!(fixture.states().iter().all(|state| *state == ShotState::Drafted));
    let fixture = fixture.reopened();
    assert!(fixture.states().iter().all(|state| *state == ShotState::Drafted));
    for shot in fixture.project.board().shots() {
        let take = takes(&fixture, &shot.id).pop().unwrap();
        let recipe = take.recipe();
        if shot.id == item {
            assert_eq!(recipe.inspirations, [style.clone(), outline.clone()]);
            assert_eq!(recipe.losses, [calm.clone(), night.clone()]);
        } else {
            assert_eq!(recipe.inspirations, slice::from_ref(&style));
            assert_eq!(recipe.losses, slice::from_ref(&calm));
        }
    }
    for id in [paper, lines] {
        assert!(fixture.root().join(format!("blobs/{id}.png")).exists());
    }
}

#[test]
fn an_edit_follows_the_style_of_its_shot_but_not_its_shapes() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let (id, add) = image(1);
    fixture.apply(add);
    let all = [ImageUse::Style, ImageUse::Scribble, ImageUse::Content, ImageUse::Outline];
    let losses = [LossKind::TotalVariation, LossKind::Latents(id.clone())].map(Loss::new);
    let words = ShotWords {
        inspirations: all.map(|usage| of_image(usage, &id)).to_vec(),
        losses: losses.to_vec(),
        ..ShotWords::default()
    };
    fixture.apply(set_words(&item, words));
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    let first = takes(&fixture, &item).pop().unwrap();
    fixture.apply(edit(&item, &first.id, 1));
    fixture.wait_until_idle();
    let second = takes(&fixture, &item).pop().unwrap();
    assert_eq!(second.parent(), Some(&first.id));
    assert_eq!(second.recipe().inspirations, [of_image(ImageUse::Style, &id)]);
    assert_eq!(second.recipe().losses, losses[..1]);
    // The edit is current until the style of its shot changes.
    fixture.apply(Action::Accept { shot: item.clone(), take: second.id });
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    let losses = vec![Loss::new(LossKind::Saturation(0.1))];
    fixture.apply(set_words(&item, ShotWords { losses, ..ShotWords::default() }));
    assert_eq!(fixture.project.state(&item), ShotState::Stale);
}

#[test]
fn an_invalid_inspiration_or_loss_is_refused_and_changes_nothing() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let text = Inspiration::new(InspirationKind::Text(" ".to_owned()));
    let palette = Loss::new(LossKind::Palette(Vec::new()));
    let mut refuse = |words: ShotWords| fixture.try_apply(set_words(&item, words)).unwrap_err();
    let error = refuse(ShotWords { inspirations: vec![text.clone()], ..ShotWords::default() });
    assert!(matches!(*error, ProjectError::Inspiration(_)), "{error}");
    let error = refuse(ShotWords { losses: vec![palette.clone()], ..ShotWords::default() });
    assert!(matches!(*error, ProjectError::Loss(_)), "{error}");
    let style = fixture.project.style().clone();
    for broken in [
        Style { inspirations: vec![text], ..style.clone() },
        Style { losses: vec![palette], ..style.clone() },
    ] {
        let error = fixture.try_apply(Action::SetStyle(Some(Box::new(broken)))).unwrap_err();
        assert!(matches!(*error, ProjectError::Style(_)), "{error}");
    }
    assert_eq!(*fixture.project.style(), style);
    assert!(fixture.states().iter().all(|state| *state == ShotState::Drafted));
}

#[test]
fn a_shot_whose_image_is_missing_fails_with_its_name() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let (id, _) = image(1);
    let inspirations = vec![of_image(ImageUse::Style, &id)];
    fixture.apply(set_words(&item, ShotWords { inspirations, ..ShotWords::default() }));
    fixture.apply(Action::Draw(vec![item.clone()]));
    fixture.wait_until_idle();
    assert_eq!(fixture.project.state(&item), ShotState::Failed);
    assert!(fixture.error(&item).unwrap().contains(id.as_str()));
}

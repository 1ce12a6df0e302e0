//! Takes on trial.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bevy_illustrator::{
    art::TakeId,
    project::{Action, ProjectError, Update},
    storyboard::ShotState,
};

use super::{
    edits::{edited, takes},
    fixture::ProjectFixture,
};

#[test]
fn a_take_on_trial_is_shown_until_the_trial_ends() {
    let (mut fixture, item, first, second) = edited();
    let try_on = |take: Option<&TakeId>| Action::TryOn { shot: item.clone(), take: take.cloned() };
    let shown = |fixture: &ProjectFixture| fixture.pictures()[&item].clone();
    fixture.apply(try_on(Some(&second.id)));
    fixture.wait_until_idle();
    assert_eq!(shown(&fixture), second.image().unwrap());
    assert_eq!(fixture.project.state(&item), ShotState::Drafted, "nothing is accepted");
    fixture.apply(try_on(None));
    fixture.wait_until_idle();
    assert_eq!(shown(&fixture), first.image().unwrap());
    // The trial also ends when the project is closed, another take is accepted, or this take is discarded.
    fixture.apply(try_on(Some(&second.id)));
    fixture.wait_until_idle();
    let mut fixture = fixture.reopened();
    fixture.wait_until_idle();
    assert_eq!(shown(&fixture), first.image().unwrap());
    for end in [
        Action::Accept { shot: item.clone(), take: first.id.clone() },
        Action::Discard { shot: item.clone(), take: second.id.clone() },
    ] {
        fixture.apply(try_on(Some(&second.id)));
        fixture.wait_until_idle();
        assert_eq!(shown(&fixture), second.image().unwrap());
        fixture.apply(end);
        fixture.wait_until_idle();
        assert_eq!(shown(&fixture), first.image().unwrap());
    }
    let gone = fixture.try_apply(try_on(Some(&second.id)));
    let gone = gone.unwrap_err();
    assert!(matches!(*gone, ProjectError::Art(_)), "{gone}");
}

/// The content of each file in `pictures/`.
fn pictures_folder(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(root.join("pictures")).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_trial_does_not_change_the_pictures_folder() {
    let (mut fixture, item, _, second) = edited();
    let before = pictures_folder(fixture.root());
    let try_on = Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) };
    fixture.apply(try_on.clone());
    fixture.wait_until_idle();
    assert!(pictures_folder(fixture.root()) == before, "during the trial");
    let path = fixture.updates.iter().rev().find_map(|update| match update {
        Update::Picture { shot, path, .. } if *shot == item => Some(path),
        _ => None,
    });
    assert_eq!(path, Some(&second.path), "the update has the path of the take");
    fixture.apply(Action::TryOn { shot: item.clone(), take: None });
    fixture.wait_until_idle();
    assert!(pictures_folder(fixture.root()) == before, "after the trial");

    fixture.apply(try_on);
    fixture.wait_until_idle();
    let ProjectFixture { dir, project, .. } = fixture;
    drop(project);
    assert!(pictures_folder(dir.path()) == before, "after closing the project during a trial");
}

#[test]
fn a_take_drawn_during_a_trial_is_published_and_shown_after_the_trial() {
    let (mut fixture, item, _, second) = edited();
    fixture.apply(Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) });
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.wait_until_idle();
    let third = takes(&fixture, &item)[2].clone();
    assert_eq!(fixture.published(&item), third.image().unwrap());
    assert_eq!(*fixture.pictures()[&item], second.image().unwrap());
    let last = fixture.updates.iter().rev().find_map(|update| match update {
        Update::Published { shot, path } if *shot == item => Some(path),
        _ => None,
    });
    assert_eq!(last, Some(&fixture.project.art().picture_path(&item)));
    fixture.apply(Action::TryOn { shot: item.clone(), take: None });
    fixture.wait_until_idle();
    assert_eq!(*fixture.pictures()[&item], third.image().unwrap());
    // An accepted take is published even if it was shown on trial before.
    fixture.apply(Action::TryOn { shot: item.clone(), take: Some(second.id.clone()) });
    fixture.wait_until_idle();
    fixture.apply(Action::Accept { shot: item.clone(), take: second.id.clone() });
    fixture.wait_until_idle();
    assert_eq!(fixture.published(&item), second.image().unwrap());
    assert_eq!(*fixture.pictures()[&item], second.image().unwrap());
}

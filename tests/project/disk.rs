//! Changes are written to disk without blocking the project.

use std::fs;

use bevy_illustrator::{
    mask::Area,
    project::{Action, ActionId, Update},
    recipe::{Layer, Marks, Style},
    storyboard::{ShotState, ShotWords},
};

use super::{
    common::wait_until,
    edits::{edit, left_half, takes},
    fixture::ProjectFixture,
    held_log::HeldLog,
};

/// Marks that differ for each `n`.
fn marks(n: u32) -> Marks {
    let context = Some(Area { x: n, y: 0, width: 8, height: 8 });
    Marks { layers: vec![Layer::new("sky", left_half().mask)], context }
}

fn is_answer(update: &Update, wanted: ActionId) -> bool {
    matches!(update, Update::Applied { id, .. } if *id == wanted)
}

#[test]
fn a_blocked_disk_does_not_block_apply_and_poll() {
    let mut fixture = ProjectFixture::drawn();
    let item = fixture.item();
    let take = takes(&fixture, &item)[0].id.clone();
    // Setting an unreadable file aside is logged. The disk thread waits there.
    let unreadable = fixture.root().join(format!("parts/{item}/{take}.json"));
    fs::create_dir_all(unreadable.parent().unwrap()).unwrap();
    fs::write(&unreadable, "{").unwrap();
    let blocked = HeldLog::at(unreadable.display().to_string());

    let (shot, name) = (item.clone(), take.clone());
    let marked = fixture.project.apply(Action::SetMarks { shot, take: name, marks: marks(1) });
    let accepted = fixture.project.apply(Action::Accept { shot: item.clone(), take: take.clone() });
    let edited = fixture.project.apply(edit(&item, &take, 1));
    // Actions that do not use the disk thread still work.
    fixture.apply(Action::DrawMore { shot: item.clone(), takes: 1, score: false });
    fixture.poll_until("another take", |project| project.art().takes(&item).len() == 2);
    let waits = |id| !fixture.updates.iter().any(|update| is_answer(update, id));
    assert!([marked, accepted, edited].into_iter().all(waits));
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    assert_eq!(fixture.project.marks(&item, &take).unwrap(), marks(1));

    drop(blocked);
    fixture.wait_until_idle();
    for id in [marked, accepted, edited] {
        assert_eq!(fixture.updates.iter().filter(|update| is_answer(update, id)).count(), 1);
    }
    assert_eq!(takes(&fixture, &item).len(), 3);
    assert_eq!(fixture.project.art().marks(&item, &take).unwrap(), marks(1));
}

#[test]
fn closing_a_project_finishes_all_requests() {
    let mut fixture = ProjectFixture::drawn();
    let (item, portrait) = (fixture.item(), fixture.portrait());
    let take = takes(&fixture, &item)[0].id.clone();
    let gone = takes(&fixture, &portrait)[0].id.clone();
    fixture.apply(Action::Pause(true));
    for n in 0..20 {
        let (shot, take) = (item.clone(), take.clone());
        fixture.project.apply(Action::SetMarks { shot, take, marks: marks(n) });
    }
    let words = ShotWords { seed: Some(7), ..ShotWords::default() };
    for action in [
        edit(&item, &take, 1),
        Action::SetWords { shot: fixture.background(), words: words.clone() },
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::Discard { shot: portrait.clone(), take: gone.clone() },
    ] {
        fixture.project.apply(action);
    }
    let background = fixture.background();
    let mut fixture = fixture.reopened();
    assert_eq!(fixture.project.art().marks(&item, &take).unwrap(), marks(19));
    assert_eq!(fixture.project.art().accepted(&item).unwrap().id, take);
    assert_eq!(fixture.project.art().words()[&background], words);
    assert_eq!(fixture.project.art().discarded(&portrait)[0].id, gone);
    fixture.wait_until_idle();
    assert_eq!(takes(&fixture, &item)[1].parent(), Some(&take));
}

#[test]
fn changes_that_cannot_be_written_are_undone_and_reported() {
    let mut fixture = ProjectFixture::drawn();
    let (item, style) = (fixture.item(), fixture.project.style().clone());
    let take = takes(&fixture, &item)[0].id.clone();
    let unfinished = fixture.root().join(".tmp");
    wait_until("the queue to be saved", || {
        fs::read(fixture.root().join("queue.json")).is_ok_and(|bytes| bytes == b"[]")
    });
    wait_until("an empty folder", || fs::remove_dir(&unfinished).is_ok());
    fs::write(&unfinished, "in the way").unwrap();
    let chalk = Style { words: "chalk".to_owned(), ..style.clone() };
    for action in [
        Action::SetStyle(Some(Box::new(chalk))),
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::SetMarks { shot: item.clone(), take: take.clone(), marks: marks(1) },
    ] {
        let error = fixture.try_apply(action).unwrap_err();
        assert!(error.to_string().contains(".tmp"), "{error}");
    }
    assert_eq!(fixture.project.style(), &style);
    assert_eq!(fixture.states(), [ShotState::Drafted; 3]);
    assert_eq!(fixture.project.marks(&item, &take).unwrap(), Marks::default());
    fs::remove_file(&unfinished).unwrap();
    fixture.apply(Action::Accept { shot: item.clone(), take });
    let fixture = fixture.reopened();
    assert_eq!(fixture.project.state(&item), ShotState::Accepted);
    assert_eq!(fixture.project.style(), &style);
}

//! What is decided comes to the disk without holding up anybody.

use std::fs;

use bevy_illustrator::{
    mask::Area,
    project::{Action, ActionId, Update},
    recipe::{Layer, Marks, Style},
    storyboard::{ShotState, ShotWords},
};

use super::{
    bench::Bench,
    edits::{edit, left_half, takes},
};

/// Marks that can be told apart by `n`.
fn marks(n: u32) -> Marks {
    let context = Some(Area { x: n, y: 0, width: 8, height: 8 });
    Marks { layers: vec![Layer::new("sky", left_half().mask)], context }
}

fn is_answer(update: &Update, wanted: ActionId) -> bool {
    matches!(update, Update::Applied { id, .. } if *id == wanted)
}

#[cfg(unix)]
#[test]
fn a_disk_that_hangs_holds_up_neither_apply_nor_poll() {
    let mut bench = Bench::drawn();
    let item = bench.item();
    let take = takes(&bench, &item)[0].id.clone();
    // Reading a pipe that nobody writes to hangs.
    let pipe = bench.root().join(format!("parts/{item}/{take}.json"));
    fs::create_dir_all(pipe.parent().unwrap()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (release, released) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let _ = released.recv_timeout(std::time::Duration::from_secs(20));
        fs::write(pipe, "").unwrap();
    });

    let (shot, name) = (item.clone(), take.clone());
    let marked = bench.project.apply(Action::SetMarks { shot, take: name, marks: marks(1) });
    let accepted = bench.project.apply(Action::Accept { shot: item.clone(), take: take.clone() });
    let edited = bench.project.apply(edit(&item, &take, 1));
    // What needs no disk thread goes on meanwhile.
    bench.apply(Action::DrawMore { shot: item.clone(), takes: 1 });
    bench.poll_until("another take", |project| project.art().takes(&item).len() == 2);
    let waits = |id| !bench.updates.iter().any(|update| is_answer(update, id));
    assert!([marked, accepted, edited].into_iter().all(waits));
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    assert_eq!(bench.project.marks(&item, &take).unwrap(), marks(1));

    release.send(()).unwrap();
    writer.join().unwrap();
    bench.settle();
    for id in [marked, accepted, edited] {
        assert_eq!(bench.updates.iter().filter(|update| is_answer(update, id)).count(), 1);
    }
    assert_eq!(takes(&bench, &item).len(), 3);
    assert_eq!(bench.project.art().marks(&item, &take).unwrap(), marks(1));
}

#[test]
fn a_project_that_closes_finishes_what_was_asked_for() {
    let mut bench = Bench::drawn();
    let (item, portrait) = (bench.item(), bench.portrait());
    let take = takes(&bench, &item)[0].id.clone();
    let gone = takes(&bench, &portrait)[0].id.clone();
    bench.apply(Action::Pause(true));
    for n in 0..20 {
        let (shot, take) = (item.clone(), take.clone());
        bench.project.apply(Action::SetMarks { shot, take, marks: marks(n) });
    }
    let words = ShotWords { seed: Some(7), ..ShotWords::default() };
    for action in [
        edit(&item, &take, 1),
        Action::SetWords { shot: bench.background(), words: words.clone() },
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::Discard { shot: portrait.clone(), take: gone.clone() },
    ] {
        bench.project.apply(action);
    }
    let background = bench.background();
    let mut bench = bench.reopened();
    assert_eq!(bench.project.art().marks(&item, &take).unwrap(), marks(19));
    assert_eq!(bench.project.art().accepted(&item).unwrap().id, take);
    assert_eq!(bench.project.art().words()[&background], words);
    assert_eq!(bench.project.art().discarded(&portrait)[0].id, gone);
    bench.settle();
    assert_eq!(takes(&bench, &item)[1].parent(), Some(&take));
}

#[test]
fn what_cannot_be_written_is_taken_back_and_said() {
    let mut bench = Bench::drawn();
    let (item, style) = (bench.item(), bench.project.style().clone());
    let take = takes(&bench, &item)[0].id.clone();
    let unfinished = bench.root().join(".tmp");
    fs::remove_dir(&unfinished).unwrap();
    fs::write(&unfinished, "in the way").unwrap();
    let chalk = Style { words: "chalk".to_owned(), ..style.clone() };
    for action in [
        Action::SetStyle(Some(Box::new(chalk))),
        Action::Accept { shot: item.clone(), take: take.clone() },
        Action::SetMarks { shot: item.clone(), take: take.clone(), marks: marks(1) },
    ] {
        let error = bench.try_apply(action).unwrap_err();
        assert!(error.to_string().contains(".tmp"), "{error}");
    }
    assert_eq!(bench.project.style(), &style);
    assert_eq!(bench.states(), [ShotState::Drafted; 3]);
    assert_eq!(bench.project.marks(&item, &take).unwrap(), Marks::default());
    fs::remove_file(&unfinished).unwrap();
    bench.apply(Action::Accept { shot: item.clone(), take });
    let bench = bench.reopened();
    assert_eq!(bench.project.state(&item), ShotState::Accepted);
    assert_eq!(bench.project.style(), &style);
}

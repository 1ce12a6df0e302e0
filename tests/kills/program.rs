//! The program that is killed: it changes a project, and reports each operation and the facts after it.

use std::{io::Write, path::Path, time::Duration};

use bevy_illustrator::{art::TakeId, project::Project, storyboard::ShotId};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    common::{Fakes, apply, story},
    facts::{Fact, Facts, Operation, facts},
};

/// A line of the program's output.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The facts after the last operation was answered.
    Facts(Facts),
    /// The next operation.
    Begins(Operation),
}

/// Changes the project of an art folder until the process is killed.
pub fn run(root: &Path, seed: u64) -> ! {
    let fakes = Fakes::default();
    fakes.slow(Duration::from_micros(300));
    let mut project = Project::open(story(), root, fakes.registry()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    loop {
        let facts = facts(&project);
        let next = operation(&project, &facts, &mut random);
        report(&Report::Facts(facts));
        report(&Report::Begins(next.clone()));
        let action = next.action(&project);
        apply(&mut project, action, &mut Vec::new()).unwrap();
    }
}

fn report(report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap();
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line).unwrap();
    stdout.flush().unwrap();
}

/// A random operation that is possible.
fn operation(project: &Project, facts: &Facts, random: &mut ChaCha8Rng) -> Operation {
    let of = |fact: &Fact| match fact {
        Fact::Take(shot, take, _) => Some((shot.clone(), take.clone())),
        _ => None,
    };
    let takes: Vec<(ShotId, TakeId)> = facts.iter().filter_map(of).collect();
    let of = |fact: &Fact| match fact {
        Fact::Discarded(shot, take, _) => Some((shot.clone(), take.clone())),
        _ => None,
    };
    let discarded: Vec<(ShotId, TakeId)> = facts.iter().filter_map(of).collect();
    let shot = project.board().shots().choose(random).unwrap().id.clone();
    let take = takes.choose(random).cloned();
    let number = random.random_range(0..1000);
    match (random.random_range(0..20), take, discarded.choose(random).cloned()) {
        (3..6, ..) => Operation::DrawMore(shot),
        (6..9, Some((shot, take)), _) => Operation::Edit(shot, take),
        (9..11, Some((shot, take)), _) => Operation::Accept(shot, take),
        (11..13, Some((shot, take)), _) => Operation::Discard(shot, take),
        (13..15, _, Some((shot, take))) => Operation::Restore(shot, take),
        (15..17, Some((shot, take)), _) => {
            Operation::SetMarks(shot, take, format!("layer {number}"))
        }
        (17, ..) => Operation::SetSeed(shot, number),
        (18, ..) => Operation::SetStyle(format!("style {number}")),
        (19, ..) => Operation::CancelAll,
        _ => Operation::DrawNeeded,
    }
}

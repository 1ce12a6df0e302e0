//! The state of a project as a set of facts, and the operations that change it.

use std::collections::BTreeSet;

use bevy_illustrator::{
    art::{Take, TakeId},
    mask::{Area, Mask},
    project::{Action, Project},
    recipe::{EditKind, Layer, Marks, Part, PartEdit, RecipeId, Style},
    storyboard::{ShotId, ShotWords},
};
use serde::{Deserialize, Serialize};

/// Something that must not be lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fact {
    Take(ShotId, TakeId, RecipeId),
    Discarded(ShotId, TakeId, RecipeId),
    Accepted(ShotId, TakeId),
    Seed(ShotId, u64),
    Style(String),
    /// The name of the only layer.
    Marks(ShotId, TakeId, String),
    Job(ShotId, RecipeId),
}

pub type Facts = BTreeSet<Fact>;

/// A change of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Operation {
    DrawNeeded,
    DrawMore(ShotId),
    Edit(ShotId, TakeId),
    Accept(ShotId, TakeId),
    Discard(ShotId, TakeId),
    Restore(ShotId, TakeId),
    SetSeed(ShotId, u64),
    SetStyle(String),
    SetMarks(ShotId, TakeId, String),
    CancelAll,
}

/// The facts of a project.
pub fn facts(project: &Project) -> Facts {
    let art = project.art();
    let mut facts = Facts::new();
    for shot in project.board().shots().iter().map(|shot| &shot.id) {
        for Take { id, provenance, .. } in art.takes(shot) {
            facts.insert(Fact::Take(shot.clone(), id.clone(), provenance.recipe.id()));
            // A take without marks of its own has those of its parent.
            if art.has_marks(shot, id) {
                let marks = project.marks(shot, id).unwrap();
                let names = marks.layers.into_iter().map(|layer| layer.name);
                facts.extend(names.map(|name| Fact::Marks(shot.clone(), id.clone(), name)));
            }
        }
        for Take { id, provenance, .. } in art.discarded(shot) {
            facts.insert(Fact::Discarded(shot.clone(), id.clone(), provenance.recipe.id()));
        }
        let accepted = art.accepted(shot).map(|take| take.id.clone());
        facts.extend(accepted.map(|take| Fact::Accepted(shot.clone(), take)));
        let seed = art.words().get(shot).and_then(|words| words.seed);
        facts.extend(seed.map(|seed| Fact::Seed(shot.clone(), seed)));
    }
    facts.extend(art.style().map(|style| Fact::Style(style.words.clone())));
    let jobs = project.studio().jobs().into_iter().map(|view| view.job);
    facts.extend(jobs.map(|job| Fact::Job(job.shot, job.recipe.id())));
    facts
}

/// The part of an edit: the left half of a picture.
fn part() -> Part {
    Part::new(
        "left",
        Mask::rectangle(32, 16, Area { x: 0, y: 0, width: 16, height: 16 }),
        PartEdit { words: "a moon".to_owned(), ..PartEdit::new(EditKind::Replace) },
    )
}

impl Operation {
    pub fn action(&self, project: &Project) -> Action {
        match self.clone() {
            Self::DrawNeeded => Action::DrawNeeded,
            Self::DrawMore(shot) => Action::DrawMore { shot, takes: 2, score: false },
            Self::Edit(shot, take) => Action::Edit {
                shot,
                take,
                picture: None,
                parts: vec![part()],
                context: None,
                takes: 1,
                score: false,
            },
            Self::Accept(shot, take) => Action::Accept { shot, take },
            Self::Discard(shot, take) => Action::Discard { shot, take },
            Self::Restore(shot, take) => Action::Restore { shot, take },
            Self::SetSeed(shot, seed) => {
                let words = ShotWords { seed: Some(seed), ..ShotWords::default() };
                Action::SetWords { shot, words }
            }
            Self::SetStyle(words) => {
                Action::SetStyle(Some(Box::new(Style { words, ..project.style().clone() })))
            }
            Self::SetMarks(shot, take, name) => {
                let layers = vec![Layer::new(name, part().mask)];
                Action::SetMarks { shot, take, marks: Marks { layers, context: None } }
            }
            Self::CancelAll => Action::CancelAll,
        }
    }
}

/// Checks that each difference between the last reported facts and those of the reopened project was caused by the
/// operation that was not answered yet, if there is one, or by the queue.
pub fn check(
    reported: &Facts,
    reopened: &Facts,
    unanswered: Option<&Operation>,
) -> Result<(), String> {
    let is_drawn = |recipe: &RecipeId| {
        reopened.iter().any(|fact| match fact {
            Fact::Take(.., drawn) | Fact::Discarded(.., drawn) => drawn == recipe,
            _ => false,
        })
    };
    let unexplained_loss = |fact: &&Fact| {
        use Operation as Op;
        let is_explained = match (fact, unanswered) {
            (Fact::Take(shot, take, recipe), Some(Op::Discard(of, discarded))) => {
                let moved = Fact::Discarded(shot.clone(), take.clone(), recipe.clone());
                (shot, take) == (of, discarded) && reopened.contains(&moved)
            }
            (Fact::Discarded(shot, take, recipe), Some(Op::Restore(of, restored))) => {
                let moved = Fact::Take(shot.clone(), take.clone(), recipe.clone());
                (shot, take) == (of, restored) && reopened.contains(&moved)
            }
            // The marks of a discarded take are kept, but only takes have facts about them.
            (
                Fact::Accepted(shot, take) | Fact::Marks(shot, take, _),
                Some(Op::Discard(of, discarded)),
            ) => (shot, take) == (of, discarded),
            (Fact::Accepted(shot, _), Some(Op::Accept(of, take))) => {
                shot == of && reopened.contains(&Fact::Accepted(of.clone(), take.clone()))
            }
            (Fact::Seed(shot, _), Some(Op::SetSeed(of, seed))) => {
                shot == of && reopened.contains(&Fact::Seed(of.clone(), *seed))
            }
            (Fact::Style(_), Some(Op::SetStyle(words))) => {
                reopened.contains(&Fact::Style(words.clone()))
            }
            (Fact::Marks(shot, take, _), Some(Op::SetMarks(of, marked, name))) => {
                let marks = Fact::Marks(of.clone(), marked.clone(), name.clone());
                (shot, take) == (of, marked) && reopened.contains(&marks)
            }
            // A job that was drawn has a take. A job whose shot has changed, or that was cancelled, is removed.
            (Fact::Job(..), Some(Op::SetSeed(..) | Op::SetStyle(_) | Op::CancelAll)) => true,
            (Fact::Job(_, recipe), _) => is_drawn(recipe),
            _ => false,
        };
        !is_explained
    };
    let unexplained_gain = |fact: &&Fact| {
        use Operation as Op;
        let is_explained = match (fact, unanswered) {
            (Fact::Take(..), _) | (Fact::Job(..), Some(Op::DrawNeeded)) => true,
            (Fact::Discarded(shot, take, _), Some(Op::Discard(of, moved)))
            | (Fact::Accepted(shot, take), Some(Op::Accept(of, moved) | Op::Restore(of, moved)))
            | (
                Fact::Marks(shot, take, _),
                Some(Op::Restore(of, moved) | Op::SetMarks(of, moved, _)),
            ) => (shot, take) == (of, moved),
            (Fact::Seed(shot, seed), Some(Op::SetSeed(of, new))) => (shot, seed) == (of, new),
            (Fact::Style(style), Some(Op::SetStyle(words))) => style == words,
            (Fact::Job(shot, _), Some(Op::DrawMore(of) | Op::Edit(of, _))) => shot == of,
            _ => false,
        };
        !is_explained
    };
    let lost = reported.difference(reopened).filter(unexplained_loss).collect::<Vec<_>>();
    let gained = reopened.difference(reported).filter(unexplained_gain).collect::<Vec<_>>();
    if lost.is_empty() && gained.is_empty() {
        return Ok(());
    }
    Err(format!("lost: {lost:?}\ngained: {gained:?}\nunanswered operation: {unanswered:?}"))
}

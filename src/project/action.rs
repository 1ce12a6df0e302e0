//! What can be done to a project.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{ActionId, Project, ProjectError, Reply, Request, Update, refuse_faults};
use crate::{
    art::TakeId,
    edit::EditError,
    mask::Area,
    recipe::{Marks, Part, PictureEdit, Recipe, Style},
    story::check::check_style,
    storyboard::{Shot, ShotId, ShotWords},
    studio::{Job, JobId},
};

/// Something to do to a project: what a [`Request`] asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Draw everything that is missing, stale or failed, in story order.
    DrawNeeded,
    /// Draw these if they are missing, stale or failed, in front of what waits. Everything of theirs that failed is
    /// tried again, edits and further takes too.
    Draw(Vec<ShotId>),
    /// Draw `takes` more takes of a shot's recipe, in front of what waits.
    DrawMore {
        /// The shot.
        shot: ShotId,
        /// How many.
        takes: u32,
    },
    /// Draw parts of a take anew, in front of what waits. What comes of it are takes of the shot, which the
    /// game shows when one is accepted.
    Edit {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
        /// The [`picture_hash`](crate::recipe::part::picture_hash) of the picture that the parts were marked on, to
        /// have the edit refused if the file shows another by now.
        picture: Option<String>,
        /// The parts, the uppermost first. What is in none of them is kept.
        parts: Vec<Part>,
        /// What of the picture the networks see, in pixels; chosen for them if there is none.
        context: Option<Area>,
        /// How many takes.
        takes: u32,
    },
    /// Do the edit that made a take to the pictures that other shots show, in front of what waits. What was
    /// marked is looked for there: see [`Objects::find_similar`](crate::mask::objects::Objects::find_similar). Where nothing looks
    /// like it, and for what was added or has a rough shape, the place in the picture counts. A thread looks at
    /// each picture, which takes about as long as it takes to click at an object for the first time; the jobs come
    /// into the queue after that. Until they are drawn, fail or are cancelled, this outlives the program.
    PropagateEdit {
        /// The shot.
        shot: ShotId,
        /// The take, which an edit made.
        take: TakeId,
        /// The other shots.
        others: Vec<ShotId>,
    },
    /// Keep what the author marked on a take, and says of it.
    SetMarks {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
        /// The parts, and what of the picture the model sees.
        marks: Marks,
    },
    /// Accept a take: it is what the game shows.
    Accept {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Have the game show a take for now, before it is accepted; `None` ends that, and so does accepting
    /// or putting away any take of the shot, or closing the project. `pictures/`, which a game ships, stays as
    /// it is: a game that loads files from there by their paths does not see it.
    TryOn {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: Option<TakeId>,
    },
    /// Put a take away.
    Discard {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Bring a take back that was put away.
    Restore {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Change words by hand; the default value returns to the story's.
    SetWords {
        /// The shot.
        shot: ShotId,
        /// The words.
        words: ShotWords,
    },
    /// Change the style; `None` returns to the story's.
    SetStyle(Option<Box<Style>>),
    /// Keep these keys, bound otherwise than usual; see `Keymap::changes` of the canvas.
    SetKeys(BTreeMap<String, Vec<String>>),
    /// Hold the drawing (`true`) or let it go on.
    Pause(bool),
    /// Draw this one next.
    MoveToFront(JobId),
    /// Cancel one job.
    Cancel(JobId),
    /// Cancel all jobs, and what is looked for to become one.
    CancelAll,
}

impl Project {
    /// Does something. [`Self::poll`] returns one [`Update::Applied`] with this id, which says what came of it.
    pub fn apply(&mut self, request: impl Into<Request>) -> ActionId {
        let Request { id, action } = request.into();
        let marked = match &action {
            Action::SetMarks { shot, take, .. } => Some((shot.clone(), take.clone())),
            _ => None,
        };
        let result = self.perform(action).map_err(Arc::new);
        if result.is_ok() {
            self.revision += 1;
            let marked = marked.map(|(shot, take)| Update::Marked { id, shot, take });
            self.updates.extend(marked);
        }
        self.updates.push(Update::Applied { id, result });
        id
    }

    fn perform(&mut self, action: Action) -> Result<Reply, ProjectError> {
        match action {
            Action::DrawNeeded => {
                let needed = self.needed().map(|shot| shot.id.clone()).collect::<Vec<_>>();
                return Ok(Reply { jobs: self.draw(&needed, false) });
            }
            Action::Draw(shots) => {
                shots.iter().try_for_each(|shot| self.shot(shot).map(drop))?;
                let again = shots.iter().flat_map(|id| self.failed_jobs(id)).collect();
                let mut jobs = self.enqueue(again, true);
                jobs.splice(0..0, self.draw(&shots, true));
                return Ok(Reply { jobs });
            }
            Action::DrawMore { shot, takes } => {
                let recipe = self.shot(&shot)?.recipe.clone();
                return Ok(Reply { jobs: self.queue(&[(shot, recipe)], takes, true) });
            }
            Action::Edit { shot, take, picture, parts, context, takes } => {
                let recipe = self.edit_recipe(&shot, &take, parts, context)?;
                let is_it = |edit: &PictureEdit| picture.is_none_or(|hash| hash == edit.picture);
                if !recipe.edit.as_ref().is_some_and(is_it) {
                    return Err(EditError::OtherPicture.into());
                }
                return Ok(Reply { jobs: self.queue(&[(shot, recipe)], takes, true) });
            }
            Action::PropagateEdit { shot, take, others } => {
                self.search(&shot, &take, &others)?;
            }
            Action::SetMarks { shot, take, marks } => {
                self.art.set_marks(&shot, &take, &marks)?;
            }
            Action::Accept { shot, take } => {
                self.art.accept(&shot, &take)?;
                self.tried.remove(&shot);
                self.refresh_shot(&shot);
            }
            Action::TryOn { shot, take } => {
                if let Some(take) = take {
                    self.art.take(&shot, &take)?;
                    self.tried.insert(shot.clone(), take);
                } else {
                    self.tried.remove(&shot);
                }
                self.refresh_shot(&shot);
            }
            Action::Discard { shot, take } => {
                self.art.discard(&shot, &take)?;
                self.tried.remove(&shot);
                self.refresh_shot(&shot);
            }
            Action::Restore { shot, take } => {
                self.art.restore(&shot, &take)?;
                self.refresh_shot(&shot);
            }
            Action::SetWords { shot, words } => {
                self.shot(&shot)?;
                self.art.set_words(&shot, words)?;
                self.replan();
            }
            Action::SetStyle(style) => {
                let style = style.map(|style| *style);
                refuse_faults(style.as_ref().map(check_style).unwrap_or_default())
                    .map_err(ProjectError::Style)?;
                self.art.set_style(style)?;
                self.replan();
            }
            Action::SetKeys(keys) => self.art.set_keys(keys)?,
            Action::Pause(paused) => self.studio.set_paused(paused),
            Action::MoveToFront(job) => self.studio.move_to_front(job),
            Action::Cancel(job) => self.cancel(job),
            Action::CancelAll => {
                self.art.set_pending_propagations(BTreeMap::new())?;
                self.searches.clear();
                self.studio.cancel_all();
                let shots = self.jobs.drain().map(|(shot, _)| shot).collect::<Vec<_>>();
                shots.iter().for_each(|shot| self.refresh_shot(shot));
            }
        }
        Ok(Reply::default())
    }

    pub(super) fn shot(&self, id: &ShotId) -> Result<&Shot, ProjectError> {
        self.board.shot(id).ok_or_else(|| ProjectError::NoSuchShot(id.clone()))
    }

    /// Queues those of the shots that need a picture. One whose picture was drawn but not published is only
    /// published again.
    fn draw(&mut self, shots: &[ShotId], front: bool) -> Vec<JobId> {
        let mut wanted = Vec::new();
        for id in shots {
            let Some(shot) = self.board.shot(id).filter(|shot| self.needs_picture(shot)) else {
                continue;
            };
            if self.statuses.failure(id).is_some_and(|failure| failure.recipe.is_none()) {
                self.clear_failure(id);
                self.refresh_shot(id);
            } else {
                wanted.push((id.clone(), shot.recipe.clone()));
            }
        }
        self.queue(&wanted, 1, front)
    }

    /// Queues the next takes of these recipes in this order, behind all others or in front of those that
    /// wait.
    pub(super) fn queue(
        &mut self,
        wanted: &[(ShotId, Recipe)],
        takes: u32,
        front: bool,
    ) -> Vec<JobId> {
        let next_takes = |(id, recipe): &(ShotId, Recipe)| {
            let first = self.next_take(id, recipe);
            let numbers = first..first.saturating_add(takes);
            numbers.map(|number| (id.clone(), recipe.with_take(number))).collect::<Vec<_>>()
        };
        self.enqueue(wanted.iter().flat_map(next_takes).collect(), front)
    }

    /// Queues pictures in this order.
    fn enqueue(&mut self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        let shots = pictures.iter().map(|(shot, _)| shot.clone()).collect::<BTreeSet<_>>();
        // Before the worker sees the jobs: what they come to must not be forgotten.
        shots.iter().for_each(|shot| self.clear_failure(shot));
        let ids = self.studio.push(pictures.clone(), front);
        for (&id, (shot, recipe)) in ids.iter().zip(pictures) {
            let jobs = self.jobs.entry(shot.clone()).or_default();
            // What is wanted twice at once is one job.
            if jobs.iter().all(|job| job.id != id) {
                jobs.push(Job { id, shot, recipe: recipe.into() });
            }
        }
        shots.iter().for_each(|shot| self.refresh_shot(shot));
        ids
    }

    /// The number of the next take of a recipe: after those that are drawn, were put away or are queued.
    fn next_take(&self, id: &ShotId, recipe: &Recipe) -> u32 {
        let queued = self.jobs.get(id).into_iter().flatten();
        let queued = queued.filter(|job| job.recipe.same_but_take(recipe));
        let after_queued = queued.map(|job| job.recipe.take.saturating_add(1)).max().unwrap_or(0);
        self.art.next_take(id, recipe).max(after_queued)
    }

    fn cancel(&mut self, job: JobId) {
        self.studio.cancel(job);
        let shot =
            self.jobs.values().flatten().find(|other| other.id == job).map(|job| job.shot.clone());
        if let Some(shot) = shot {
            self.forget_job(&shot, job);
            self.refresh_shot(&shot);
        }
    }
}

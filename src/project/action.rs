//! Operations on a project.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    ActionId, Project, ProjectError, Reply, Request, Update,
    disk::{Direction, Done},
    edits::{EditPurpose, EditTask},
    refuse_faults,
};
use crate::{
    art::{ArtError, MarksSource, Take, TakeId},
    mask::Area,
    recipe::{Canvas, Images, Inspiration, Loss, Marks, Part, Recipe, Style},
    story::check::check_style,
    storyboard::{Shot, ShotId, ShotWords},
    studio::{Job, JobId},
};

/// An operation on a project. A [`Request`] contains one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Draw all shots that are missing, stale or failed, in story order.
    DrawNeeded,
    /// Draw all shots that are missing or stale, in story order, except those that failed with the same recipe.
    DrawNew,
    /// Draw these shots if they are missing, stale or failed, before all queued jobs. All their failed jobs are tried
    /// again, including edits and further takes.
    Draw(Vec<ShotId>),
    /// Remove the failed jobs of these shots.
    ClearFailures(Vec<ShotId>),
    /// Draw `takes` more takes of a shot's recipe, before all queued jobs.
    DrawMore {
        /// The shot.
        shot: ShotId,
        /// The number of takes.
        takes: u32,
        /// Whether the takes are scored: see [`Recipe::score`].
        score: bool,
    },
    /// Edit parts of a take, before all queued jobs. Each result is a take of the shot. The game shows it once it is
    /// accepted. If the story changes before the edit is queued, the reply has no jobs: see
    /// [`Project::set_story`].
    Edit {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
        /// The [`picture_hash`](crate::recipe::picture_hash) of the picture that the parts were marked on. If the file
        /// has another picture by now, the edit fails. `None` skips this check.
        picture: Option<String>,
        /// The parts, from top to bottom. Pixels outside of all parts are kept.
        parts: Vec<Part>,
        /// The area of the picture that the model sees, in pixels. `None` selects it automatically.
        context: Option<Area>,
        /// The number of takes.
        takes: u32,
        /// Whether losses only score the takes, and do not steer them: see [`Recipe::score`].
        score: bool,
    },
    /// Put a take on a larger canvas, and draw parts of it, as [`Action::Edit`]: see [`Part::margins`] for outpainting, and
    /// [`Part::whole`] for upscaling.
    Enlarge {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
        /// The canvas.
        canvas: Canvas,
        /// The parts, from top to bottom, of the size of the canvas. Pixels outside of all parts are kept.
        parts: Vec<Part>,
        /// As [`PictureEdit::tiled`](crate::recipe::PictureEdit::tiled).
        tiled: bool,
        /// The number of takes.
        takes: u32,
    },
    /// Repeat the edit of a take on the pictures of other shots, before all queued jobs.
    ///
    /// A thread searches each picture for the edited parts: see
    /// [`Objects::find_similar`](crate::mask::objects::Objects::find_similar). A part that is not found is edited at
    /// the same place. So are added parts and parts with a scribble. The jobs are queued after the search, which takes
    /// about as long as the first click on an object. A propagation survives restarts until its jobs are drawn, fail or
    /// are cancelled.
    PropagateEdit {
        /// The shot.
        shot: ShotId,
        /// The edited take.
        take: TakeId,
        /// The other shots.
        others: Vec<ShotId>,
    },
    /// Save the author's marks on a take.
    SetMarks {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
        /// The marks.
        marks: Marks,
    },
    /// Accept a take. The game then shows it.
    Accept {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Show a take in the game without accepting it: a trial. `None` ends the trial. It also ends if a take of the shot
    /// is accepted or discarded, or the project is closed. `pictures/` does not change, so a game that loads files from
    /// there by path does not show the take.
    TryOn {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: Option<TakeId>,
    },
    /// Move a take to `discarded/`.
    Discard {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Move a discarded take back.
    Restore {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// Save images in the art folder, so that the inspirations and losses of a style or a shot can refer to them. Later
    /// actions may refer to them at once.
    AddImages(Images),
    /// Set the author's words for a shot. The default value returns to the story's words.
    SetWords {
        /// The shot.
        shot: ShotId,
        /// The words.
        words: ShotWords,
    },
    /// Set the style. `None` returns to the story's style.
    SetStyle(Option<Box<Style>>),
    /// Save the changed key bindings: see `Keymap::changes` of the canvas.
    SetKeys(BTreeMap<String, Vec<String>>),
    /// Save the folders whose models the panel lists.
    SetModelFolders(Vec<String>),
    /// Pause drawing (`true`) or resume it (`false`).
    Pause(bool),
    /// Draw this job next.
    MoveToFront(JobId),
    /// Cancel a job.
    Cancel(JobId),
    /// Cancel all jobs, edits and propagations, also those that the story does not need at the moment.
    CancelAll,
}

impl Project {
    /// Performs an action without waiting for the disk. [`Self::poll`] returns one [`Update::Applied`] with the id of
    /// the request and the result, once all changes are on disk.
    pub fn apply(&mut self, request: impl Into<Request>) -> ActionId {
        let Request { id, action } = request.into();
        match self.perform(id, action) {
            Ok(Some(reply)) => self.answer(Some(id), Ok(reply)),
            // The disk thread answers.
            Ok(None) => self.revision += 1,
            Err(error) => self.answer(Some(id), Err(Arc::new(error))),
        }
        id
    }

    /// Performs an action. Returns `None` if the reply comes later.
    fn perform(&mut self, id: ActionId, action: Action) -> Result<Option<Reply>, ProjectError> {
        let mut jobs = Vec::new();
        match action {
            Action::DrawNeeded => {
                let needed = self.needed().map(|shot| shot.id.clone()).collect::<Vec<_>>();
                jobs = self.draw(&needed, false);
            }
            Action::DrawNew => {
                let new = self.needed().filter(|shot| !self.has_failed(shot));
                let new = new.map(|shot| shot.id.clone()).collect::<Vec<_>>();
                jobs = self.draw(&new, false);
            }
            Action::ClearFailures(shots) => {
                for shot in shots {
                    self.studio.forget_failed(&shot);
                    self.refresh_shot(&shot);
                }
            }
            Action::Draw(shots) => {
                shots.iter().try_for_each(|shot| self.shot(shot).map(drop))?;
                let failed: Vec<_> = shots.iter().flat_map(|id| self.failed_jobs(id)).collect();
                let is_retried = |shot: &Shot| {
                    failed.iter().any(|(id, recipe)| {
                        *id == shot.id && recipe.edit.is_none() && recipe.is_wanted_by(&shot.recipe)
                    })
                };
                let is_other = |id: &&ShotId| !self.board.shot(id).is_some_and(is_retried);
                let others = shots.iter().filter(is_other).cloned().collect::<Vec<_>>();
                // Queued together, so that the worker starts with the first of them.
                let mut pictures = self.missing_pictures(&others);
                pictures.extend(failed);
                jobs = self.enqueue(pictures, true);
            }
            Action::DrawMore { shot, takes, score } => {
                let recipe = Recipe { score, ..self.shot(&shot)?.recipe.clone() };
                jobs = self.queue(&[(shot, recipe)], takes, true);
            }
            Action::Edit { shot, take, picture, parts, context, takes, score } => {
                let draft = self.draft(&shot, &take)?.with_score(score);
                let task = EditTask::new(EditPurpose::Request { id, takes }, draft, parts);
                self.edits.insert(id);
                self.disk.prepare_edit(EditTask { context, picture, ..task });
                return Ok(None);
            }
            Action::Enlarge { shot, take, canvas, parts, tiled, takes } => {
                let draft = self.draft(&shot, &take)?;
                let task = EditTask::new(EditPurpose::Request { id, takes }, draft, parts);
                self.edits.insert(id);
                self.disk.prepare_edit(EditTask { canvas: Some(canvas), tiled, ..task });
                return Ok(None);
            }
            Action::PropagateEdit { shot, take, others } => {
                self.propagate(Some(id), &shot, &take, &others)?;
                return Ok(None);
            }
            Action::SetMarks { shot, take, marks } => {
                self.art.take(&shot, &take)?;
                self.unwritten_marks.insert((shot.clone(), take.clone()), (id, marks.clone()));
                self.disk.write_marks(id, shot, take, marks);
                return Ok(None);
            }
            Action::Accept { shot, take } => {
                self.art.take(&shot, &take)?;
                self.trials.remove(&shot);
                let accepted = (shot.clone(), take);
                self.change_ledger(Some(id), move |ledger| {
                    let (shot, take) = accepted.clone();
                    ledger.accepted.insert(shot, take);
                });
                self.refresh_shot(&shot);
                return Ok(None);
            }
            Action::TryOn { shot, take } => {
                if let Some(take) = take {
                    self.art.take(&shot, &take)?;
                    self.trials.insert(shot.clone(), take);
                } else {
                    self.trials.remove(&shot);
                }
                self.refresh_shot(&shot);
            }
            Action::Discard { shot, take } => {
                let take = self.art.take(&shot, &take)?.clone();
                self.disk.move_take(id, Direction::Discard, take);
                return Ok(None);
            }
            Action::Restore { shot, take } => {
                let take = self.art.discarded_take(&shot, &take)?.clone();
                self.disk.move_take(id, Direction::Restore, take);
                return Ok(None);
            }
            Action::AddImages(images) => {
                self.art.blobs().keep(images);
                self.disk.write_images(id);
                return Ok(None);
            }
            Action::SetWords { shot, words } => {
                self.shot(&shot)?;
                Inspiration::check_all(&words.inspirations)?;
                Loss::check_all(&words.losses)?;
                self.change_ledger(Some(id), move |ledger| {
                    if words == ShotWords::default() {
                        ledger.words.remove(&shot);
                    } else {
                        ledger.words.insert(shot.clone(), words.clone());
                    }
                });
                self.replan();
                return Ok(None);
            }
            Action::SetStyle(style) => {
                let style = style.map(|style| *style);
                refuse_faults(style.as_ref().map(check_style).unwrap_or_default())
                    .map_err(ProjectError::Style)?;
                self.change_ledger(Some(id), move |ledger| ledger.style.clone_from(&style));
                self.replan();
                return Ok(None);
            }
            Action::SetKeys(keys) => {
                self.change_ledger(Some(id), move |ledger| ledger.keys.clone_from(&keys));
                return Ok(None);
            }
            Action::SetModelFolders(folders) => {
                self.change_ledger(Some(id), move |ledger| {
                    ledger.model_folders.clone_from(&folders);
                });
                return Ok(None);
            }
            Action::Pause(paused) => self.studio.set_paused(paused),
            Action::MoveToFront(job) => self.studio.move_to_front(job),
            Action::Cancel(job) => self.cancel(job),
            Action::CancelAll => {
                self.searches.clear();
                self.edits.clear();
                self.studio.cancel_all();
                let shots = self.jobs.drain().map(|(shot, _)| shot).collect::<Vec<_>>();
                shots.iter().for_each(|shot| self.refresh_shot(shot));
                self.change_ledger(Some(id), |ledger| ledger.propagations.clear());
                return Ok(None);
            }
        }
        Ok(Some(Reply { jobs }))
    }

    /// Handles the finished tasks of the disk thread.
    pub(super) fn handle_disk_results(&mut self) {
        for done in self.disk.take() {
            match done {
                Done::Ledger { revision, ledger, result } => {
                    self.ledger_done(revision, ledger, result);
                }
                Done::Marks { shot, take, ids, result } => {
                    if let (Some(&id), Ok(())) = (ids.last(), &result) {
                        let (shot, take) = (shot.clone(), take.clone());
                        self.updates.push(Update::Marked { id, shot, take });
                    }
                    let key = (shot, take);
                    // Newer marks may not be written yet.
                    if self.unwritten_marks.get(&key).is_some_and(|(id, _)| ids.contains(id)) {
                        self.unwritten_marks.remove(&key);
                    }
                    let result = result.map(|()| Reply::default()).map_err(Arc::new);
                    ids.into_iter().for_each(|id| self.answer(Some(id), result.clone()));
                }
                Done::Moved { id, direction, shot, take, result } => {
                    let result =
                        result.map(|moved| self.handle_moved(direction, shot, &take, *moved));
                    self.answer(Some(id), result.map(|()| Reply::default()).map_err(Arc::new));
                }
                Done::Edit { purpose, shot, result } => self.edit_done(purpose, shot, result),
                Done::Images { id, result } => {
                    self.answer(Some(id), result.map(|()| Reply::default()).map_err(Arc::new));
                }
            }
        }
    }

    /// Handles a take that was moved to `discarded/` or back.
    fn handle_moved(&mut self, direction: Direction, shot: ShotId, take: &TakeId, moved: Take) {
        match direction {
            Direction::Discard => {
                self.art.enter_discarded(moved);
                self.trials.remove(&shot);
                if self.art.ledger().accepted.get(&shot) == Some(take) {
                    let shot = shot.clone();
                    self.change_ledger(None, move |ledger| drop(ledger.accepted.remove(&shot)));
                }
            }
            Direction::Restore => self.art.enter_restored(moved),
        }
        self.refresh_shot(&shot);
    }

    /// The author's marks on a take, including those that are not on disk yet. Reads and decodes files.
    ///
    /// # Errors
    /// See [`Art::marks`](crate::art::Art::marks).
    pub fn marks(&self, shot: &ShotId, take: &TakeId) -> Result<Marks, ArtError> {
        self.marks_source(shot, take)?.read()
    }

    /// The source of [`Self::marks`]. Nothing is read.
    pub(crate) fn marks_source(
        &self,
        shot: &ShotId,
        take: &TakeId,
    ) -> Result<MarksSource, ArtError> {
        self.art.marks_source(shot, take, |take| {
            let key = (shot.clone(), take.clone());
            self.unwritten_marks.get(&key).map(|(_, marks)| marks.clone())
        })
    }

    pub(super) fn shot(&self, id: &ShotId) -> Result<&Shot, ProjectError> {
        self.board.shot(id).ok_or_else(|| ProjectError::NoSuchShot(id.clone()))
    }

    /// Queues pictures for those of the shots that need one.
    fn draw(&mut self, shots: &[ShotId], front: bool) -> Vec<JobId> {
        let pictures = self.missing_pictures(shots);
        self.enqueue(pictures, front)
    }

    /// The pictures that these shots need. A picture that was drawn but could not be published is published again.
    fn missing_pictures(&mut self, shots: &[ShotId]) -> Vec<(ShotId, Recipe)> {
        let mut wanted = Vec::new();
        for id in shots {
            let Some(shot) = self.board.shot(id).filter(|shot| self.needs_picture(shot)) else {
                continue;
            };
            if self.lacks_picture(shot) {
                wanted.push((id.clone(), shot.recipe.clone()));
            } else {
                self.statuses.publish_again(id);
                self.refresh_shot(id);
            }
        }
        self.next_takes(&wanted, 1)
    }

    /// Queues the next takes of these recipes in this order, before or after all queued jobs.
    fn queue(&mut self, wanted: &[(ShotId, Recipe)], takes: u32, front: bool) -> Vec<JobId> {
        let pictures = self.next_takes(wanted, takes);
        self.enqueue(pictures, front)
    }

    /// The next takes of these recipes.
    pub(super) fn next_takes(
        &self,
        wanted: &[(ShotId, Recipe)],
        takes: u32,
    ) -> Vec<(ShotId, Recipe)> {
        let next_takes = |(id, recipe): &(ShotId, Recipe)| {
            let first = self.next_take(id, recipe);
            let numbers = first..first.saturating_add(takes);
            numbers.map(|number| (id.clone(), recipe.with_take(number))).collect::<Vec<_>>()
        };
        wanted.iter().flat_map(next_takes).collect()
    }

    /// Queues pictures in this order.
    pub(super) fn enqueue(&mut self, pictures: Vec<(ShotId, Recipe)>, front: bool) -> Vec<JobId> {
        let shots = pictures.iter().map(|(shot, _)| shot.clone()).collect::<BTreeSet<_>>();
        let ids = self.studio.push(pictures.clone(), front);
        for (&id, (shot, recipe)) in ids.iter().zip(pictures) {
            let jobs = self.jobs.entry(shot.clone()).or_default();
            // A picture that is listed twice has one job.
            if jobs.iter().all(|job| job.id != id) {
                jobs.push(Job { id, shot, recipe: recipe.into() });
            }
        }
        shots.iter().for_each(|shot| self.refresh_shot(shot));
        ids
    }

    /// The number of the next take of a recipe, after all drawn, discarded and queued ones.
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
            self.remove_job(&shot, job);
            self.refresh_shot(&shot);
        }
    }
}

//! A project: a story and its illustrations. It combines storyboard, art and studio. The Bevy plugin and the command
//! line both use it.
//!
//! Every operation on a project is an [`Action`], and every event in it is an [`Update`]. [`Project::apply`] and
//! [`Project::poll`] do not block: other threads draw, read, write, encode, decode and hash. [`Update::Applied`]
//! answers an action once its changes are on disk.

mod action;
mod answer;
mod defaults;
mod disk;
mod edits;
mod ledger;
mod panics;
mod propagate;
mod publisher;
mod request;
mod status;
mod update;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::Arc,
};

use crate::{
    art::{Art, ArtError, Take, TakeId, picture_file::EncodeError},
    edit::EditError,
    generator::GeneratorRegistry,
    model::ModelDefaults,
    recipe::{InspirationError, LossError, Marks, Recipe, Style},
    story::{
        Story,
        check::{StoryFault, check, check_style},
    },
    storyboard::{Shot, ShotId, ShotState, Storyboard},
    studio::{Job, JobError, Resume, StartError, Studio},
};

pub use action::Action;
pub use request::{ActionId, ActionResult, Reply, Request};
pub use update::Update;

use answer::WaitingAnswer;
use defaults::DefaultsCache;
use disk::DiskThread;
use ledger::PendingChanges;
use propagate::Search;
use publisher::Publisher;
use status::Statuses;

#[cfg(feature = "plugin")]
use bevy::prelude::Resource;

/// A story and its illustrations.
#[derive(Debug)]
#[cfg_attr(feature = "plugin", derive(Resource))]
pub struct Project {
    story: Story,
    board: Storyboard,
    defaults: DefaultsCache,
    studio: Studio,
    publisher: Publisher,
    disk: DiskThread,
    art: Art,
    pending_changes: PendingChanges,
    /// Marks that are not on disk yet, with the last request that set them.
    unwritten_marks: HashMap<(ShotId, TakeId), (ActionId, Marks)>,
    /// Requested edits that are not queued yet.
    edits: HashSet<ActionId>,
    /// The style of [`Self::open_with`], which is not saved.
    temporary_style: Option<Style>,
    /// The studio's jobs, by shot.
    jobs: HashMap<ShotId, Vec<Job>>,
    statuses: Statuses,
    /// The running searches of propagated edits.
    searches: Vec<Search>,
    /// The shots whose pictures are sent as [`Update::Picture`].
    watched: HashSet<ShotId>,
    /// Takes on trial: the game shows them instead of the files in `pictures/`.
    trials: HashMap<ShotId, TakeId>,
    /// The answers that wait until the queue is saved.
    waiting_answers: Vec<WaitingAnswer>,
    /// Updates for the next [`Self::poll`].
    updates: Vec<Update>,
    revision: u64,
}

/// An error of a project.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The story has faults.
    #[error("the story has {} fault(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Story(Vec<StoryFault>),
    /// The style has faults.
    #[error("the style has {} fault(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Style(Vec<StoryFault>),
    /// An operation on the art folder failed.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// An edit is invalid.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// An inspiration of a shot is invalid.
    #[error(transparent)]
    Inspiration(#[from] InspirationError),
    /// A loss of a shot is invalid.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// The pictures of an edit could not be read back.
    #[error(transparent)]
    Unwritable(#[from] EncodeError),
    /// The take to propagate is not an edit.
    #[error("take {take} of shot {shot} is not an edit: choose a take that is")]
    NoEdit {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// The draw policy of the game is [`DrawPolicy::Off`](crate::plugin::DrawPolicy::Off).
    #[cfg(feature = "plugin")]
    #[error(
        "this game draws nothing because its draw policy is `DrawPolicy::Off`: use `DrawPolicy::OnRequest` to draw"
    )]
    DrawingOff,
    /// A background task panicked.
    #[error("a background task panicked, please report this bug: {0}")]
    Panicked(String),
    /// A job failed.
    #[error(transparent)]
    Job(Arc<JobError>),
    /// An edit could not be propagated to a shot.
    #[error("the edit cannot be propagated to this shot: {0}")]
    Propagation(Arc<ProjectError>),
    /// The shot has no picture to edit.
    #[error("shot {0} has no picture to edit: draw it first")]
    NoPicture(ShotId),
    /// A worker thread could not be started.
    #[error("cannot start the worker thread: {0}")]
    Thread(io::Error),
    /// The storyboard has no shot with this id.
    #[error("the storyboard has no shot `{0}`: `illustrate plan` lists them")]
    NoSuchShot(ShotId),
}

impl From<StartError> for ProjectError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Queue(error) => Self::Art(error),
            StartError::Thread(error) => Self::Thread(error),
        }
    }
}

impl Project {
    /// Opens the art folder of a story, plans its storyboard and starts the studio. Saved jobs are queued again if
    /// the storyboard still needs them. Failed jobs still mark their shots as failed.
    ///
    /// # Errors
    /// If the story or the style has faults other than warnings, the art folder cannot be opened, its ledger or queue
    /// cannot be read at the moment, or a thread cannot be started.
    pub fn open(
        story: Story,
        art_folder: impl Into<PathBuf>,
        registry: GeneratorRegistry,
    ) -> Result<Self, ProjectError> {
        Self::open_styled(story, art_folder.into(), registry, |_| None)
    }

    /// Like [`Self::open`], but with a temporary style, which `restyle` computes from the saved one. The saved style
    /// does not change, and its queued jobs stay queued for a later start.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn open_with(
        story: Story,
        art_folder: impl Into<PathBuf>,
        registry: GeneratorRegistry,
        restyle: impl FnOnce(&Style) -> Style,
    ) -> Result<Self, ProjectError> {
        Self::open_styled(story, art_folder.into(), registry, |style| Some(restyle(style)))
    }

    fn open_styled(
        story: Story,
        art_folder: PathBuf,
        registry: GeneratorRegistry,
        restyle: impl FnOnce(&Style) -> Option<Style>,
    ) -> Result<Self, ProjectError> {
        let story = story.with_composed_names();
        refuse_faults(check(&story)).map_err(ProjectError::Story)?;
        let art = Art::open(art_folder)?;
        let kept = art.style().unwrap_or(&story.style);
        let temporary_style = restyle(kept);
        let style = temporary_style.as_ref().unwrap_or(kept);
        refuse_faults(check_style(style)).map_err(ProjectError::Style)?;
        let defaults = DefaultsCache::new(registry.clone());
        let sized = |style: &Style| style.with_sizes_of(&defaults.get(&style.model));
        let board = Storyboard::plan(&story, &sized(style), art.words());
        let publisher = Publisher::start(art.writer()).map_err(ProjectError::Thread)?;
        let disk = DiskThread::start(art.writer()).map_err(ProjectError::Thread)?;
        let kept_board =
            temporary_style.as_ref().map(|_| Storyboard::plan(&story, &sized(kept), art.words()));
        let resume = |shot: &ShotId, recipe: &Recipe| {
            // If the program is killed between saving a take and saving the queue, the job is still in the queue.
            if art.with_discarded(shot).any(|take| take.recipe() == recipe) {
                Resume::Forget
            } else if needs_recipe(&board, shot, recipe) {
                Resume::Draw
            } else if kept_board.as_ref().is_some_and(|kept| needs_recipe(kept, shot, recipe))
                // Only the queue has the author's words for an edit. This story may be the wrong one.
                || recipe.edit.is_some()
            {
                Resume::Leave
            } else {
                Resume::Forget
            }
        };
        let studio = Studio::start(registry, art.writer(), resume)?;
        let mut jobs = HashMap::<_, Vec<_>>::new();
        for view in studio.jobs() {
            jobs.entry(view.job.shot.clone()).or_default().push(view.job);
        }
        let mut project = Self {
            story,
            board,
            defaults,
            studio,
            publisher,
            disk,
            pending_changes: PendingChanges::new(Arc::new(art.ledger().clone())),
            unwritten_marks: HashMap::new(),
            edits: HashSet::new(),
            art,
            temporary_style,
            jobs,
            statuses: Statuses::default(),
            watched: HashSet::new(),
            searches: Vec::new(),
            trials: HashMap::new(),
            waiting_answers: Vec::new(),
            updates: vec![Update::Planned],
            revision: 0,
        };
        project.apply_board(&Storyboard::default());
        if project.temporary_style.is_none() {
            project.resume_propagations();
        }
        Ok(project)
    }

    /// Replaces the story and plans its storyboard. Pictures are kept. Queued jobs that the new storyboard does not need
    /// are cancelled. Edits among them stay in the queue file, and are queued again once the storyboard needs them. New
    /// words and styles have the same effect.
    ///
    /// # Errors
    /// If the story has faults other than warnings. The project then keeps the old story.
    pub fn set_story(&mut self, story: Story) -> Result<(), ProjectError> {
        let story = story.with_composed_names();
        refuse_faults(check(&story)).map_err(ProjectError::Story)?;
        self.story = story;
        self.replan();
        Ok(())
    }

    /// The story.
    #[must_use]
    pub fn story(&self) -> &Story {
        &self.story
    }

    /// The current style: the temporary one of [`Self::open_with`], else the author's, else the story's.
    #[must_use]
    pub fn style(&self) -> &Style {
        self.temporary_style.as_ref().or(self.art.style()).unwrap_or(&self.story.style)
    }

    /// The default settings of a model. The files of a model are read only once.
    #[must_use]
    pub fn defaults(&self, model: &str) -> ModelDefaults {
        self.defaults.get(model)
    }

    /// The storyboard.
    #[must_use]
    pub fn board(&self) -> &Storyboard {
        &self.board
    }

    /// The art folder.
    #[must_use]
    pub fn art(&self) -> &Art {
        &self.art
    }

    /// The studio.
    #[must_use]
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// A counter that increases on every visible change: of the storyboard, a state, a take, words, the style or
    /// the queue. Steps of the running job do not count. A view can cache its results until the counter changes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether all work is done: there are no jobs, no [searches](Self::is_searched) and no pending writes, and all
    /// pictures are [published](Self::is_published).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
            && self.searches.is_empty()
            && self.waiting_answers.is_empty()
            && self.disk.is_idle()
            && self.is_published()
    }

    /// Whether the picture of a shot is being searched for [`Action::PropagateEdit`].
    #[must_use]
    pub fn is_searched(&self, shot: &ShotId) -> bool {
        self.searches.iter().any(|search| search.is_for(shot))
    }

    /// Whether all pictures are published and read, and [`Self::poll`] has returned all updates.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.updates.is_empty() && self.publisher.is_idle()
    }

    /// The state of a shot. A shot that is not on the storyboard is orphaned.
    #[must_use]
    pub fn state(&self, shot: &ShotId) -> ShotState {
        self.statuses.state(shot)
    }

    /// The take that the game shows for a shot: the one [on trial](Action::TryOn), else that of [`Art::shown`], whose
    /// copy is in `pictures/`.
    #[must_use]
    pub fn shown(&self, shot: &ShotId) -> Option<&Take> {
        let trial = self.trials.get(shot).and_then(|take| self.art.take(shot, take).ok());
        let recipe = self.board.shot(shot).map(|shot| &shot.recipe);
        trial.or_else(|| self.art.shown(shot, recipe))
    }

    /// The take on trial: see [`Action::TryOn`].
    #[must_use]
    pub fn trial(&self, shot: &ShotId) -> Option<&TakeId> {
        self.trials.get(shot)
    }

    /// The error of a shot in [`ShotState::Failed`].
    #[must_use]
    pub fn error(&self, shot: &ShotId) -> Option<Arc<ProjectError>> {
        match self.state(shot) {
            ShotState::Failed => self.board.shot(shot).and_then(|shot| self.failure(shot)),
            _ => None,
        }
    }

    /// Shots with takes that are not on the storyboard.
    pub fn orphans(&self) -> impl Iterator<Item = &ShotId> {
        self.art.shots().filter(|id| self.board.shot(id).is_none())
    }

    /// Shots that are missing, stale or failed, except those where only an edit failed.
    pub fn needed(&self) -> impl Iterator<Item = &Shot> {
        self.board.shots().iter().filter(|shot| self.needs_picture(shot))
    }

    /// Plans the storyboard again from story, style and words.
    fn replan(&mut self) {
        let style = self.style().with_sizes_of(&self.defaults(&self.style().model));
        let board = Storyboard::plan(&self.story, &style, self.art.words());
        let before = std::mem::replace(&mut self.board, board);
        self.apply_board(&before);
        self.updates.push(Update::Planned);
    }
}

impl Drop for Project {
    /// Writes all pending changes, and queues all requested edits.
    fn drop(&mut self) {
        while !self.disk.is_idle() {
            self.disk.finish();
            self.handle_disk_results();
        }
        for update in &self.updates {
            if let Update::Applied { result: Err(error), .. } = update {
                log::error!("{error}");
            }
        }
    }
}

/// Whether the storyboard needs takes of a recipe. Edits of the shot's pictures count as needed.
fn needs_recipe(board: &Storyboard, shot: &ShotId, recipe: &Recipe) -> bool {
    board.shot(shot).is_some_and(|shot| recipe.is_wanted_by(&shot.recipe))
}

/// Returns the faults that are not warnings as an error.
pub(crate) fn refuse_faults(mut faults: Vec<StoryFault>) -> Result<(), Vec<StoryFault>> {
    faults.retain(|fault| !fault.is_warning());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

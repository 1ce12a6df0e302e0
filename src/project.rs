//! A project: one story being illustrated. It joins storyboard, art and studio, and is what the Bevy
//! plugin and the command line both drive.
//!
//! Everything that a person or a program can do to it is an [`Action`]; everything that happens in it is an
//! [`Update`]. [`Project::apply`] and [`Project::poll`] wait neither for drawing nor for the disk: threads read, write,
//! encode, decode and hash. An action is answered by [`Update::Applied`] when what it changes is on disk.

mod action;
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
    art::{Art, ArtError, Take, TakeId},
    edit::EditError,
    generator::GeneratorRegistry,
    model::ModelDefaults,
    recipe::{Marks, Recipe, Style},
    story::{
        Story,
        check::{StoryFault, check, check_style},
    },
    storyboard::{Shot, ShotId, ShotState, Storyboard},
    studio::{Job, JobError, Resume, Studio},
};

pub use action::Action;
pub use request::{ActionId, ActionResult, Reply, Request};
pub use update::Update;

use defaults::DefaultsCache;
use disk::DiskThread;
use ledger::PendingChanges;
use propagate::Search;
use publisher::Publisher;
use status::Statuses;

#[cfg(feature = "plugin")]
use bevy::prelude::Resource;

/// One story being illustrated.
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
    /// Marks that are not on disk yet, with the request that set them last.
    unwritten_marks: HashMap<(ShotId, TakeId), (ActionId, Marks)>,
    /// The edits that are not jobs yet.
    edits: HashSet<ActionId>,
    /// The style of [`Self::open_with`], for as long as the project is open.
    style_for_now: Option<Style>,
    /// The studio's jobs, by shot.
    jobs: HashMap<ShotId, Vec<Job>>,
    statuses: Statuses,
    /// Edits that are being looked for in other pictures.
    searches: Vec<Search>,
    /// The shots whose pictures are sent.
    watched: HashSet<ShotId>,
    /// Takes that the author tries on: the game shows them instead of the files in `pictures/`.
    tried: HashMap<ShotId, TakeId>,
    /// What the next [`Self::poll`] tells first.
    updates: Vec<Update>,
    revision: u64,
}

/// Why an action or a story was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The story has faults.
    #[error("the story has {} fault(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Story(Vec<StoryFault>),
    /// The style has faults.
    #[error("the style has {} fault(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Style(Vec<StoryFault>),
    /// The art folder refused.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// An edit makes no sense.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Only the edit of an edited take can be propagated.
    #[error("take {take} of shot {shot} was made by no edit: name one that was")]
    NoEdit {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
    /// The game has [`DrawPolicy::Off`](crate::plugin::DrawPolicy::Off).
    #[cfg(feature = "plugin")]
    #[error(
        "this game draws nothing because its draw policy is `DrawPolicy::Off`: use `DrawPolicy::OnRequest` to draw"
    )]
    DrawingOff,
    /// Background work panicked: a fault of this program.
    #[error("this program has a fault, please report it: {0}")]
    Panicked(String),
    /// A job failed.
    #[error(transparent)]
    Job(Arc<JobError>),
    /// The same edit could not be started on another shot when the project was opened.
    #[error("the same edit is not done here: {0}")]
    Propagation(Arc<ProjectError>),
    /// There is nothing to edit.
    #[error("shot {0} has no picture to edit: draw it first")]
    NoPicture(ShotId),
    /// No worker thread could be started.
    #[error("cannot start the worker thread: {0}")]
    Thread(io::Error),
    /// The storyboard has no such shot.
    #[error("the storyboard has no shot `{0}`: `illustrate plan` lists them")]
    NoSuchShot(ShotId),
}

impl Project {
    /// Opens the art folder of a story, plans its storyboard and starts the studio. Jobs that stood in
    /// the queue when the folder was last closed go on, unless nothing asks for them any more; those that
    /// had failed stand on their shots as failed.
    ///
    /// # Errors
    /// When the story or the style has faults that are no warnings, the art folder cannot be opened, or
    /// the system gives no thread.
    pub fn open(
        story: Story,
        art_folder: impl Into<PathBuf>,
        registry: GeneratorRegistry,
    ) -> Result<Self, ProjectError> {
        Self::open_styled(story, art_folder.into(), registry, |_| None)
    }

    /// As [`Self::open`], in a style for as long as the project is open: what `restyle` makes of the
    /// style in force. Nothing that the author keeps is changed, and what waits in another style goes on waiting.
    ///
    /// # Errors
    /// As [`Self::open`].
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
        refuse_faults(check(&story)).map_err(ProjectError::Story)?;
        let art = Art::open(art_folder)?;
        let kept = art.style().unwrap_or(&story.style);
        let style_for_now = restyle(kept);
        let style = style_for_now.as_ref().unwrap_or(kept);
        refuse_faults(check_style(style)).map_err(ProjectError::Style)?;
        let defaults = DefaultsCache::new(registry.clone());
        let sized = |style: &Style| style.with_sizes_of(&defaults.get(&style.model));
        let board = Storyboard::plan(&story, &sized(style), art.words());
        let publisher = Publisher::start(art.writer()).map_err(ProjectError::Thread)?;
        let disk = DiskThread::start(art.writer()).map_err(ProjectError::Thread)?;
        let kept_board =
            style_for_now.as_ref().map(|_| Storyboard::plan(&story, &sized(kept), art.words()));
        let resume = |shot: &ShotId, recipe: &Recipe| {
            // A kill between writing a take and writing the queue leaves jobs that are done.
            if art.takes(shot).iter().any(|take| take.recipe() == recipe) {
                Resume::Forget
            } else if is_asked_for(&board, shot, recipe) {
                Resume::Draw
            } else if kept_board.as_ref().is_some_and(|kept| is_asked_for(kept, shot, recipe)) {
                Resume::Leave
            } else {
                Resume::Forget
            }
        };
        let studio = Studio::start(registry, art.writer(), resume).map_err(ProjectError::Thread)?;
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
            pending_changes: PendingChanges::to(Arc::new(art.ledger().clone())),
            unwritten_marks: HashMap::new(),
            edits: HashSet::new(),
            art,
            style_for_now,
            jobs,
            statuses: Statuses::default(),
            watched: HashSet::new(),
            searches: Vec::new(),
            tried: HashMap::new(),
            updates: vec![Update::Planned],
            revision: 0,
        };
        project.apply_board(&Storyboard::default());
        if project.style_for_now.is_none() {
            project.resume_propagations();
        }
        Ok(project)
    }

    /// Takes a changed story: plans anew and keeps every picture. Queued jobs whose recipe is no
    /// longer asked for are cancelled.
    ///
    /// # Errors
    /// When the story has faults that are no warnings; the old one stays then.
    pub fn set_story(&mut self, story: Story) -> Result<(), ProjectError> {
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

    /// The style in force: that of [`Self::open_with`], else the author's, else the story's.
    #[must_use]
    pub fn style(&self) -> &Style {
        self.style_for_now.as_ref().or(self.art.style()).unwrap_or(&self.story.style)
    }

    /// How a model draws unless the author says otherwise. A model's files are read once while the project is open.
    #[must_use]
    pub fn defaults(&self, model: &str) -> ModelDefaults {
        self.defaults.get(model)
    }

    /// The storyboard.
    #[must_use]
    pub fn board(&self) -> &Storyboard {
        &self.board
    }

    /// The art.
    #[must_use]
    pub fn art(&self) -> &Art {
        &self.art
    }

    /// The studio.
    #[must_use]
    pub fn studio(&self) -> &Studio {
        &self.studio
    }

    /// Grows whenever anything changes that a view would show: the plan, a state, takes, words, the
    /// style, the queue or whether it is paused; not with each step of the job under way. What a view
    /// worked out still holds for as long as this stays the same.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether all that was asked for is done: no job waits or is under way, nothing [is looked
    /// for](Self::is_searched), and all [is published](Self::is_published).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
            && self.searches.is_empty()
            && self.disk.is_idle()
            && self.is_published()
    }

    /// Whether the picture of a shot is just being looked at for [`Action::PropagateEdit`].
    #[must_use]
    pub fn is_searched(&self, shot: &ShotId) -> bool {
        self.searches.iter().any(|search| search.is_for(shot))
    }

    /// Whether every picture that is there is published, or [tried on](Action::TryOn), and was told by
    /// [`Self::poll`].
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.updates.is_empty() && self.publisher.is_idle()
    }

    /// Where a shot stands; one that the storyboard does not have is orphaned.
    #[must_use]
    pub fn state(&self, shot: &ShotId) -> ShotState {
        self.statuses.state(shot)
    }

    /// The take that the game shows for a shot, if there is any: the one [tried on](Action::TryOn), else
    /// what [`Art::shown`] says, which is what lies in `pictures/`.
    #[must_use]
    pub fn shown(&self, shot: &ShotId) -> Option<&Take> {
        let tried = self.tried.get(shot).and_then(|take| self.art.take(shot, take).ok());
        let recipe = self.board.shot(shot).map(|shot| &shot.recipe);
        tried.or_else(|| self.art.shown(shot, recipe))
    }

    /// The take that the game shows on trial, see [`Action::TryOn`].
    #[must_use]
    pub fn trial(&self, shot: &ShotId) -> Option<&TakeId> {
        self.tried.get(shot)
    }

    /// Why a shot failed, if its state is [`ShotState::Failed`].
    #[must_use]
    pub fn error(&self, shot: &ShotId) -> Option<Arc<ProjectError>> {
        match self.state(shot) {
            ShotState::Failed => self.board.shot(shot).and_then(|shot| self.failure(shot)),
            _ => None,
        }
    }

    /// Shots with pictures that nothing in the story asks for any more.
    pub fn orphans(&self) -> impl Iterator<Item = &ShotId> {
        self.art.shots().filter(|id| self.board.shot(id).is_none())
    }

    /// Shots that are missing, stale or failed; not those of whose pictures only an edit failed.
    pub fn needed(&self) -> impl Iterator<Item = &Shot> {
        self.board.shots().iter().filter(|shot| self.needs_picture(shot))
    }

    /// Works the storyboard out anew from story, style and words.
    fn replan(&mut self) {
        let style = self.style().with_sizes_of(&self.defaults(&self.style().model));
        let board = Storyboard::plan(&self.story, &style, self.art.words());
        let before = std::mem::replace(&mut self.board, board);
        self.apply_board(&before);
        self.updates.push(Update::Planned);
    }
}

impl Drop for Project {
    /// Finishes what was asked for: what was decided is written, and edits come into the queue.
    fn drop(&mut self) {
        while !self.disk.is_idle() {
            self.disk.finish();
            self.take_done();
        }
        for update in &self.updates {
            if let Update::Applied { result: Err(error), .. } = update {
                log::error!("{error}");
            }
        }
    }
}

/// Whether a storyboard asks for takes of a recipe, or it is an edit of a picture of the shot.
fn is_asked_for(board: &Storyboard, shot: &ShotId, recipe: &Recipe) -> bool {
    board.shot(shot).is_some_and(|shot| recipe.is_wanted_by(&shot.recipe))
}

/// Lets warnings pass.
pub(crate) fn refuse_faults(mut faults: Vec<StoryFault>) -> Result<(), Vec<StoryFault>> {
    faults.retain(|fault| !fault.is_warning());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

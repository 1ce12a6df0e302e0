//! Data that all parts of the panel share during a frame.

use super::{
    image_request::{ImageReply, ImageRequest, ImageSource},
    overview::Overview,
    selection::{Selection, Tab},
    thumbnails::Thumbnails,
};
use crate::{
    art::{Take, TakeId},
    project::{Action, ActionId, Project, Request},
    storyboard::ShotId,
    studio::{JobId, JobView},
};

/// Data that all parts of the panel share during a frame: the project, which is read only, and the author's requests so
/// far.
pub(super) struct PanelContext<'a> {
    pub project: &'a Project,
    pub overview: &'a Overview,
    pub thumbnails: &'a mut dyn Thumbnails,
    /// The job that is being drawn.
    pub current: Option<JobView>,
    /// Whether key presses are meant for the panel: it was clicked last, and no text field has the focus.
    pub has_keys: bool,
    /// The tab to open after this frame.
    pub next_tab: Option<Tab>,
    pub requests: Vec<Request>,
    /// The images that the image picker asks for.
    pub image_requests: Vec<ImageRequest>,
}

impl<'a> PanelContext<'a> {
    /// Requests an action. [`PanelState::receive`](super::PanelState::receive) processes the answer.
    pub fn request(&mut self, action: Action) -> ActionId {
        let request = Request::new(action);
        let id = request.id;
        self.requests.push(request);
        id
    }

    /// Requests an image from outside the story.
    pub fn request_image(&mut self, source: ImageSource) -> ImageReply {
        let (request, reply) = ImageRequest::new(source);
        self.image_requests.push(request);
        reply
    }

    /// The completed and the total steps, if this shot is being drawn.
    pub fn steps_of(&self, shot: &ShotId) -> Option<(u32, u32)> {
        let view = self.current.as_ref().filter(|view| view.job.shot == *shot)?;
        view.progress.as_ref().map(|progress| (progress.done, progress.of))
    }

    /// The number of jobs ahead of the shot's first job in the queue.
    pub fn queue_place(&self, shot: &ShotId) -> Option<usize> {
        self.overview.queue_place(shot)
    }

    /// The first job of a shot.
    pub fn job_of(&self, shot: &ShotId) -> Option<JobId> {
        self.queue_place(shot).map(|place| self.overview.jobs[place].id)
    }

    /// The take to show for a shot: the selected take, or else the take that the game shows. Ignores candidates on
    /// trial.
    pub fn viewed_take(&self, selection: &Selection, shot: &ShotId) -> Option<&'a Take> {
        let (art, board) = (self.project.art(), self.project.board());
        let selected = |take: &TakeId| art.take(shot, take).ok();
        let recipe = board.shot(shot).map(|shot| &shot.recipe);
        selection.take.as_ref().and_then(selected).or_else(|| art.shown(shot, recipe))
    }
}

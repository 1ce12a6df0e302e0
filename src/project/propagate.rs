//! Looks for the parts of an edit in other pictures. A thread of its own looks at each of them, which takes many frames.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use image::RgbaImage;

use super::{
    ProjectError,
    edits::{Draft, EditPurpose, EditTask},
    panics::catch,
};
use crate::{
    art::Take,
    mask::objects::Objects,
    recipe::{EditKind, Part, PictureEdit},
    storyboard::ShotId,
    studio::lower_priority,
};

/// A search for the parts of an edit in other pictures.
#[derive(Debug)]
pub(super) struct Search {
    /// The shots whose pictures are left.
    shots: Vec<ShotId>,
    /// Behind a lock only so that the project can be a resource.
    results: Mutex<Receiver<Found>>,
}

/// The result for one picture.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) shot: ShotId,
    pub(super) edit: Result<EditTask, ProjectError>,
}

impl Search {
    /// Starts to look for what `edit` changed in the picture of `parent`, if that can still be read.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        edit: PictureEdit,
        parent: Option<Take>,
        drafts: Vec<Draft>,
    ) -> io::Result<Self> {
        let (sender, results) = channel();
        let shots = drafts.iter().map(|draft| draft.take.shot.clone()).collect();
        Builder::new().name("illustrator-search".to_owned()).spawn(move || {
            lower_priority();
            let parent = edit.parts.iter().any(can_be_found).then_some(parent).flatten();
            let look =
                || Ok(parent.and_then(|take| take.image().ok()).map(|it| Objects::detect(&it)));
            // Without the objects of the first picture, each part is put at the same place.
            let marked = catch(look).unwrap_or_else(|error| {
                log::error!("{error}");
                None
            });
            for draft in drafts {
                let shot = draft.take.shot.clone();
                let edit = catch(|| propagated(&edit, marked.as_ref(), draft));
                // The receiver is gone when everything was cancelled or the project closed.
                if sender.send(Found { shot, edit }).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { shots, results: Mutex::new(results) })
    }

    /// The results since the last call, and whether the search goes on. A thread that ended before it came to a
    /// picture has failed there.
    pub(super) fn take(&mut self) -> (Vec<Found>, bool) {
        let receiver = self.results.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        let goes_on = loop {
            match receiver.try_recv() {
                Ok(found) => all.push(found),
                Err(end) => break end == TryRecvError::Empty,
            }
        };
        for found in &all {
            self.shots.retain(|shot| *shot != found.shot);
        }
        if !goes_on {
            let ended = || ProjectError::Panicked("the search ended early".to_owned());
            all.extend(self.shots.drain(..).map(|shot| Found { shot, edit: Err(ended()) }));
        }
        (all, goes_on)
    }

    /// Whether the picture of this shot is left.
    pub(super) fn is_for(&self, shot: &ShotId) -> bool {
        self.shots.contains(shot)
    }
}

fn propagated(
    edit: &PictureEdit,
    marked: Option<&Objects>,
    draft: Draft,
) -> Result<EditTask, ProjectError> {
    let parts = parts_of(&draft.take.image()?, &edit.parts, marked);
    let (purpose, origin) = (EditPurpose::Propagation, edit.origin.clone());
    Ok(EditTask { purpose, draft, parts, context: None, picture: None, origin })
}

/// Parts of another picture on this one: each where it looks alike, or else at the same place.
fn parts_of(picture: &RgbaImage, parts: &[Part], marked: Option<&Objects>) -> Vec<Part> {
    let (width, height) = picture.dimensions();
    let objects = marked.map(|marked| (marked, Objects::detect(picture)));
    let found = |part: &Part| {
        let (marked, objects) = objects.as_ref().filter(|_| can_be_found(part))?;
        let mask = objects.find_similar(marked, &part.mask)?;
        Some(Part { mask, ..part.clone() })
    };
    parts.iter().map(|part| found(part).unwrap_or_else(|| part.resized(width, height))).collect()
}

/// Whether a part shows something to look for: an added part shows nothing yet, and a scribble has a fixed place.
fn can_be_found(part: &Part) -> bool {
    part.edit.kind != EditKind::Add && part.scribble.is_none()
}

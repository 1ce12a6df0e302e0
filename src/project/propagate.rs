//! Finds the parts of an edit in other pictures. The search runs on a thread, because it takes many frames.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
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
    art::{Blobs, Take},
    mask::objects::Objects,
    recipe::{EditKind, Part, PictureEdit},
    storyboard::ShotId,
    studio::lower_priority,
};

/// A search for the parts of an edit in other pictures.
#[derive(Debug)]
pub(super) struct Search {
    /// The shots without a result yet.
    shots: Vec<ShotId>,
    /// The lock makes it `Sync`, because the project is a Bevy resource.
    results: Mutex<Receiver<Found>>,
}

/// The result for one picture.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) shot: ShotId,
    pub(super) edit: Result<EditTask, ProjectError>,
}

impl Search {
    /// Starts to search the pictures of `drafts` for the parts of `edit`, which were marked on the picture of `parent`.
    /// Without that picture, each part is edited at the same place.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(super) fn start(
        edit: PictureEdit,
        parent: Option<Take>,
        drafts: Vec<Draft>,
        blobs: Blobs,
    ) -> io::Result<Self> {
        let (sender, results) = channel();
        let shots = drafts.iter().map(|draft| draft.take.shot.clone()).collect();
        Builder::new().name("illustrator-search".to_owned()).spawn(move || {
            lower_priority();
            let parts = catch(|| Ok(blobs.parts(&edit)?)).map_err(Arc::new);
            // Parts on a canvas have fixed places.
            let is_needed = edit.canvas.is_none()
                && parts.as_ref().is_ok_and(|parts| parts.iter().any(can_be_found));
            let parent = parent.filter(|_| is_needed).and_then(|take| take.image().ok());
            let detect = || Ok(parent.map(|picture| Objects::detect(&picture)));
            let marked = catch(detect).unwrap_or_else(|error| {
                log::error!("{error}");
                None
            });
            for draft in drafts {
                let shot = draft.take.shot.clone();
                let edit = match &parts {
                    Ok(parts) => catch(|| {
                        let parts = match edit.canvas {
                            Some(_) => parts.clone(),
                            None => parts_of(&draft.take.image()?, parts, marked.as_ref()),
                        };
                        let task = EditTask::new(EditPurpose::Propagation, draft, parts);
                        let (canvas, origin) = (edit.canvas, edit.origin.clone());
                        Ok(EditTask { canvas, tiled: edit.tiled, origin, ..task })
                    }),
                    Err(error) => Err(ProjectError::Propagation(Arc::clone(error))),
                };
                // The receiver is dropped if all jobs are cancelled or the project is closed.
                if sender.send(Found { shot, edit }).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { shots, results: Mutex::new(results) })
    }

    /// The results since the last call, and whether the search continues. If the thread ended early, the results of the
    /// remaining pictures are errors.
    pub(super) fn take(&mut self) -> (Vec<Found>, bool) {
        let receiver = self.results.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        let continues = loop {
            match receiver.try_recv() {
                Ok(found) => all.push(found),
                Err(end) => break end == TryRecvError::Empty,
            }
        };
        for found in &all {
            self.shots.retain(|shot| *shot != found.shot);
        }
        if !continues {
            let ended = || ProjectError::Panicked("the search ended early".to_owned());
            all.extend(self.shots.drain(..).map(|shot| Found { shot, edit: Err(ended()) }));
        }
        (all, continues)
    }

    /// Whether this shot has no result yet.
    pub(super) fn is_for(&self, shot: &ShotId) -> bool {
        self.shots.contains(shot)
    }
}

/// Moves parts of another picture to this one: each to a similar object, or else to the same place.
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

/// Whether a part can be searched for. An added part is not in the picture yet, and a scribble has a fixed place.
fn can_be_found(part: &Part) -> bool {
    part.edit.kind != EditKind::Add && part.scribble.is_none()
}

//! The same edit in other pictures. What it changed has to be found there, for which a thread of its own looks at
//! each of them: that takes many frames.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use image::RgbaImage;

use super::{ProjectError, edits::Draft};
use crate::{
    art::Take,
    mask::objects::Objects,
    recipe::{EditKind, Part, PictureEdit, Recipe},
    storyboard::ShotId,
    studio::lower_priority,
};

/// Pictures that are being looked at.
#[derive(Debug)]
pub(super) struct Search {
    /// Whose they are, of those that are left.
    shots: Vec<ShotId>,
    /// Behind a lock only so that the project can be a resource.
    found: Mutex<Receiver<Found>>,
}

/// What is to be done to a picture, or why it cannot be done.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) shot: ShotId,
    pub(super) recipe: Result<Recipe, ProjectError>,
}

impl Search {
    /// Looks for what `edit` changed in the picture of `parent`, if that can still be seen.
    pub(super) fn start(
        edit: PictureEdit,
        parent: Option<Take>,
        drafts: Vec<Draft>,
    ) -> io::Result<Self> {
        let (tell, found) = channel();
        let shots = drafts.iter().map(|draft| draft.take.shot.clone()).collect();
        Builder::new().name("illustrator-search".to_owned()).spawn(move || {
            lower_priority();
            let marked = edit.parts.iter().any(can_be_found).then_some(parent).flatten();
            let marked =
                marked.and_then(|take| take.image().ok()).map(|image| Objects::detect(&image));
            for draft in drafts {
                let recipe = propagated(&edit, marked.as_ref(), &draft);
                // Nobody hears it where all was cancelled or the project closed.
                if tell.send(Found { shot: draft.take.shot, recipe }).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { shots, found: Mutex::new(found) })
    }

    /// What was found since the last call, and whether the thread goes on.
    pub(super) fn found(&mut self) -> (Vec<Found>, bool) {
        let receiver = self.found.get_mut().unwrap_or_else(PoisonError::into_inner);
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
        (all, goes_on)
    }

    /// Whether it looks at a picture of this shot.
    pub(super) fn is_for(&self, shot: &ShotId) -> bool {
        self.shots.contains(shot)
    }
}

fn propagated(
    edit: &PictureEdit,
    marked: Option<&Objects>,
    draft: &Draft,
) -> Result<Recipe, ProjectError> {
    let picture = draft.take.image()?;
    let parts = parts_of(&picture, &edit.parts, marked);
    Ok(draft.recipe(&picture, parts, None, edit.origin.clone())?)
}

/// Parts of another picture on this one: each where it looks alike, or else at the same place.
fn parts_of(picture: &RgbaImage, parts: &[Part], marked: Option<&Objects>) -> Vec<Part> {
    let (width, height) = picture.dimensions();
    let objects = marked.map(|marked| (marked, Objects::detect(picture)));
    let of = |part: &Part| {
        let (marked, objects) = objects.as_ref().filter(|_| can_be_found(part))?;
        let mask = objects.find_similar(marked, &part.mask)?;
        Some(Part { mask, ..part.clone() })
    };
    parts.iter().map(|part| of(part).unwrap_or_else(|| part.resized(width, height))).collect()
}

/// What is added is not there yet, and a rough shape has its place.
fn can_be_found(part: &Part) -> bool {
    part.edit.kind != EditKind::Add && part.scribble.is_none()
}

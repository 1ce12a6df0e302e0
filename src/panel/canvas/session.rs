//! An open take: its pixels, its parts, and their undo history.

mod recent;
mod save;

use std::{sync::Arc, time::SystemTime};

use egui::Context;
use image::RgbaImage;

use super::{
    history::{History, Step},
    take_analysis::{AnalysisUpdate, SegmenterModel, SegmenterState, TakeAnalysis},
};
use crate::{
    art::{ArtError, MarksSource, Take, TakeId},
    edit::Grid,
    mask::{
        Area, Mask,
        objects::{Objects, SelectionPrompt},
    },
    project::{Action, Project, Request, Update},
    recipe::{Layer, Marks, Scribble, Size},
    storyboard::ShotId,
};
pub(super) use recent::RecentSessions;
pub(super) use save::SaveState;

/// The marks of pictures with at most this many pixels are read at once: decoding one of their masks takes about a
/// millisecond.
const MAX_PIXELS_AT_ONCE: usize = 1 << 19;

/// An open take.
#[derive(Debug)]
pub(super) struct Session {
    pub shot: ShotId,
    pub take: TakeId,
    /// Width and height, in pixels.
    pub size: (u32, u32),
    /// The grid of the model that drew it.
    pub grid: Grid,
    /// The pixels, once they are decoded.
    pub picture: Option<Arc<RgbaImage>>,
    /// The [hash](crate::recipe::picture_hash) of the pixels.
    pub hash: Option<String>,
    /// The objects in the picture, once it was segmented.
    pub objects: Option<Objects>,
    /// The reason why the take cannot be edited.
    pub error: Option<String>,
    /// The modification time of the file when it was read.
    modified: Option<SystemTime>,
    /// The time of the last check for modifications, in seconds.
    checked_at: f64,
    /// The parts, from top to bottom.
    pub layers: Vec<Layer>,
    /// The crop given to the model, if the author set it.
    pub context: Option<Area>,
    selected: Option<usize>,
    selected_previously: Option<usize>,
    history: History<Snapshot>,
    save: SaveState,
    /// Whether the parts are still being read. Until then the take cannot be edited.
    is_loading: bool,
    analysis: Option<TakeAnalysis>,
    /// Whether MobileSAM can select objects.
    pub segmenter: SegmenterState,
}

/// The state that undo and redo restore.
#[derive(Clone, Debug)]
struct Snapshot {
    marks: Marks,
    /// The selected part, so that the next stroke goes where the author expects it.
    selected: Option<usize>,
}

impl Step for Snapshot {
    fn differs(&self, from: &Self) -> bool {
        self.marks != from.marks
    }

    fn pixels(&self) -> impl Iterator<Item = &[u8]> {
        self.marks.layers.iter().flat_map(|layer| {
            let scribble = layer.scribble.iter().map(|Scribble(image)| image);
            let images = scribble.chain(layer.images.values());
            std::iter::once(layer.mask.values())
                .chain(images.map(|image| image.as_raw().as_slice()))
        })
    }
}

impl Session {
    /// Opens a take. Threads decode and segment it. `carried_marks` are the parent's marks, which are being saved for
    /// this take.
    pub fn open(
        context: &Context,
        project: &Project,
        take: &Take,
        segmenter_model: &SegmenterModel,
        carried_marks: Option<SaveState>,
    ) -> Self {
        let (save, source, unread) = match carried_marks {
            Some(save) => (save, None, None),
            None => match saved_marks(project, take) {
                Ok((marks, source)) => (SaveState::new(marks), source, None),
                Err(error) => (SaveState::new(Marks::default()), None, Some(error.to_string())),
            },
        };
        let is_loading = source.is_some();
        let marks = save.latest().clone();
        let modified = take.modified();
        let (analysis, unstarted) =
            match TakeAnalysis::start(context, take, source, segmenter_model.clone()) {
                Ok(analysis) => (Some(analysis), None),
                Err(error) => (
                    None,
                    Some(format!(
                        "The picture cannot be read, because no thread could be started: {error}"
                    )),
                ),
            };
        let (size, now) = (take.recipe().size, context.input(|input| input.time));
        let selected = (!marks.layers.is_empty()).then_some(0);
        let step = Snapshot { marks: marks.clone(), selected };
        Self {
            shot: take.shot.clone(),
            take: take.id.clone(),
            size: (size.width, size.height),
            grid: take.provenance.model.grid,
            picture: None,
            hash: None,
            objects: None,
            error: unread.or(unstarted),
            modified,
            checked_at: now,
            selected,
            selected_previously: None,
            history: History::new(step),
            save,
            layers: marks.layers,
            context: marks.context,
            is_loading: is_loading && analysis.is_some(),
            analysis,
            segmenter: SegmenterState::Unavailable,
        }
    }

    /// Whether the file was modified since it was read. Checks once a second.
    pub fn is_outdated(&mut self, take: &Take, now: f64) -> bool {
        if now - self.checked_at < 1.0 {
            return false;
        }
        self.checked_at = now;
        take.modified() != self.modified
    }

    /// Processes the results of the analysis. Returns the masks that MobileSAM selected.
    pub fn poll(&mut self) -> Vec<(SelectionPrompt, Result<Mask, String>)> {
        let mut answers = Vec::new();
        let updates = self.analysis.as_mut().map(TakeAnalysis::updates).unwrap_or_default();
        for update in updates {
            match update {
                AnalysisUpdate::Marks(marks) => self.receive_marks(marks),
                AnalysisUpdate::Picture(Ok((picture, hash))) => {
                    self.size = picture.dimensions();
                    self.hash = Some(hash);
                    self.picture = Some(picture);
                }
                AnalysisUpdate::Picture(Err(error)) => self.error = Some(error),
                AnalysisUpdate::Objects(objects) => self.objects = Some(objects),
                AnalysisUpdate::Segmenter(state) => self.segmenter = state,
                AnalysisUpdate::Mask(pointing, mask) => answers.push((pointing, mask)),
            }
        }
        answers
    }

    /// Whether the parts are still being read.
    pub fn is_loading(&self) -> bool {
        self.is_loading
    }

    fn receive_marks(&mut self, marks: Result<Marks, String>) {
        // The undo history of the take may have been restored meanwhile.
        if !std::mem::take(&mut self.is_loading) {
            return;
        }
        match marks {
            Ok(marks) => {
                self.selected = (!marks.layers.is_empty()).then_some(0);
                (self.layers, self.context) = (marks.layers.clone(), marks.context);
                self.save = SaveState::new(marks);
                self.history = History::new(self.snapshot());
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Requests the mask of an object from MobileSAM. Returns whether MobileSAM can answer.
    pub fn request_mask(&self, pointing: &SelectionPrompt) -> bool {
        let analysis =
            self.analysis.as_ref().filter(|_| matches!(self.segmenter, SegmenterState::Ready));
        analysis.is_some_and(|analysis| analysis.request_mask(pointing.clone()))
    }

    /// The selected part.
    pub fn selected(&self) -> Option<usize> {
        self.selected.filter(|&at| at < self.layers.len())
    }

    /// Selects a part; `None` deselects.
    pub fn select(&mut self, at: Option<usize>) {
        if at != self.selected {
            self.selected_previously = self.selected;
            self.selected = at;
        }
    }

    /// The previously selected part, or the selected one if there is none.
    pub fn previous_part(&self) -> Option<usize> {
        self.selected_previously.filter(|&at| at < self.layers.len()).or(self.selected())
    }

    /// The part `down` places below the selected one. At the end of the list, the selected one.
    pub fn part_at_offset(&self, down: isize) -> Option<usize> {
        let next = self.selected().map_or(Some(0), |at| at.checked_add_signed(down));
        next.filter(|&at| at < self.layers.len()).or(self.selected())
    }

    /// Adds a part on top of the others and selects it.
    pub fn add(&mut self, mask: Mask) -> usize {
        let taken = |name: &str| self.layers.iter().any(|layer| layer.name == name);
        let name = (1..).map(|n| format!("part {n}")).find(|name| !taken(name)).unwrap_or_default();
        // The least used colour.
        let used = |colour: u8| self.layers.iter().filter(|layer| layer.colour == colour).count();
        let colour = (0..super::overlay::COLOURS.len() as u8).min_by_key(|&colour| used(colour));
        let colour = colour.unwrap_or(0);
        self.layers.insert(0, Layer { colour, ..Layer::new(name, mask) });
        self.selected_previously = self.selected.map(|at| at + 1);
        self.selected = Some(0);
        0
    }

    /// Removes a part.
    pub fn remove(&mut self, at: usize) {
        self.layers.remove(at);
        let last = self.layers.len().checked_sub(1);
        self.selected_previously = None;
        self.selected = self.selected.and_then(|selected| {
            let selected = if selected > at { selected - 1 } else { selected };
            last.map(|last| selected.min(last))
        });
    }

    /// Moves a part by one place.
    pub fn shift(&mut self, at: usize, down: bool) {
        let to = if down { at + 1 } else { at.saturating_sub(1) };
        if to < self.layers.len() && to != at {
            self.layers.swap(at, to);
            self.select(Some(to));
        }
    }

    /// The part that a tool changes: the selected part, or a new one if none is selected.
    ///
    /// # Errors
    /// If the part is locked or hidden. The error is a message to the author.
    pub fn layer_for_tool(&mut self) -> Result<usize, String> {
        let Some(at) = self.selected() else {
            return Ok(self.add(Mask::empty(self.size.0, self.size.1)));
        };
        let layer = &self.layers[at];
        match (layer.locked, layer.hidden) {
            (true, _) => {
                Err(format!("`{}` is locked. Unlock it, or select another part.", layer.name))
            }
            (_, true) => {
                Err(format!("`{}` is hidden. Show it, or select another part.", layer.name))
            }
            _ => Ok(at),
        }
    }

    /// Undoes the last change, if there is one.
    pub fn undo(&mut self) {
        self.history.record(self.snapshot());
        let snapshot = self.history.undo();
        self.restore(snapshot);
    }

    /// Redoes the last undone change, if there is one.
    pub fn redo(&mut self) {
        self.history.record(self.snapshot());
        let snapshot = self.history.redo();
        self.restore(snapshot);
    }

    /// The current marks.
    pub fn marks(&self) -> Marks {
        Marks { layers: self.layers.clone(), context: self.context }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { marks: self.marks(), selected: self.selected }
    }

    fn restore(&mut self, snapshot: Option<Snapshot>) {
        if let Some(Snapshot { marks: Marks { layers, context }, selected }) = snapshot {
            (self.layers, self.context, self.selected) = (layers, context, selected);
        }
    }

    /// Records a step of the undo history if the marks changed. Returns the request to save them, if necessary.
    pub fn commit(&mut self) -> Option<Request> {
        if self.is_loading {
            return None;
        }
        self.history.record(self.snapshot());
        self.save()
    }

    /// The request to save the marks. `None` if the last request saves the same marks.
    pub fn save(&mut self) -> Option<Request> {
        let marks = self.marks();
        if self.is_loading || *self.save.latest() == marks {
            return None;
        }
        let (shot, take) = (self.shot.clone(), self.take.clone());
        let request = Request::new(Action::SetMarks { shot, take, marks: marks.clone() });
        self.save.requested(request.id, marks);
        Some(request)
    }

    /// Makes the next save request refused marks again.
    pub fn retry_save(&mut self) {
        self.save.retry();
    }

    /// Processes an update of the project.
    pub fn receive(&mut self, update: &Update) {
        self.save.receive(update, (&self.shot, &self.take));
    }

    /// Whether other code changed the marks of the take.
    pub fn is_overwritten(&self) -> bool {
        self.save.is_overwritten()
    }
}

/// The saved marks of a take, or their source if reading them is too slow for a frame.
fn saved_marks(project: &Project, take: &Take) -> Result<(Marks, Option<MarksSource>), ArtError> {
    let source = project.marks_source(&take.shot, &take.id)?;
    let Size { width, height } = take.recipe().size;
    let is_small = width as usize * height as usize <= MAX_PIXELS_AT_ONCE;
    if is_small || source.is_known() {
        return Ok((source.read()?, None));
    }
    Ok((Marks::default(), Some(source)))
}

//! The running job and its progress.

use std::{sync::Arc, time::Duration};

use image::RgbImage;

use super::{Job, JobView, Progress, stopwatch::Stopwatch};
use crate::{
    control::Interrupt, loss::LossValues, mask::Area, memory::MemoryNeeds, model::ModelDefaults,
};

/// The running job.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) job: Job,
    pub(super) interrupt: Interrupt,
    pub(super) cancelled: bool,
    pub(super) watch: Stopwatch,
    /// The elapsed time when the model was loaded and drawing started.
    pub(super) loaded_at: Duration,
    pub(super) stepped_at: Duration,
    pub(super) loading: Option<MemoryNeeds>,
    pub(super) done: u32,
    pub(super) of: u32,
    pub(super) preview: Option<Arc<RgbImage>>,
    pub(super) changed: Option<Area>,
    pub(super) losses: Vec<LossValues>,
}

impl Running {
    /// Starts a job.
    pub(super) fn new(job: Job, interrupt: Interrupt) -> Self {
        // The default of the model may differ. It is known when the model is loaded.
        let of = job.recipe.sampler.steps.unwrap_or(ModelDefaults::default().steps);
        Self {
            job,
            interrupt,
            cancelled: false,
            watch: Stopwatch::start(),
            loaded_at: Duration::ZERO,
            stepped_at: Duration::ZERO,
            loading: None,
            done: 0,
            of,
            preview: None,
            changed: None,
            losses: Vec::new(),
        }
    }

    /// The job and its progress.
    pub(super) fn view(&self) -> JobView {
        let elapsed = self.watch.elapsed();
        let drawing = self.stepped_at.saturating_sub(self.loaded_at);
        let left = (self.done > 0).then(|| {
            let at_step = drawing / self.done * self.of.saturating_sub(self.done);
            at_step.saturating_sub(elapsed.saturating_sub(self.stepped_at))
        });
        let progress = Progress {
            done: self.done,
            of: self.of,
            loading: self.loading,
            elapsed,
            left,
            preview: self.preview.clone(),
            changed: self.changed,
            losses: self.losses.clone(),
        };
        JobView { job: self.job.clone(), progress: Some(progress) }
    }
}

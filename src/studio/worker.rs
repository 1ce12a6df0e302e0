//! The worker thread: runs generators on queued jobs and saves their takes.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::RgbaImage;
use rayon::ThreadPool;

use super::{
    Job, JobError,
    shared::{Outcome, Shared},
};
use crate::{
    art::{Provenance, TakeId, TakeWriter, picture_file},
    control::{Control, Interrupt, Step},
    generator::{Drawn, GenerateError, Generator, GeneratorRegistry, Inputs},
    memory::MemoryNeeds,
    recipe::Recipe,
};

/// The maximum number of unsaved pictures that are kept for another attempt.
const MAX_UNSAVED: usize = 8;

/// The state of the worker thread.
pub(super) struct Worker<'a> {
    shared: &'a Shared,
    registry: GeneratorRegistry,
    writer: TakeWriter,
    pool: ThreadPool,
    /// The last used model. It stays loaded until a job needs another one.
    loaded: Option<Loaded>,
    /// Finished pictures that could not be saved. Drawing such a job again only saves its picture.
    unsaved: VecDeque<Finished>,
}

struct Loaded {
    name: String,
    text_encoders: Vec<String>,
    generator: Box<dyn Generator>,
}

struct Finished {
    job: Job,
    image: RgbaImage,
    provenance: Provenance,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        registry: GeneratorRegistry,
        writer: TakeWriter,
        pool: ThreadPool,
    ) -> Self {
        Self { shared, registry, writer, pool, loaded: None, unsaved: VecDeque::new() }
    }

    /// Draws queued jobs until the studio closes.
    pub(super) fn run(mut self) {
        while let Some((job, interrupt)) = self.shared.next_job() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.outcome(&job, &interrupt)));
            let outcome = outcome.unwrap_or_else(|panic| {
                Outcome::Failed(JobError::Panicked(panic_message(panic.as_ref())))
            });
            self.shared.finish(job, outcome);
        }
    }

    fn outcome(&mut self, job: &Job, interrupt: &Interrupt) -> Outcome {
        let finished = match self.unsaved(job) {
            Some(finished) => Ok(finished),
            None => self.draw(job, interrupt),
        };
        match finished {
            Ok(finished) => self.write(finished),
            Err(GenerateError::Cancelled) => Outcome::Cancelled,
            Err(error) => Outcome::Failed(error.into()),
        }
    }

    fn draw(&mut self, job: &Job, interrupt: &Interrupt) -> Result<Finished, GenerateError> {
        let Self { shared, registry, writer, pool, loaded, .. } = self;
        let drawing = || {
            let control = JobControl { interrupt, shared };
            let inputs = inputs(writer, job)?;
            let generator = generator(registry, loaded, &job.recipe, &control)?;
            interrupt.check()?;
            generator.prepare(&job.recipe, &control)?;
            let take = TakeId::of(&job.recipe, &generator.card().hash);
            writer.check(&job.shot, &take).map_err(GenerateError::other)?;
            shared.loaded(job.recipe.sampler.resolve(&generator.card().defaults).steps);
            let drawn = generator.generate(&job.recipe, &inputs, &control)?;
            GenerateError::check_size(&job.recipe, &drawn.image)?;
            Ok((drawn, generator.card().clone()))
        };
        // After a panic the generator may be in an invalid state, so drop it.
        let drawn = catch_unwind(AssertUnwindSafe(|| pool.install(drawing)));
        let (Drawn { image, losses }, model) = drawn.unwrap_or_else(|panic| {
            *loaded = None;
            Err(GenerateError::Panicked(panic_message(panic.as_ref())))
        })?;
        let provenance = Provenance::now((*job.recipe).clone(), model, shared.drawing_time());
        let provenance = Provenance { losses, ..provenance };
        Ok(Finished { job: job.clone(), image, provenance })
    }

    /// Saves a take. If that fails, keeps the picture for the next attempt.
    fn write(&mut self, finished: Finished) -> Outcome {
        let Finished { job, image, provenance } = &finished;
        let write = || Ok(self.writer.write(&job.shot, image, provenance.clone())?);
        let written = catch_unwind(AssertUnwindSafe(write))
            .unwrap_or_else(|panic| Err(JobError::Panicked(panic_message(panic.as_ref()))));
        match written {
            Ok(take) => Outcome::Drawn(Box::new(take), finished.image),
            Err(error) => {
                if self.unsaved.len() == MAX_UNSAVED {
                    self.unsaved.pop_front();
                }
                self.unsaved.push_back(finished);
                Outcome::Failed(error)
            }
        }
    }

    fn unsaved(&mut self, job: &Job) -> Option<Finished> {
        let same = |other: &Finished| other.job.shot == job.shot && other.job.recipe == job.recipe;
        let at = self.unsaved.iter().position(same)?;
        self.unsaved.remove(at)
    }
}

/// Tells the progress of the running job to the studio.
struct JobControl<'a> {
    interrupt: &'a Interrupt,
    shared: &'a Shared,
}

impl Control for JobControl<'_> {
    fn interrupt(&self) -> &Interrupt {
        self.interrupt
    }

    fn loading(&self, needs: MemoryNeeds) {
        self.shared.loading(needs);
    }

    fn step(&self, step: Step) {
        self.shared.stepped(step);
    }
}

/// The input pictures of a job's recipe.
fn inputs(writer: &TakeWriter, job: &Job) -> Result<Inputs, GenerateError> {
    let read = |take| writer.image(&job.shot, take);
    let parent = job.recipe.edit.as_ref().and_then(|edit| edit.parent.as_ref());
    let init_image = parent.map(read).transpose();
    let init_image = init_image.map_err(|error| GenerateError::NoInitImage(error.to_string()))?;
    let inputs = writer.blobs().inputs(&job.recipe).map_err(GenerateError::other)?;
    picture_file::check(&job.recipe, &inputs.blobs).map_err(GenerateError::other)?;
    Ok(Inputs { init_image, ..inputs })
}

/// The generator of the model of a recipe: the current one if it matches, otherwise a new one.
fn generator<'a>(
    registry: &GeneratorRegistry,
    loaded: &'a mut Option<Loaded>,
    recipe: &Recipe,
    control: &dyn Control,
) -> Result<&'a mut dyn Generator, GenerateError> {
    let fits = |loaded: &Loaded| {
        (&loaded.name, &loaded.text_encoders) == (&recipe.model, &recipe.text_encoders)
            && loaded.generator.is_current()
            && loaded.generator.has_memory_for(recipe)
    };
    if !loaded.as_ref().is_some_and(fits) {
        // Drop the old model first, because two may not fit into memory.
        *loaded = None;
    }
    let loaded = match loaded {
        Some(loaded) => loaded,
        None => {
            let generator = registry.load_for(recipe, control)?;
            let (name, text_encoders) = (recipe.model.clone(), recipe.text_encoders.clone());
            loaded.insert(Loaded { name, text_encoders, generator })
        }
    };
    Ok(loaded.generator.as_mut())
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

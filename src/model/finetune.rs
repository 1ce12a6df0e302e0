//! Lines of finetunes, which draw best with other settings than their base model.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{BaseModel, ModelDefaults};
use crate::ron_text;

/// A line of finetunes of a base model, such as Illustrious. No tensor tells it from the base model, so the author says it: see
/// [`settings`](crate::settings).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetune {
    /// The display name.
    pub name: String,
    /// The display name of the base model.
    base: String,
    /// The scheduler's class name in diffusers.
    pub scheduler: String,
    /// Denoising steps.
    pub steps: u32,
    /// The guidance scale.
    pub guidance_scale: f32,
    /// How prompts are written for these models.
    pub prompts: String,
}

static FINETUNES: LazyLock<Vec<Finetune>> = LazyLock::new(|| {
    // A test reads the file.
    ron_text::parse(include_bytes!("../../assets/models/finetunes.ron")).unwrap_or_default()
});

impl Finetune {
    /// All lines of finetunes.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &FINETUNES
    }

    /// The line with this display name. Capital and small letters are the same.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FINETUNES.iter().find(|finetune| finetune.name.eq_ignore_ascii_case(name))
    }

    /// The lines of a base model. Empty if none is known, so that nobody needs to be asked.
    pub fn of_base(base: BaseModel) -> impl Iterator<Item = &'static Self> {
        FINETUNES.iter().filter(move |finetune| finetune.base == base.name())
    }

    /// The defaults of a model of this line, whose own are `defaults`.
    #[must_use]
    pub fn defaults(&self, defaults: ModelDefaults) -> ModelDefaults {
        let Self { scheduler, steps, guidance_scale, .. } = self.clone();
        ModelDefaults { scheduler, steps, guidance_scale, ..defaults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::scheduler;

    #[test]
    fn every_line_of_finetunes_has_a_base_and_a_scheduler_that_run_here() {
        assert!(!Finetune::all().is_empty());
        for finetune in Finetune::all() {
            let Finetune { name, base, steps, guidance_scale, .. } = finetune;
            assert!(BaseModel::from_name(base).is_some(), "{name}");
            assert!(BaseModel::from_name(name).is_none(), "{name} is a base model");
            let class = scheduler::find(&finetune.scheduler);
            assert_eq!(class.map(|it| it.class_name), Some(finetune.scheduler.as_str()), "{name}");
            assert!(*steps > 0 && guidance_scale.is_finite() && *guidance_scale >= 1.0, "{name}");
            assert_eq!(Finetune::find(&name.to_uppercase()), Some(finetune));
        }
        assert_eq!(Finetune::of_base(BaseModel::Xl).count(), 2);
        assert_eq!(Finetune::of_base(BaseModel::Flux2Klein).count(), 0);
    }
}

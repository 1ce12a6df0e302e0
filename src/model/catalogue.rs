//! Models on the Hugging Face hub that run here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::licence::Terms;
use crate::{
    memory::{Fit, Memory},
    ron_text,
};

/// The models to download first, the best one first. The last one is for small machines.
const RECOMMENDED: [&str; 2] = ["FLUX.2 Klein 4B", "Stable Diffusion 1.5"];

/// A model on the Hugging Face hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// The display name.
    pub name: String,
    /// The repository: `OWNER/NAME`.
    pub repo: String,
    /// The variant of the weights, such as `fp16`, if it is not the main one.
    pub variant: Option<String>,
    /// The display name of the base model. LoRAs and adapters must have the same.
    pub base: String,
    /// The licence.
    pub licence: String,
    /// What the model is good for, in words.
    pub good_for: String,
    /// The approximate size of the download in bytes.
    pub bytes: u64,
    /// An estimate of the memory for drawing a picture of the native size, in bytes.
    pub memory: u64,
    /// The same with [`LoadOptions::low_memory`](crate::diffusion::LoadOptions::low_memory).
    pub least_memory: u64,
    /// The usual number of denoising steps.
    pub steps: u32,
    /// The usual guidance scale.
    pub guidance_scale: f32,
}

static CATALOGUE: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    // A test reads the file.
    ron_text::parse(include_bytes!("../../assets/models/catalogue.ron")).unwrap_or_default()
});

impl CatalogueEntry {
    /// All models in the catalogue.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &CATALOGUE
    }

    /// The model with this display name or in this repository. Capital and small letters are the same.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let named = CATALOGUE.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
        named.or_else(|| Self::of_repo(name))
    }

    /// The model in this repository.
    #[must_use]
    pub fn of_repo(repo: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.repo.eq_ignore_ascii_case(repo))
    }

    /// The model to download first on a machine with this memory: FLUX.2 Klein 4B if it fits the total memory, and otherwise
    /// Stable Diffusion 1.5.
    #[must_use]
    pub fn recommended(memory: Option<Memory>) -> Option<&'static Self> {
        let fits = |entry: &&Self| {
            let fit = memory.map(|memory| memory.fit(entry.memory, entry.least_memory));
            fit.is_some_and(|fit| fit != Fit::TooLarge)
        };
        let mut entries = RECOMMENDED.into_iter().filter_map(Self::find);
        entries.clone().find(fits).or_else(|| entries.next_back())
    }

    /// What the licence allows to do with pictures, if it is a known licence.
    #[must_use]
    pub fn terms(&self) -> Option<&'static Terms> {
        Terms::of(&self.licence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_recommended_model_is_the_best_that_fits_the_machine() {
        let memory = |total: u64| Memory { total, available: total / 4, free_swap: 0 };
        let name = |memory| CatalogueEntry::recommended(memory).unwrap().name.as_str();
        assert_eq!(name(Some(memory(16_000_000_000))), "FLUX.2 Klein 4B");
        assert_eq!(name(Some(memory(8_000_000_000))), "Stable Diffusion 1.5");
        assert_eq!(name(Some(memory(2_000_000_000))), "Stable Diffusion 1.5");
        assert_eq!(name(None), "Stable Diffusion 1.5");
    }

    #[test]
    fn each_model_is_found_by_its_name_and_its_repository_and_has_a_known_licence() {
        let all = CatalogueEntry::all();
        assert!(!all.is_empty(), "the file is valid");
        for entry in all {
            assert_eq!(CatalogueEntry::find(&entry.name.to_uppercase()), Some(entry));
            assert_eq!(CatalogueEntry::find(&entry.repo), Some(entry));
            assert!(entry.terms().is_some(), "{}", entry.licence);
            assert_eq!(entry.repo.split('/').count(), 2, "{}", entry.repo);
            assert!(entry.bytes.min(entry.least_memory) > 1_000_000_000 && entry.steps > 0);
            assert!(entry.least_memory <= entry.memory);
        }
        let repos: BTreeSet<_> = all.iter().map(|entry| &entry.repo).collect();
        assert_eq!(repos.len(), all.len());
        assert_eq!(CatalogueEntry::find("a model that nobody has"), None);
    }
}

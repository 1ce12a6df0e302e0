//! `illustrate models remove`: removes a downloaded model from the cache.

use bevy_illustrator::model::{CatalogueEntry, hub::Hub};
use indicatif::DecimalBytes;

use super::fetch::agreed;
use crate::{
    failure::Failure,
    output::{print, print_error},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// A repository, OWNER/NAME, or the name of a model in the catalogue
    repo: String,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
}

impl Remove {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let hub = Hub::from_env()?;
        let repo = CatalogueEntry::find(&self.repo).map_or(&self.repo, |entry| &entry.repo);
        if let Some(bytes) = hub.cached_bytes(repo)? {
            let cache = hub.cache_folder();
            let (size, cache) = (DecimalBytes(bytes), cache.display());
            print_error(format!(
                "{repo} has {size} in {cache}. Other programs that use this cache lose it, too."
            ));
            if !self.yes && !agreed("Remove it? [y/N] ") {
                return Err(Failure::NotAgreed("removed"));
            }
        }
        let freed = hub.remove(repo)?;
        print(&format!("{} freed", DecimalBytes(freed)))
    }
}

//! The package of a loaded model, from which more networks may be loaded later.

use std::sync::Arc;

use super::Package;
use crate::model::{ModelError, package::INDEX};

/// A package with the state of its files when the model was loaded. A network that is loaded later belongs to the model only
/// if they are unchanged.
#[derive(Clone, Debug)]
pub(crate) struct PinnedPackage {
    pub(crate) package: Arc<dyn Package>,
    fingerprint: u64,
}

impl PinnedPackage {
    pub(crate) fn new(package: Arc<dyn Package>) -> Self {
        let fingerprint = package.fingerprint();
        Self { package, fingerprint }
    }

    /// Whether the files are those of the loaded model.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.package.fingerprint() == self.fingerprint
    }

    /// Checks that the files are those of the loaded model.
    ///
    /// # Errors
    /// [`ModelError::Changed`].
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let changed = || ModelError::Changed { file: self.package.location(INDEX) };
        self.is_unchanged().then_some(()).ok_or_else(changed)
    }
}

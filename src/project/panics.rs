//! Turns panics of background tasks into errors, so that every request is answered.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::ProjectError;
use crate::studio::panic_message;

/// Runs `work`. A panic becomes [`ProjectError::Panicked`].
///
/// `work` must leave shared state valid if it panics: it replaces files atomically, and holds no locks.
pub(super) fn catch<T>(work: impl FnOnce() -> Result<T, ProjectError>) -> Result<T, ProjectError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(ProjectError::Panicked(panic_message(panic.as_ref()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = catch::<()>(|| panic!("out of range")).unwrap_err();
        assert!(error.to_string().contains("out of range"), "{error}");
    }
}

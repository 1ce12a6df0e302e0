//! The defaults that a package gives in its index.

use std::fmt::Debug;

use serde::Deserialize;

use crate::{
    model::{ModelError, Package, detect::Index, package::INDEX},
    recipe::{MAX_SIDE, MIN_SIDE},
};

/// The field of `model_index.json` that overrides defaults. diffusers ignores it.
const DEFAULTS: &str = "_defaults";

/// [`ModelDefaults`](super::ModelDefaults) in a package. Every field is optional.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GivenDefaults {
    pub(super) scheduler: Option<String>,
    pub(super) steps: Option<u32>,
    pub(super) guidance_scale: Option<f32>,
    pub(super) guidance_rescale: Option<f32>,
    pub(super) size: Option<[u32; 2]>,
}

impl GivenDefaults {
    /// Reads and checks them.
    ///
    /// # Errors
    /// If a value has the wrong type, or if no picture can be drawn with it.
    pub(super) fn read(package: &dyn Package, index: &Index) -> Result<Self, ModelError> {
        let Some(given) = index.json.get(DEFAULTS) else { return Ok(Self::default()) };
        let given: Self = serde_json::from_value(given.clone())
            .map_err(|source| ModelError::Json { file: package.location(INDEX), source })?;
        given.check(package)?;
        Ok(given)
    }

    /// Checks the values, except for the scheduler, whose classes other crates can add.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if no picture can be drawn with a value.
    fn check(&self, package: &dyn Package) -> Result<(), ModelError> {
        let sides = MIN_SIDE..=MAX_SIDE;
        let size = format!("width and height of {MIN_SIDE} to {MAX_SIDE} pixels");
        let checks = [
            ("steps", refused(self.steps, |steps| *steps > 0), "1 or more"),
            (
                "guidance_scale",
                refused(self.guidance_scale, |scale| scale.is_finite() && *scale >= 0.0),
                "a number of at least 0",
            ),
            (
                "guidance_rescale",
                refused(self.guidance_rescale, |rescale| (0.0..=1.0).contains(rescale)),
                "a number from 0 to 1",
            ),
            (
                "size",
                refused(self.size, |size| size.iter().all(|side| sides.contains(side))),
                &size,
            ),
        ];
        for (field, refused, supported) in checks {
            if let Some(value) = refused {
                return Err(unsupported(package, field, value, supported));
            }
        }
        Ok(())
    }
}

/// A value that is given but cannot be used, as text.
fn refused<T: Debug>(value: Option<T>, is_usable: impl FnOnce(&T) -> bool) -> Option<String> {
    value.filter(|value| !is_usable(value)).map(|value| format!("{value:?}"))
}

/// The error of a value in `_defaults`.
pub(crate) fn unsupported(
    package: &dyn Package,
    field: &str,
    value: String,
    supported: &str,
) -> ModelError {
    let (file, field) = (package.location(INDEX), format!("{DEFAULTS}.{field}"));
    ModelError::Unsupported { file, field, value, supported: supported.to_owned() }
}

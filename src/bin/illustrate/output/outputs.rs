//! The output files of a command: none of them is one of its inputs or another output.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bevy_illustrator::recipe::style::BUILT_IN_MODEL;

use super::{
    file::{Existing, Format, OutputFile},
    location::Location,
    model_files::{ModelFiles, is_picture},
};
use crate::failure::{Failure, Use};

/// The files that a command uses, and how it uses them.
#[derive(Default)]
pub(crate) struct Outputs {
    used: Vec<(Location, Use)>,
    /// Whether the model has files that are not in `used`.
    has_unlisted: bool,
}

impl Outputs {
    /// The outputs of a command that reads `inputs`.
    pub(crate) fn of_inputs<'a>(inputs: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut outputs = Self::default();
        outputs.add_inputs(inputs);
        outputs
    }

    /// Adds files that the command reads.
    pub(crate) fn add_inputs<'a>(&mut self, inputs: impl IntoIterator<Item = &'a Path>) {
        // An input that does not exist fails when it is read.
        let inputs = inputs.into_iter().filter_map(|path| Location::of(path).ok());
        self.used.extend(inputs.map(|location| (location, Use::Read)));
    }

    /// Adds the files of a model: all files in its folder except pictures, which no model reads.
    pub(crate) fn add_model(&mut self, model: &str) {
        if model != BUILT_IN_MODEL {
            let model = ModelFiles::list(Path::new(model));
            self.add_inputs(model.files.iter().map(PathBuf::as_path));
            self.has_unlisted |= model.has_more;
        }
    }

    /// Begins a file of this format.
    ///
    /// # Errors
    /// As [`OutputFile::create`], and if the command uses the file already.
    pub(crate) fn begin(
        &mut self,
        path: &Path,
        format: Format,
        existing: Existing,
    ) -> Result<OutputFile, Failure> {
        self.add(path)?;
        OutputFile::create(path, format, existing)
    }

    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        // What cannot be located cannot be created either. Any number of outputs can go to a device.
        let Ok(location) = Location::of(path) else { return Ok(()) };
        let existing = fs::metadata(&location.path).ok();
        if existing.as_ref().is_some_and(|data| !data.is_file()) {
            return Ok(());
        }
        let in_use = |used| Err(Failure::InUse { path: path.to_path_buf(), used });
        if let Some(&(_, used)) = self.used.iter().find(|(used, _)| *used == location) {
            return in_use(used);
        }
        if self.has_unlisted && existing.is_some() && !is_picture(&location.path) {
            return in_use(Use::MayBeRead);
        }
        self.used.push((location, Use::Written));
        Ok(())
    }
}

/// Whether two paths are those of the same file, or of the same place for one.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((Location::of(one), Location::of(other)), (Ok(one), Ok(other)) if one == other)
}

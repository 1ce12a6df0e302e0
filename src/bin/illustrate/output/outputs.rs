//! The output files of a command: none of them is one of its inputs or another output.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bevy_illustrator::recipe::style::BUILT_IN_MODEL;

use super::file::{Existing, OutputFile, follow_links};
use crate::failure::{Failure, Use};

/// The depth of a model's files below the folder that a user names: `snapshots/COMMIT/unet/FILE`.
const MAX_DEPTH: usize = 4;

/// The most files that are listed of a folder that may be no model.
const MAX_FILES: usize = 10_000;

/// The files that a command uses, and how it uses them.
pub(crate) struct Outputs(Vec<(PathBuf, Use)>);

impl Outputs {
    /// The outputs of a command that reads `inputs`.
    pub(crate) fn of_inputs<'a>(inputs: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut outputs = Self(Vec::new());
        outputs.add_inputs(inputs);
        outputs
    }

    /// Adds files that the command reads.
    pub(crate) fn add_inputs<'a>(&mut self, inputs: impl IntoIterator<Item = &'a Path>) {
        // An input that does not exist fails when it is read.
        let inputs = inputs.into_iter().filter_map(|path| location(path).ok());
        self.0.extend(inputs.map(|path| (path, Use::Read)));
    }

    /// Adds the files of a model: all files in its folder except pictures, which no model reads.
    pub(crate) fn add_model(&mut self, model: &str) {
        if model != BUILT_IN_MODEL {
            let mut files = Vec::new();
            list_model(Path::new(model), MAX_DEPTH, &mut files);
            self.add_inputs(files.iter().map(PathBuf::as_path));
        }
    }

    /// Begins a PNG.
    ///
    /// # Errors
    /// As [`OutputFile::create_png`], and if the command uses the file already.
    pub(crate) fn png(&mut self, path: &Path, existing: Existing) -> Result<OutputFile, Failure> {
        self.add(path)?;
        OutputFile::create_png(path, existing)
    }

    /// Begins a file.
    ///
    /// # Errors
    /// As [`OutputFile::create`], and if the command uses the file already.
    pub(crate) fn file(&mut self, path: &Path, existing: Existing) -> Result<OutputFile, Failure> {
        self.add(path)?;
        OutputFile::create(path, existing)
    }

    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        // What cannot be located cannot be created either. Any number of outputs can go to a device.
        let Ok(location) = location(path) else { return Ok(()) };
        if fs::metadata(&location).is_ok_and(|data| !data.is_file()) {
            return Ok(());
        }
        match self.0.iter().find(|(used, _)| *used == location) {
            Some(&(_, used)) => Err(Failure::InUse { path: path.to_path_buf(), used }),
            None => {
                self.0.push((location, Use::Written));
                Ok(())
            }
        }
    }
}

/// The path of a file, without links, `.` and `..`. The file need not exist.
fn location(path: &Path) -> io::Result<PathBuf> {
    let path = follow_links(path)?;
    match fs::canonicalize(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
            Ok(folder.join(path.file_name().unwrap_or_default()))
        }
        result => result,
    }
}

/// Lists the files of a model that is a file or a folder. Links are followed.
fn list_model(path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let is_listed = |name: &Path| {
        let is_hidden = name.to_string_lossy().starts_with('.');
        !is_hidden && !name.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"))
    };
    match fs::metadata(path) {
        Ok(data) if data.is_file() => files.push(path.to_path_buf()),
        Ok(data) if data.is_dir() && depth > 0 => {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                if files.len() < MAX_FILES && is_listed(Path::new(&entry.file_name())) {
                    list_model(&entry.path(), depth - 1, files);
                }
            }
        }
        _ => {}
    }
}

//! The output files of a command: none of them is one of its inputs or another output.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::file::{OutputFile, follow_links};
use crate::failure::{Failure, Use};

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

    /// Begins a PNG.
    ///
    /// # Errors
    /// As [`OutputFile::create_png`], and if the command uses the file already.
    pub(crate) fn png(&mut self, path: &Path) -> Result<OutputFile, Failure> {
        self.add(path)?;
        OutputFile::create_png(path)
    }

    /// Begins a file.
    ///
    /// # Errors
    /// As [`OutputFile::create`], and if the command uses the file already.
    pub(crate) fn file(&mut self, path: &Path) -> Result<OutputFile, Failure> {
        self.add(path)?;
        OutputFile::create(path)
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

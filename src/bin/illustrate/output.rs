//! Results on stdout, warnings on stderr, and atomic file writes.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Prints text on stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{text}").and_then(|()| out.flush())?)
}

/// Prints a value as JSON on stdout.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    print(&json)
}

/// Formats a count with its noun: `1 picture`, `2 pictures`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A file written atomically: it appears at its path once it is complete.
pub(crate) struct AtomicFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Creates the temporary file. Call this before long work, to fail early.
    ///
    /// # Errors
    /// If the folder does not exist or is not writable.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(Failure::file("write", path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// The path of the temporary file.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes the contents, syncs them and moves the file to its path.
    ///
    /// # Errors
    /// If writing fails. An existing file stays unchanged then.
    pub(crate) fn finish(
        mut self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = write(self.file.as_file_mut()).and_then(|()| self.file.as_file().sync_all());
        written.map_err(Failure::file("write", &self.path))?;
        let placed = self.file.persist(&self.path).map_err(|error| error.error);
        placed.map_err(Failure::file("write", &self.path))?;
        Ok(())
    }
}

/// A logger that prints warnings and errors on stderr.
struct StderrLog;

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{}: {}", record.level().as_str().to_lowercase(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Installs [`StderrLog`].
pub(crate) fn log_to_stderr() {
    if log::set_logger(&StderrLog).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

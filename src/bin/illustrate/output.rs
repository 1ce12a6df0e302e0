//! Results on stdout, warnings on stderr, and files that appear whole or not at all.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Prints text for people on stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "{text}").and_then(|()| out.flush())?)
}

/// Prints a result for programs on stdout.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    print(&json)
}

/// `1 picture`, `2 pictures`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A file that is being written. It stands at its place only once it is finished.
pub(crate) struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Makes sure that the file can be written, before any work is done for it.
    ///
    /// # Errors
    /// When its folder is not there, or does not let itself be written to.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
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

    /// The file as it is being written.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Fills the file, brings it to the disk and puts it in its place.
    ///
    /// # Errors
    /// When the system refuses; what stood there before still stands then.
    pub(crate) fn finish(
        mut self,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = fill(self.file.as_file_mut()).and_then(|()| self.file.as_file().sync_all());
        written.map_err(Failure::file("write", &self.path))?;
        let placed = self.file.persist(&self.path).map_err(|error| error.error);
        placed.map_err(Failure::file("write", &self.path))?;
        Ok(())
    }
}

/// What the core tells in the log, from warnings up.
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

/// Sends warnings of the core to stderr.
pub(crate) fn log_to_stderr() {
    if log::set_logger(&StderrLog).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

//! Results on stdout, warnings on stderr. Control characters are printed as escapes.

mod attributes;
mod escape;
mod file;
mod location;
mod model_files;
mod outputs;
mod patient;
mod place;
mod unfinished;
mod version;

use std::{
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bevy_illustrator::{
    prompt::{LongPrompt, PromptSyntax},
    storyboard::Shot,
};
use serde::{Serialize, Serializer};

use crate::failure::Failure;

pub(crate) use escape::escaped;
pub(crate) use file::{Existing, Format, OutputFile};
pub(crate) use outputs::{Outputs, is_same_file};
pub(crate) use unfinished::remove_unfinished;

use patient::Patient;

/// The most names of one list in a message.
const MAX_NAMES: usize = 8;

/// The most bytes of a line on stderr.
const MAX_LINE: usize = 16 << 10;

/// Prints a line on stdout. The work continues if the reader closed the pipe, as in `illustrate plan | head`.
///
/// # Errors
/// If stdout cannot be written, as on a full disk.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    print_escaped(&escaped(line))
}

/// Prints lines on stdout.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_lines(lines: &[String]) -> Result<(), Failure> {
    let lines: Vec<_> = lines.iter().map(|line| escaped(line)).collect();
    print_escaped(&lines.join("\n"))
}

fn print_escaped(text: &str) -> Result<(), Failure> {
    let mut out = Patient(io::stdout().lock());
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as JSON on stdout.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    print_escaped(&escape::escaped_json(&json))
}

/// Prints a line on stderr. Unlike `eprintln!`, it does not panic if stderr is closed. Of a long line, such as the name
/// of a file with millions of letters, the beginning is printed.
pub(crate) fn print_error(line: impl Display) {
    let mut line = line.to_string();
    if line.len() > MAX_LINE {
        line.truncate(line.floor_char_boundary(MAX_LINE));
        line.push('…');
    }
    // Nobody is left to read about the failure.
    let _ = writeln!(Patient(io::stderr().lock()), "{}", escaped(&line));
}

/// Prints a question on stderr, and reads a line of at most `limit` bytes from stdin.
///
/// # Errors
/// If the question cannot be printed, or the answer cannot be read.
#[cfg(feature = "hub")]
pub(crate) fn answer_to(question: &str, limit: u64) -> io::Result<Vec<u8>> {
    use io::{BufRead, Read};

    Patient(io::stderr().lock()).write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    let lines = io::BufReader::new(Patient(io::stdin().lock()));
    lines.take(limit).read_until(b'\n', &mut answer)?;
    Ok(answer)
}

/// The first names of a list that comes from a file, and the number of the others.
pub(crate) fn shortened(names: impl ExactSizeIterator<Item = impl Display>) -> String {
    let others = names.len().saturating_sub(MAX_NAMES);
    let mut text =
        names.take(MAX_NAMES).map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
    if others > 0 {
        text += &format!(" and {others} more");
    }
    text
}

/// Warns of notations of other programs in a prompt, and of a prompt that is too long. `of` names where it is from.
pub(crate) fn warn_of_prompt(of: &str, prompt: &str) {
    PromptSyntax::find(prompt).for_each(|syntax| log::warn!("{of}: {syntax}"));
    warn_of_length(of, prompt);
}

/// Warns of the prompts of shots that are too long.
pub(crate) fn warn_of_long_shots(shots: &[Shot]) {
    for Shot { id, recipe, .. } in shots {
        warn_of_length(id.as_str(), &recipe.prompt);
        warn_of_length(id.as_str(), &recipe.negative_prompt);
    }
}

fn warn_of_length(of: &str, prompt: &str) {
    LongPrompt::find(prompt).into_iter().for_each(|long| log::warn!("{of}: {long}"));
}

/// Serializes a path for `--json`. JSON is Unicode: what is not UTF-8 in the name becomes U+FFFD, as in messages.
pub(crate) fn lossy_path<S: Serializer>(
    path: impl AsRef<Path>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
}

/// As [`lossy_path`], for a path that may be missing.
pub(crate) fn lossy_optional_path<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}

/// Formats a count with its noun: `1 picture`, `2 pictures`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A logger that prints warnings and errors on stderr.
struct StderrLog;

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = if record.level() == log::Level::Error { "error" } else { "warning" };
            print_error(format_args!("{level}: {}", record.args()));
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

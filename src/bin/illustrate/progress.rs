//! Progress output: a bar on a terminal, otherwise one line per picture.

use std::time::{Duration, Instant};

use bevy_illustrator::{
    control::{Control, Interrupt},
    memory::MemoryNeeds,
    studio::{JobView, Progress},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{escaped, print_error};

/// The progress of drawing several pictures, on stderr.
pub(crate) struct DrawProgress {
    bar: ProgressBar,
    pictures: usize,
    done: usize,
    started: Instant,
}

impl DrawProgress {
    pub(crate) fn new(pictures: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:24} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, pictures, done: 0, started: Instant::now() }
    }

    /// Updates the bar from the job in progress.
    pub(crate) fn show(&self, jobs: &[JobView]) {
        let Some((job, progress)) =
            jobs.iter().find_map(|view| Some((&view.job, view.progress.as_ref()?)))
        else {
            return;
        };
        let of = u64::from(progress.of.max(1));
        self.bar.set_length(self.pictures as u64 * of);
        self.bar.set_position(self.done as u64 * of + u64::from(progress.done));
        let position = format!("{} of {}", self.done + 1, self.pictures);
        let left = self.time_left(f64::from(progress.done) / of as f64);
        let left = left.map(|left| format!(", {} left", format_duration(left))).unwrap_or_default();
        let shot = escaped(job.shot.as_str());
        self.bar.set_message(match progress.loading {
            Some(needs) => format!("{position}: {shot}, loading the model. {}", needed(needs)),
            None => {
                let Progress { done, of, .. } = progress;
                format!("{position}: {shot}, step {done} of {of}{left}")
            }
        });
    }

    /// Counts one picture as done and prints a line about it.
    pub(crate) fn picture_done(&mut self, what: &str) {
        self.done += 1;
        self.print_line(&format!("[{}/{}] {what}", self.done, self.pictures));
    }

    /// Prints a line above the bar.
    pub(crate) fn print_line(&self, line: &str) {
        if self.bar.is_hidden() {
            print_error(line);
        } else {
            self.bar.println(escaped(line));
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The estimated time left. `fraction` is the finished fraction of the current picture.
    fn time_left(&self, fraction: f64) -> Option<Duration> {
        let done = self.done as f64 + fraction;
        let left = (self.pictures as f64 - done).max(0.0);
        (done > 0.0).then(|| self.started.elapsed().mul_f64(left / done))
    }
}

/// Formats a duration: `45 s`, `12 min`, `2 h 5 min`.
pub(crate) fn format_duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A progress bar for the steps of one picture.
pub(crate) fn step_bar(steps: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} step {pos} of {len}, {eta} left");
    ProgressBar::new(steps.into())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Prints the memory that a large model needs before it is loaded.
pub(crate) struct Loading<'a> {
    interrupt: &'a Interrupt,
}

/// The needs of smaller models are not printed.
const LARGE: u64 = 1_000_000_000;

impl<'a> Loading<'a> {
    pub(crate) fn new(interrupt: &'a Interrupt) -> Self {
        Self { interrupt }
    }
}

impl Control for Loading<'_> {
    fn interrupt(&self) -> &Interrupt {
        self.interrupt
    }

    fn loading(&self, needs: MemoryNeeds) {
        if needs.peak() > LARGE {
            print_error(needed(needs));
        }
    }
}

/// The memory that a model and its picture need.
fn needed(needs: MemoryNeeds) -> String {
    let peak = needs.peak() as f64 / 1e9;
    match needs.text_encoders {
        0 => format!("Drawing needs about {peak:.1} GB of memory"),
        _ => format!(
            "Drawing needs about {peak:.1} GB of memory, and is a little slower than with more"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_in_the_largest_units() {
        for (seconds, text) in [(7, "7 s"), (100, "2 min"), (5399, "90 min"), (7500, "2 h 5 min")] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), text);
        }
    }
}

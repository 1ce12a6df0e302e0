//! Progress output: a bar on a terminal, otherwise one line per picture.

use std::time::{Duration, Instant};

use bevy_illustrator::studio::JobView;
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
        self.bar.set_message(format!(
            "{position}: {shot}, step {} of {}{left}",
            progress.done, progress.of
        ));
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

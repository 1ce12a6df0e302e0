//! How far drawing is: a bar on a terminal, a line for each picture elsewhere.

use std::time::{Duration, Instant};

use bevy_illustrator::studio::JobView;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far drawing is, on stderr.
pub(crate) struct DrawProgress {
    bar: ProgressBar,
    pictures: usize,
    done: usize,
    began: Instant,
}

impl DrawProgress {
    pub(crate) fn new(pictures: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:24} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, pictures, done: 0, began: Instant::now() }
    }

    /// Shows the job that is under way.
    pub(crate) fn show(&self, jobs: &[JobView]) {
        let Some((job, progress)) =
            jobs.iter().find_map(|view| Some((&view.job, view.progress.as_ref()?)))
        else {
            return;
        };
        let of = u64::from(progress.of.max(1));
        self.bar.set_length(self.pictures as u64 * of);
        self.bar.set_position(self.done as u64 * of + u64::from(progress.done));
        let place = format!("{} of {}", self.done + 1, self.pictures);
        let left = self.left(f64::from(progress.done) / of as f64);
        let left = left.map(|left| format!(", {} left", short(left))).unwrap_or_default();
        self.bar.set_message(format!(
            "{place}: {}, step {} of {}{left}",
            job.shot, progress.done, progress.of
        ));
    }

    /// Tells that one more picture is done.
    pub(crate) fn drew(&mut self, what: &str) {
        self.done += 1;
        self.say(&format!("[{}/{}] {what}", self.done, self.pictures));
    }

    /// Says something above the bar.
    pub(crate) fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Time left, by what has been done so far.
    fn left(&self, of_this: f64) -> Option<Duration> {
        let done = self.done as f64 + of_this;
        let left = (self.pictures as f64 - done).max(0.0);
        (done > 0.0).then(|| self.began.elapsed().mul_f64(left / done))
    }
}

/// `45 s`, `12 min`, `2 h 5 min`.
pub(crate) fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A bar for the steps of one picture.
pub(crate) fn step_bar(steps: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} step {pos} of {len}, {eta} left");
    ProgressBar::new(steps.into())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(7, "7 s"), (100, "2 min"), (5399, "90 min"), (7500, "2 h 5 min")] {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
    }
}

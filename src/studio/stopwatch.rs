//! Measures working time without pauses.

use std::time::{Duration, Instant};

/// A stopwatch that can be paused.
#[derive(Debug)]
pub(super) struct Stopwatch {
    /// The time before `since`.
    before: Duration,
    /// `None` while paused.
    since: Option<Instant>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self { before: Duration::ZERO, since: Some(Instant::now()) }
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.before = self.elapsed();
        self.since = (!paused).then(Instant::now);
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_stopwatch_does_not_advance() {
        let mut watch = Stopwatch::start();
        watch.set_paused(true);
        let held = watch.elapsed();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(watch.elapsed(), held);
        watch.set_paused(false);
        std::thread::sleep(Duration::from_millis(5));
        assert!(watch.elapsed() >= held + Duration::from_millis(5));
    }
}

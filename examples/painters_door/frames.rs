//! `--frames FILE`: measures frame times while a picture is drawn and while the worker is idle.

use std::{fmt, fs, path::PathBuf, time::Duration};

use bevy::{prelude::*, time::Real};
use bevy_illustrator::project::Project;

/// Measures frame times, and writes a summary to a file when the game closes.
pub struct FramesPlugin {
    /// The file.
    pub file: PathBuf,
}

/// The first frames are not counted, because they compile pipelines and load fonts.
const WARM_UP: Duration = Duration::from_secs(5);

/// The duration of each frame.
#[derive(Resource, Debug, Default)]
struct Frames {
    painting: Vec<Duration>,
    idle: Vec<Duration>,
}

/// The statistics of frame times.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    count: usize,
    median: Duration,
    p95: Duration,
    p99: Duration,
}

impl Plugin for FramesPlugin {
    fn build(&self, app: &mut App) {
        let file = self.file.clone();
        app.init_resource::<Frames>().add_systems(First, measure).add_systems(
            Last,
            (move |frames: Res<Frames>| {
                if let Err(error) = fs::write(&file, frames.to_string()) {
                    error!("cannot write the frame times to {}: {error}", file.display());
                }
            })
            .run_if(on_message::<AppExit>),
        );
    }
}

fn measure(time: Res<Time<Real>>, project: Option<Res<Project>>, mut frames: ResMut<Frames>) {
    if time.elapsed() < WARM_UP {
        return;
    }
    let painting = project.is_some_and(|project| project.studio().current().is_some());
    let times = if painting { &mut frames.painting } else { &mut frames.idle };
    times.push(time.delta());
}

impl Spread {
    fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at =
            |part: f64| sorted.get(((sorted.len().checked_sub(1)?) as f64 * part).round() as usize);
        Some(Self { count: times.len(), median: *at(0.5)?, p95: *at(0.95)?, p99: *at(0.99)? })
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, times) in [("painting", &self.painting), ("idle", &self.idle)] {
            match Spread::of(times) {
                None => writeln!(f, "{name}: no frames")?,
                Some(Spread { count, median, p95, p99 }) => writeln!(
                    f,
                    "{name}: {count} frames, median {:.1} ms, 95 % {:.1} ms, 99 % {:.1} ms",
                    median.as_secs_f64() * 1e3,
                    p95.as_secs_f64() * 1e3,
                    p99.as_secs_f64() * 1e3,
                )?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_median_and_the_slowest_percentiles() {
        let mut times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        times.reverse();
        let spread = Spread::of(&times).expect("there are times");
        assert_eq!(spread.count, 100);
        assert_eq!(spread.median, Duration::from_millis(51));
        assert_eq!(spread.p95, Duration::from_millis(95));
        assert_eq!(spread.p99, Duration::from_millis(99));
        assert_eq!(Spread::of(&[]), None);
    }
}

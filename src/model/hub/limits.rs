//! Time limits of requests.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Time limits of requests. A large file may take hours, as long as its bytes keep arriving.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// For connecting, including TLS.
    pub(super) connect: Duration,
    /// From the request to the end of the response's headers. Also for the whole body of a listing.
    pub(super) response: Duration,
    /// Between two reads of a body.
    pub(super) idle: Duration,
    /// The period over which the speed of a body is measured.
    pub(super) period: Duration,
    /// The smallest number of bytes of a body in each period.
    pub(super) period_bytes: u64,
    /// The pause before the second attempt. Later pauses are longer.
    pub(super) pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            period: Duration::from_secs(60),
            period_bytes: 60 * 1024,
            // Fuzzers try millions of answers that end in another attempt.
            pause: Duration::from_millis(if cfg!(fuzzing) { 0 } else { 500 }),
        }
    }
}

/// The speed at which a body arrives. It counts the bytes of the body, and time that passes without
/// any.
#[derive(Debug)]
pub(super) struct Pace {
    period: Duration,
    period_bytes: u64,
    /// The start of the period, and the bytes since then. `None` before the body.
    since: Mutex<Option<(Instant, u64)>>,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { period, period_bytes, .. } = *limits;
        Self { period, period_bytes, since: Mutex::new(None) }
    }

    /// Returns an error if too few bytes arrived in a period.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`].
    pub(super) fn check(&self) -> io::Result<()> {
        let mut since = self.since();
        let Some((start, found)) = *since else { return Ok(()) };
        if start.elapsed() < self.period {
            return Ok(());
        }
        if found < self.period_bytes {
            let seconds = self.period.as_secs_f32();
            let message = format!("only {found} bytes arrived in {seconds} s");
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        *since = Some((Instant::now(), 0));
        Ok(())
    }

    fn start(&self) {
        *self.since() = Some((Instant::now(), 0));
    }

    fn add(&self, count: usize) {
        if let Some((_, found)) = &mut *self.since() {
            *found += count as u64;
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<(Instant, u64)>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A response body that must arrive at a minimum speed. Its connection looks at the pace.
#[derive(Debug)]
pub(super) struct SteadyBody<R> {
    body: R,
    pace: Arc<Pace>,
}

impl<R: Read> SteadyBody<R> {
    /// Starts the first period.
    pub(super) fn new(body: R, pace: Arc<Pace>) -> Self {
        pace.start();
        Self { body, pace }
    }
}

impl<R: Read> Read for SteadyBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.pace.add(count);
        Ok(count)
    }
}

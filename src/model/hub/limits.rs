//! Time limits of requests.

use std::{
    io::{self, Read},
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

/// A response body that must arrive at a minimum speed.
#[derive(Debug)]
pub(super) struct SteadyBody<R> {
    body: R,
    period: Duration,
    period_bytes: u64,
    since: Instant,
    found: u64,
}

impl<R: Read> SteadyBody<R> {
    pub(super) fn new(body: R, limits: &Limits) -> Self {
        let Limits { period, period_bytes, .. } = *limits;
        Self { body, period, period_bytes, since: Instant::now(), found: 0 }
    }
}

impl<R: Read> Read for SteadyBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.found += count as u64;
        if count > 0 && self.since.elapsed() >= self.period {
            if self.found < self.period_bytes {
                let (found, seconds) = (self.found, self.period.as_secs_f32());
                let message = format!("only {found} bytes arrived in {seconds} s");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            (self.since, self.found) = (Instant::now(), 0);
        }
        Ok(count)
    }
}

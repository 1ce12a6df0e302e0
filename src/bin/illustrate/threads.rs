//! The threads of rayon's global pool, on which the networks run.

use std::{iter, num::NonZero, thread};

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// More threads do not draw faster, and each needs memory.
const MAX_THREADS: usize = 256;

/// Starts the global pool with `RAYON_NUM_THREADS` threads, or one for each core. If the system does not provide as
/// many, the pool has fewer. rayon would panic later.
///
/// # Errors
/// If the pool cannot be built at all.
pub(crate) fn start() -> Result<(), ThreadPoolBuildError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let wanted = std::env::var("RAYON_NUM_THREADS").ok().and_then(|number| number.parse().ok());
    let wanted = wanted.filter(|&number| number > 0).unwrap_or(cores).min(MAX_THREADS);
    let halves = iter::successors(Some(wanted), |number| (*number > 1).then_some(number / 2));
    // A global pool that could not be built cannot be built again, so this is tried with another one.
    let mut possible = halves.filter(|&number| builder(number).build().is_ok());
    match possible.next() {
        Some(number) => builder(number).build_global(),
        None => {
            log::warn!("the system provides no further threads: drawing takes longer");
            builder(1).use_current_thread().build_global()
        }
    }
}

fn builder(threads: usize) -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().num_threads(threads)
}

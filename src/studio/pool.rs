//! The threads that compute, and how they stay out of the game's way.
//!
//! Everything that candle hands to rayon, and so nearly all of its work, stays within the pool made here
//! when it is called inside [`rayon::ThreadPool::install`]. Two things it does otherwise, and 0.11.1
//! offers no call to change them, only environment variables, which a library cannot set safely:
//!
//! * additions, multiplications and the like of 64 Ki elements and more go to threads named
//!   `candle-bp-N`, one fewer than `CANDLE_NUM_THREADS` (else `RAYON_NUM_THREADS`, else the number of
//!   cores). They start when first needed, which is on a thread of this pool; on Linux they inherit
//!   its low priority. `CANDLE_NUM_THREADS=1` in the environment keeps them away altogether;
//! * `Device::with_context` moves work to a pool of candle's own, at normal priority. Nothing in this
//!   crate calls it, and a generator should not.

use std::num::NonZero;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thread_priority::ThreadPriority;

/// Walks through a network recurse; what a thread does not touch costs nothing.
const STACK_BYTES: usize = 64 << 20;

/// A pool that computes beside the game, with a thread for each core but one, which is left to the game. Its threads
/// are called `name` and have the lowest priority.
///
/// # Errors
/// When the system gives no threads.
pub(crate) fn build(name: &'static str) -> Result<ThreadPool, ThreadPoolBuildError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    ThreadPoolBuilder::new()
        .num_threads(cores.saturating_sub(1).max(1))
        .thread_name(move |n| format!("{name}-{n}"))
        .stack_size(STACK_BYTES)
        .start_handler(|_| lower_priority())
        .build()
}

/// Gives the current thread the lowest priority that the system knows. Where it refuses, the work goes
/// on at normal priority.
pub(crate) fn lower_priority() {
    if let Err(error) = ThreadPriority::Min.set_for_current() {
        log::debug!("work goes on at normal priority: {error}");
    }
}

//! The thread pool for drawing, which must not slow down the game.
//!
//! Inside [`rayon::ThreadPool::install`], nearly all of candle's work runs on this pool. There are two
//! exceptions. In candle 0.11.1, only environment variables change them, and a library cannot set
//! those safely:
//!
//! * Element-wise operations on 64 Ki elements and more run on threads named `candle-bp-N`, one fewer
//!   than `CANDLE_NUM_THREADS` (else `RAYON_NUM_THREADS`, else the number of cores). A thread of this
//!   pool starts them when they are first needed, so on Linux they inherit its low priority.
//!   `CANDLE_NUM_THREADS=1` in the environment prevents them;
//! * `Device::with_context` runs work on candle's own pool, at normal priority. Nothing in this
//!   crate calls it, and a generator should not.

use std::num::NonZero;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thread_priority::ThreadPriority;

/// Networks recurse deeply. Stack memory that a thread never touches costs nothing.
const STACK_BYTES: usize = 64 << 20;

/// A low-priority pool with one thread fewer than there are cores, so that one core is free for the
/// game. Its threads are called `name`.
///
/// # Errors
/// If the threads cannot be started.
pub(crate) fn build(name: &'static str) -> Result<ThreadPool, ThreadPoolBuildError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    ThreadPoolBuilder::new()
        .num_threads(cores.saturating_sub(1).max(1))
        .thread_name(move |n| format!("{name}-{n}"))
        .stack_size(STACK_BYTES)
        .start_handler(|_| lower_priority())
        .build()
}

/// Gives the current thread the system's lowest priority. If that fails, the thread keeps normal
/// priority.
pub(crate) fn lower_priority() {
    if let Err(error) = ThreadPriority::Min.set_for_current() {
        log::debug!("drawing runs at normal priority: {error}");
    }
}

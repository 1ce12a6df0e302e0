//! Ctrl-C and SIGTERM: nothing unfinished is left behind.
//!
//! By default the program ends at once. A command that writes more than [`OutputFile`](crate::output::OutputFile)s calls
//! [`stop_gracefully`] and ends by itself; a second signal ends it at once.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::output::remove_unfinished;

/// The exit code of a program that Ctrl-C ended, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

static IS_GRACEFUL: AtomicBool = AtomicBool::new(false);
static IS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Handles the signals from now on.
///
/// # Errors
/// If the system refuses a handler or a thread.
pub(crate) fn handle() -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::sync::Arc;

        use signal_hook::{
            consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ},
            flag,
            iterator::Signals,
            low_level::emulate_default_handler,
        };
        // What the caller ignores stays ignored, as with `nohup`. Only Linux says what that is.
        let ignored = ignored_signals();
        let handled = [SIGINT, SIGTERM, SIGQUIT, SIGXCPU].map(|signal| (signal, 0));
        let handled = handled.into_iter().chain([(SIGHUP, u64::MAX)]);
        let handled = handled
            .filter(|(signal, unknown)| ignored.unwrap_or(*unknown) >> (signal - 1) & 1 == 0);
        // A write beyond the limit of file sizes is an error then, as on a full disk.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let mut signals = Signals::new(handled.map(|(signal, _)| signal))?;
        let wait = move || {
            for signal in signals.forever() {
                if must_end() {
                    remove_unfinished();
                    // The caller sees the signal.
                    if emulate_default_handler(signal).is_err() {
                        std::process::exit(INTERRUPTED.into());
                    }
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
        Ok(())
    }
    #[cfg(windows)]
    ctrlc::set_handler(|| {
        if must_end() {
            remove_unfinished();
            std::process::exit(INTERRUPTED.into());
        }
    })
    .map_err(io::Error::other)
}

/// From now on the first signal only sets [`is_stopped`].
pub(crate) fn stop_gracefully() {
    IS_GRACEFUL.store(true, Ordering::SeqCst);
}

/// Whether a signal asked the program to end.
pub(crate) fn is_stopped() -> bool {
    IS_STOPPED.load(Ordering::SeqCst)
}

fn must_end() -> bool {
    IS_STOPPED.swap(true, Ordering::SeqCst) || !IS_GRACEFUL.load(Ordering::SeqCst)
}

/// The signals that this process ignores: bit 0 for signal 1 and so on (`SigIgn` in `/proc/self/status`).
#[cfg(unix)]
fn ignored_signals() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

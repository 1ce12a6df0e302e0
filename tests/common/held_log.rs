//! Holds a thread of the library where it writes to the log.

use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

/// The texts whose messages wait.
static HELD: Mutex<Vec<String>> = Mutex::new(Vec::new());
static RELEASED: Condvar = Condvar::new();

struct HoldingLog;

impl log::Log for HoldingLog {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        let message = record.args().to_string();
        let is_held = |held: &mut Vec<String>| held.iter().any(|text| message.contains(text));
        drop(RELEASED.wait_while(held(), is_held));
    }

    fn flush(&self) {}
}

/// A thread that logs a message with this text waits until this is dropped.
pub struct HeldLog(String);

impl HeldLog {
    pub fn at(text: impl Into<String>) -> Self {
        static LOG: Once = Once::new();
        LOG.call_once(|| {
            log::set_logger(&HoldingLog).unwrap();
            log::set_max_level(log::LevelFilter::Debug);
        });
        let text = text.into();
        held().push(text.clone());
        Self(text)
    }
}

impl Drop for HeldLog {
    fn drop(&mut self) {
        held().retain(|text| *text != self.0);
        RELEASED.notify_all();
    }
}

fn held() -> MutexGuard<'static, Vec<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

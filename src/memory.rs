//! The memory of this machine.

use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// The main memory of this machine, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What programs can still get.
    pub available: u64,
    /// Free space on disk for memory that is not in use (swap).
    pub free_swap: u64,
}

/// Whether a model fits the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It fits now.
    Fits,
    /// It fits when other programs are closed.
    Tight,
    /// The machine has too little memory.
    TooLarge,
}

impl Memory {
    /// The memory of this machine now. `None` if the system does not tell it.
    #[must_use]
    pub fn now() -> Option<Self> {
        let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
        let system = System::new_with_specifics(kind).ok()?;
        Some(Self {
            total: system.total_memory(),
            available: system.available_memory(),
            free_swap: system.free_swap(),
        })
    }

    /// Checks that weights of this many bytes do not exhaust the memory, after which the system would end the program.
    ///
    /// # Errors
    /// If they need more than what is available, with free swap.
    pub fn check(&self, needed: u64) -> Result<(), MemoryError> {
        let free = self.available.saturating_add(self.free_swap);
        if needed <= free { Ok(()) } else { Err(MemoryError { needed, free, total: self.total }) }
    }

    /// Whether something that needs this many bytes fits.
    #[must_use]
    pub fn fit(&self, needed: u64) -> Fit {
        if needed <= self.available {
            Fit::Fits
        } else if needed <= self.total {
            Fit::Tight
        } else {
            Fit::TooLarge
        }
    }
}

/// There is too little memory for the weights of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its weights need {:.1} GB of memory, and {:.1} GB of {:.1} GB are free: close other programs, or choose a smaller model",
    gigabytes(*needed), gigabytes(*free), gigabytes(*total)
)]
pub struct MemoryError {
    /// The memory that the weights need, in bytes.
    pub needed: u64,
    /// The free memory, including swap, in bytes.
    pub free: u64,
    /// The memory of the machine, without swap.
    pub total: u64,
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_machine_is_plausible() {
        let Memory { total, available, .. } = Memory::now().unwrap();
        assert!(total > 1 << 28 && available > 0 && available <= total, "{available} of {total}");
    }

    #[test]
    fn what_is_larger_than_the_available_memory_is_tight_and_than_all_memory_too_large() {
        let memory = Memory { total: 100, available: 60, free_swap: 50 };
        let fits = [60, 61, 100, 101].map(|needed| memory.fit(needed));
        assert_eq!(fits, [Fit::Fits, Fit::Tight, Fit::Tight, Fit::TooLarge]);
    }

    #[test]
    fn only_what_exceeds_free_memory_and_swap_is_refused_with_the_numbers() {
        let gb = 1_000_000_000;
        let memory = Memory { total: 16 * gb, available: 9 * gb, free_swap: 2 * gb };
        assert_eq!(memory.check(11 * gb), Ok(()));
        let error = memory.check(18 * gb).unwrap_err().to_string();
        assert!(error.contains("18.0 GB") && error.contains("11.0 GB of 16.0 GB"), "{error}");
    }
}

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
        let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kind).ok()?;
        Some(Self { total: system.total_memory(), available: system.available_memory() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_machine_is_plausible() {
        let Memory { total, available } = Memory::now().unwrap();
        assert!(total > 1 << 28 && available > 0 && available <= total, "{available} of {total}");
    }

    #[test]
    fn what_is_larger_than_the_available_memory_is_tight_and_than_all_memory_too_large() {
        let memory = Memory { total: 100, available: 60 };
        let fits = [60, 61, 100, 101].map(|needed| memory.fit(needed));
        assert_eq!(fits, [Fit::Fits, Fit::Tight, Fit::Tight, Fit::TooLarge]);
    }
}

//! The memory of this machine, and the memory that models need.

use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// The main memory of this machine, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// It fits now if it uses little memory.
    FitsLow,
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

    /// The part of this memory that is not above a budget in bytes.
    #[must_use]
    pub fn within(self, budget: u64) -> Self {
        let available = self.available.min(budget);
        let free_swap = self.free_swap.min(budget - available);
        Self { total: self.total.min(budget), available, free_swap }
    }

    /// Checks that this many bytes do not exhaust the memory, after which the system would end the program.
    ///
    /// # Errors
    /// If they are more than what is available, with free swap.
    pub fn check(&self, needed: u64) -> Result<(), MemoryError> {
        let free = self.available.saturating_add(self.free_swap);
        if needed <= free { Ok(()) } else { Err(MemoryError { needed, free, total: self.total }) }
    }

    /// Whether a model fits that needs so many bytes usually, and at least.
    #[must_use]
    pub fn fit(&self, usual: u64, least: u64) -> Fit {
        if usual <= self.available {
            Fit::Fits
        } else if least <= self.available {
            Fit::FitsLow
        } else if least <= self.total {
            Fit::Tight
        } else {
            Fit::TooLarge
        }
    }
}

/// An estimate of the memory that a model and a picture need at their peak, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryNeeds {
    /// The weights that stay in memory.
    pub weights: u64,
    /// The weights of the text encoders, if they are in memory only while prompts are encoded.
    pub text_encoders: u64,
    /// The results of the networks while a picture is drawn.
    pub picture: u64,
}

impl MemoryNeeds {
    /// The most that is needed at any time.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.weights.saturating_add(self.picture.max(self.text_encoders))
    }
}

/// The memory that a model needs for a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelMemory {
    /// If all networks stay in memory: as 32-bit floats, or the denoiser in its [`Precision`](crate::diffusion::Precision).
    pub usual: MemoryNeeds,
    /// With [`LoadOptions::low_memory`](crate::diffusion::LoadOptions::low_memory).
    pub low: MemoryNeeds,
}

impl ModelMemory {
    /// The least memory, in bytes.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.low.peak().min(self.usual.peak())
    }

    /// Whether the model must use little memory, so that it fits together with optional components that need `components` bytes.
    /// Only some pictures need those, so that the model may be loaded without room for them.
    ///
    /// # Errors
    /// If it does not fit even then.
    pub fn needs_low(&self, memory: Memory, components: u64) -> Result<bool, MemoryError> {
        if self.usual.peak().saturating_add(components) <= memory.available {
            return Ok(false);
        }
        memory.check(self.least())?;
        Ok(self.low.peak() < self.usual.peak())
    }
}

/// There is too little memory for a model or a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "drawing needs about {:.1} GB of memory, and {:.1} GB of {:.1} GB are free: close other programs, raise the memory budget if there \
     is one, or choose a smaller model or a smaller picture",
    gigabytes(*needed), gigabytes(*free), gigabytes(*total)
)]
pub struct MemoryError {
    /// The memory that is needed, in bytes.
    pub needed: u64,
    /// The free memory, including swap, in bytes.
    pub free: u64,
    /// The memory of the machine, without swap, or the budget.
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
        let fits = [60, 61, 100, 101].map(|needed| memory.fit(needed, needed));
        assert_eq!(fits, [Fit::Fits, Fit::Tight, Fit::Tight, Fit::TooLarge]);
        let fits = [60, 61, 101].map(|least| memory.fit(200, least));
        assert_eq!(fits, [Fit::FitsLow, Fit::Tight, Fit::TooLarge]);
    }

    #[test]
    fn only_what_exceeds_free_memory_and_swap_is_refused_with_the_numbers() {
        let gb = 1_000_000_000;
        let memory = Memory { total: 16 * gb, available: 9 * gb, free_swap: 2 * gb };
        assert_eq!(memory.check(11 * gb), Ok(()));
        let error = memory.check(18 * gb).unwrap_err().to_string();
        assert!(error.contains("18.0 GB") && error.contains("11.0 GB of 16.0 GB"), "{error}");
    }

    #[test]
    fn a_budget_limits_the_memory_and_then_the_swap() {
        let memory = Memory { total: 100, available: 60, free_swap: 50 };
        assert_eq!(memory.within(80), Memory { total: 80, available: 60, free_swap: 20 });
        assert_eq!(memory.within(40), Memory { total: 40, available: 40, free_swap: 0 });
        assert_eq!(memory.within(500), memory);
    }

    #[test]
    fn a_model_uses_little_memory_only_if_it_does_not_fit_otherwise() {
        let needs = |weights, text_encoders| MemoryNeeds { weights, text_encoders, picture: 20 };
        let model = ModelMemory { usual: needs(50, 0), low: needs(25, 30) };
        assert_eq!((model.usual.peak(), model.low.peak(), model.least()), (70, 55, 55));
        let free = |available| Memory { total: 100, available, free_swap: 0 };
        assert_eq!(model.needs_low(free(70), 0), Ok(false));
        assert_eq!(model.needs_low(free(70), 1), Ok(true), "with components");
        assert_eq!(model.needs_low(free(71), 1), Ok(false));
        assert_eq!(model.needs_low(free(69), 0), Ok(true));
        let error = MemoryError { needed: 55, free: 54, total: 100 };
        assert_eq!(model.needs_low(free(54), 0), Err(error));
        let other = ModelMemory { usual: needs(50, 0), low: needs(50, 0) };
        assert_eq!(other.needs_low(Memory { free_swap: 9, ..free(61) }, 0), Ok(false), "with swap");
    }
}

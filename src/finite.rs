//! Finite numbers in files. JSON has no infinite numbers, but `1e39` would become one in 32 bits, and be `null` when it is
//! written again.

use serde::{Deserialize, Deserializer, de};

/// A number, or an optional one.
pub(crate) trait Finite {
    /// The number, unless it is finite or absent.
    fn not_finite(&self) -> Option<f32>;
}

impl Finite for f32 {
    fn not_finite(&self) -> Option<f32> {
        (!self.is_finite()).then_some(*self)
    }
}

impl Finite for Option<f32> {
    fn not_finite(&self) -> Option<f32> {
        self.as_ref()?.not_finite()
    }
}

/// Deserializes a number that must be finite.
///
/// # Errors
/// If it is not finite in 32 bits.
pub(crate) fn finite<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Finite + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let number = T::deserialize(deserializer)?;
    match number.not_finite() {
        None => Ok(number),
        Some(other) => {
            let message = format!("the number {other} is not between -3.4e38 and 3.4e38");
            Err(de::Error::custom(message))
        }
    }
}

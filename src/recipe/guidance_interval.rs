//! The steps in which guidance acts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    digest::Digester,
    loss::{is_one, is_zero, one},
};
use crate::finite::finite;

#[cfg(feature = "plugin")]
use bevy::prelude::{Reflect, ReflectDefault};

/// The steps in which guidance acts (Kynkäänniemi et al. 2024, arXiv:2404.07724), as shares of all steps: `start` and `stop`
/// of diffusers' `ClassifierFreeGuidance`. In the other steps only the prompt counts, and the network does not run for the
/// negative prompt.
///
/// All steps are those of the scheduler. An edit of strength 0.4 runs the last 40 % of them: with an interval that ends
/// at 0.8, it is guided in the first half of the steps that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct GuidanceInterval {
    /// The share of the steps before guidance begins, in 0..=1.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "finite")]
    pub from: f32,
    /// The share of the steps at which guidance ends, above `from` and at most 1.
    #[serde(skip_serializing_if = "is_one", deserialize_with = "finite")]
    pub to: f32,
}

/// An invalid interval of guidance.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GuidanceIntervalError {
    /// The interval is empty, or out of range.
    #[error(
        "guidance cannot act from {from} to {to}: give two numbers from 0 to 1, the first one smaller, such as 0.1 and 0.8"
    )]
    Range {
        /// The beginning.
        from: f32,
        /// The end.
        to: f32,
    },
    /// A text is not two numbers.
    #[error(
        "expected two numbers from 0 to 1 with a colon between them, such as 0.1:0.8, but found `{0}`"
    )]
    Text(String),
}

impl GuidanceInterval {
    /// Checks the range.
    ///
    /// # Errors
    /// [`GuidanceIntervalError::Range`] if it is empty, or not within 0..=1.
    pub fn check(self) -> Result<(), GuidanceIntervalError> {
        let Self { from, to } = self;
        match from >= 0.0 && from < to && to <= 1.0 {
            true => Ok(()),
            false => Err(GuidanceIntervalError::Range { from, to }),
        }
    }

    /// Whether the step `index` of `count` steps is guided. Both ends are rounded down to whole steps, as in diffusers.
    #[must_use]
    pub fn contains(self, index: usize, count: usize) -> bool {
        let [from, to] = [self.from, self.to].map(|share| (share * count as f32) as usize);
        (from..to).contains(&index)
    }

    pub(super) fn feed(self, digest: &mut Digester) {
        digest.optional_float("from", Some(self.from));
        digest.optional_float("to", Some(self.to));
    }
}

impl Default for GuidanceInterval {
    /// All steps.
    fn default() -> Self {
        Self { from: 0.0, to: one() }
    }
}

impl fmt::Display for GuidanceInterval {
    /// As `0.1:0.8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.to)
    }
}

impl FromStr for GuidanceInterval {
    type Err = GuidanceIntervalError;

    /// Parses two numbers with a colon between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once(':').and_then(|(from, to)| {
            Some(Self { from: from.trim().parse().ok()?, to: to.trim().parse().ok()? })
        });
        let interval = ends.ok_or_else(|| GuidanceIntervalError::Text(text.to_owned()))?;
        interval.check()?;
        Ok(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ClassifierFreeGuidance(start=.., stop=..)` of diffusers 0.42.1 uses two predictions in these steps.
    #[test]
    fn the_guided_steps_are_those_of_diffusers() {
        let guided = |from, to, count| {
            let interval = GuidanceInterval { from, to };
            (0..count).filter(|index| interval.contains(*index, count)).collect::<Vec<_>>()
        };
        assert_eq!(guided(0.0, 1.0, 4), [0, 1, 2, 3]);
        assert_eq!(guided(0.1, 0.8, 10), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(guided(0.2, 0.7, 6), [1, 2, 3]);
        assert!(guided(0.5, 0.6, 4).is_empty());
        assert_eq!(guided(0.3, 0.7, 10), [3, 4, 5, 6]);
    }

    #[test]
    fn an_interval_is_two_growing_numbers_from_0_to_1() {
        assert_eq!("0.1:0.8".parse(), Ok(GuidanceInterval { from: 0.1, to: 0.8 }));
        assert_eq!("0:1".parse(), Ok(GuidanceInterval::default()));
        assert_eq!(GuidanceInterval { from: 0.25, to: 1.0 }.to_string(), "0.25:1");
        for bad in ["", "0.5", "a:b", "0.8:0.1", "0.5:0.5", "-0.1:1", "0:1.1", "NaN:1", "0:NaN"] {
            let error = bad.parse::<GuidanceInterval>().unwrap_err().to_string();
            assert!(error.contains("0.1"), "{bad}: {error}");
        }
    }

    #[test]
    fn missing_ends_are_those_of_all_steps() {
        let interval = GuidanceInterval { from: 0.25, to: 1.0 };
        assert_eq!(ron::from_str::<GuidanceInterval>("(from: 0.25)").unwrap(), interval);
        assert_eq!(serde_json::to_string(&interval).unwrap(), r#"{"from":0.25}"#);
        assert!(serde_json::from_str::<GuidanceInterval>(r#"{"from":1e39}"#).is_err());
        assert!(ron::from_str::<GuidanceInterval>("(form: 0.25)").is_err());
    }
}

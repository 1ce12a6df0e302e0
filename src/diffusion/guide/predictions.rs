//! The predictions of a step.

use candle_core::{Error, Result, Tensor};

/// The predictions of a step under each conditioning, in the same order. Those that the guide does not read are missing.
#[derive(Clone, Debug)]
pub struct Predictions(Vec<Option<Tensor>>);

impl Predictions {
    /// The prediction with this index, (1, channels, height, width).
    ///
    /// # Errors
    /// If it is missing.
    pub fn get(&self, index: usize) -> Result<&Tensor> {
        let prediction = self.0.get(index).and_then(Option::as_ref);
        prediction
            .ok_or_else(|| Error::msg(format!("prediction {index} was not made in this step")))
    }
}

impl IntoIterator for Predictions {
    type Item = Option<Tensor>;
    type IntoIter = std::vec::IntoIter<Option<Tensor>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Option<Tensor>> for Predictions {
    fn from_iter<I: IntoIterator<Item = Option<Tensor>>>(predictions: I) -> Self {
        Self(predictions.into_iter().collect())
    }
}

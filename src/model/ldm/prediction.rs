//! What the UNet of a single file predicts, as far as the file tells it.

use crate::{model::tensors::TensorHeader, recipe::PredictionType};

/// A tensor that marks a model that predicts the velocity. `ComfyUI` reads and writes it.
const V_PREDICTION: &str = "v_pred";

/// The metadata that tell it: that of the standard of Stability AI, which sd-scripts writes, and that of `ComfyUI`.
const METADATA: [&str; 2] = ["modelspec.prediction_type", "modelspec.predict_key"];

/// What the UNet predicts. `None` if the file does not tell it.
pub(in crate::model) fn told(header: &TensorHeader) -> Option<PredictionType> {
    if header.shape(V_PREDICTION).is_some() {
        return Some(PredictionType::Velocity);
    }
    METADATA.into_iter().find_map(|key| match header.text(key)? {
        "epsilon" => Some(PredictionType::Epsilon),
        "v" => Some(PredictionType::Velocity),
        _ => None,
    })
}

//! Masks and scribbles in text formats: a PNG as base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::Mask;

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let png = self.to_png().map_err(ser::Error::custom)?;
        encoded(&png, serializer)
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_png(&decoded(deserializer)?).map_err(de::Error::custom)
    }
}

/// Decodes base64.
pub(crate) fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD.decode(text).map_err(de::Error::custom)
}

/// Encodes bytes as base64.
pub(crate) fn encoded<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_survives_encoding_as_text() {
        let mask = Mask::from_fn(31, 17, |x, y| (x * y) as u8);
        let text = serde_json::to_string(&mask).unwrap();
        assert_eq!(serde_json::from_str::<Mask>(&text).unwrap(), mask);
        for wrong in ["\"?\"", "\"QUJD\"", "3"] {
            assert!(serde_json::from_str::<Mask>(wrong).is_err(), "{wrong}");
        }
    }
}

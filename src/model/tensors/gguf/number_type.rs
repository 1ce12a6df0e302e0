//! The types of numbers in GGUF files.

use std::fmt;

use candle_core::{DType, quantized::GgmlDType};

/// A type of numbers, by its id in ggml. An id that ggml does not use yet is a type that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberType(pub(super) u32);

/// The ids and names in ggml, and the types in candle of those that it can read.
const TYPES: [(u32, &str, Option<GgmlDType>); 32] = [
    (0, "F32", Some(GgmlDType::F32)),
    (1, "F16", Some(GgmlDType::F16)),
    (2, "Q4_0", Some(GgmlDType::Q4_0)),
    (3, "Q4_1", Some(GgmlDType::Q4_1)),
    (6, "Q5_0", Some(GgmlDType::Q5_0)),
    (7, "Q5_1", Some(GgmlDType::Q5_1)),
    (8, "Q8_0", Some(GgmlDType::Q8_0)),
    // Only for products.
    (9, "Q8_1", None),
    (10, "Q2_K", Some(GgmlDType::Q2K)),
    (11, "Q3_K", Some(GgmlDType::Q3K)),
    (12, "Q4_K", Some(GgmlDType::Q4K)),
    (13, "Q5_K", Some(GgmlDType::Q5K)),
    (14, "Q6_K", Some(GgmlDType::Q6K)),
    (15, "Q8_K", None),
    (16, "IQ2_XXS", None),
    (17, "IQ2_XS", None),
    (18, "IQ3_XXS", None),
    (19, "IQ1_S", None),
    (20, "IQ4_NL", None),
    (21, "IQ3_S", None),
    (22, "IQ2_S", None),
    (23, "IQ4_XS", None),
    (24, "I8", None),
    (25, "I16", None),
    (26, "I32", None),
    (27, "I64", None),
    (28, "F64", None),
    (29, "IQ1_M", None),
    (30, "BF16", Some(GgmlDType::BF16)),
    (34, "TQ1_0", None),
    (35, "TQ2_0", None),
    (39, "MXFP4", None),
];

impl NumberType {
    /// The type with this name in ggml, such as `Q4_K`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known, _)| *known == name).map(|(id, ..)| Self(*id))
    }

    /// The type of its blocks in candle; a number of a type without blocks counts as a block. `None` if it cannot be read.
    #[must_use]
    pub fn blocks(self) -> Option<GgmlDType> {
        TYPES.iter().find(|(id, ..)| *id == self.0).and_then(|(.., blocks)| *blocks)
    }

    /// The type in candle of numbers that are not quantized.
    pub(super) fn plain(self) -> Option<DType> {
        match self.blocks()? {
            GgmlDType::F32 => Some(DType::F32),
            GgmlDType::F16 => Some(DType::F16),
            GgmlDType::BF16 => Some(DType::BF16),
            _ => None,
        }
    }
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TYPES.iter().find(|(id, ..)| *id == self.0) {
            Some((_, name, _)) => f.write_str(name),
            None => write!(f, "number {} of ggml", self.0),
        }
    }
}

//! The header of a safetensors file: which tensors it holds, without reading one of them.
//!
//! A file begins with the header's length (u64, little-endian), then comes the header as JSON, then
//! the tensors, one after another, to the end.

use std::{collections::BTreeMap, io::Read};

use serde::Deserialize;

/// A longer header is refused unread, as the safetensors format itself does.
const MAX_HEADER: u64 = 100_000_000;

/// Which tensors a safetensors file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorHeader {
    /// The tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
}

/// One tensor as the header describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TensorInfo {
    /// `F16`, `BF16`, `F32`, ...
    pub dtype: String,
    /// Its sizes; empty for a scalar.
    pub shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Why a file is no whole safetensors file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The file ends within its header.
    #[error("the file is cut off within its header ({bytes} bytes): download it again")]
    CutOffHeader {
        /// Size of the file.
        bytes: u64,
    },
    /// The header claims to be longer than any header may be.
    #[error(
        "the header claims {claimed} bytes; at most {MAX_HEADER} are allowed: this is no safetensors file, or it was damaged"
    )]
    HeaderTooLong {
        /// What it claims.
        claimed: u64,
    },
    /// The header is not what the format asks for.
    #[error("the header is damaged ({0}): download the file again")]
    Damaged(String),
    /// The header places a tensor where it cannot be.
    #[error("the header describes the tensor `{tensor}` wrongly: download the file again")]
    Misplaced {
        /// Name of the tensor.
        tensor: String,
    },
    /// The file ends before its last tensor does.
    #[error(
        "the file is cut off: {missing} bytes are missing, from the tensor `{tensor}` on: download it again"
    )]
    CutOff {
        /// Name of the first tensor that is not whole.
        tensor: String,
        /// Bytes that are missing.
        missing: u64,
    },
    /// The file goes on after its last tensor.
    #[error("{surplus} bytes follow the last tensor: the file was damaged, download it again")]
    Surplus {
        /// How many.
        surplus: u64,
    },
}

impl TensorHeader {
    /// Reads the header of a file of `bytes` bytes, and checks that all its tensors lie within.
    ///
    /// # Errors
    /// When the file is no safetensors file, or not whole. A file that cannot be read to the end of
    /// its header counts as cut off there.
    pub fn read(mut file: impl Read, bytes: u64) -> Result<Self, HeaderError> {
        let cut_off = |_| HeaderError::CutOffHeader { bytes };
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(cut_off)?;
        let claimed = u64::from_le_bytes(length);
        if claimed > MAX_HEADER {
            return Err(HeaderError::HeaderTooLong { claimed });
        }
        let data_bytes = bytes
            .checked_sub(8)
            .and_then(|rest| rest.checked_sub(claimed))
            .ok_or(HeaderError::CutOffHeader { bytes })?;
        let mut json = Vec::new();
        file.take(claimed).read_to_end(&mut json).map_err(cut_off)?;
        if (json.len() as u64) < claimed {
            return Err(HeaderError::CutOffHeader { bytes });
        }
        let header = Self::parse(&json)?;
        header.check(data_bytes)?;
        Ok(header)
    }

    /// Weights in all tensors together.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(TensorInfo::elements).fold(0, u64::saturating_add)
    }

    fn parse(json: &[u8]) -> Result<Self, HeaderError> {
        let damaged = |error: serde_json::Error| HeaderError::Damaged(error.to_string());
        let mut entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(damaged)?;
        let metadata = match entries.remove("__metadata__") {
            Some(metadata) => serde_json::from_value(metadata).map_err(damaged)?,
            None => BTreeMap::new(),
        };
        let tensors = entries
            .into_iter()
            .map(|(name, value)| Ok((name, serde_json::from_value(value).map_err(damaged)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { tensors, metadata })
    }

    fn check(&self, data_bytes: u64) -> Result<(), HeaderError> {
        let mut in_file: Vec<_> = self.tensors.iter().collect();
        in_file.sort_by_key(|(_, info)| info.data_offsets);
        let mut last = 0;
        for (name, info) in in_file {
            let (begin, end) = info.data_offsets;
            let fits = end.checked_sub(begin).is_some_and(|stored| info.takes(stored));
            if begin != last || !fits {
                return Err(HeaderError::Misplaced { tensor: name.clone() });
            }
            if end > data_bytes {
                let missing = self.end() - data_bytes;
                return Err(HeaderError::CutOff { tensor: name.clone(), missing });
            }
            last = end;
        }
        if last < data_bytes {
            return Err(HeaderError::Surplus { surplus: data_bytes - last });
        }
        Ok(())
    }

    /// Where the last tensor ends.
    fn end(&self) -> u64 {
        self.tensors.values().map(|info| info.data_offsets.1).max().unwrap_or(0)
    }
}

impl TensorInfo {
    /// How many numbers it holds.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, &size| product.saturating_mul(size))
    }

    /// Whether it takes `stored` bytes; a type that is not known here takes any number.
    fn takes(&self, stored: u64) -> bool {
        let bits = match self.dtype.as_str() {
            "F4" => 4,
            "F6_E2M3" | "F6_E3M2" => 6,
            "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => 8,
            "I16" | "U16" | "F16" | "BF16" => 16,
            "I32" | "U32" | "F32" => 32,
            "I64" | "U64" | "F64" | "C64" => 64,
            _ => return true,
        };
        u128::from(self.elements()) * bits == u128::from(stored) * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(json: &str, data_bytes: usize) -> Vec<u8> {
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        file.resize(file.len() + data_bytes, 0);
        file
    }

    fn read(file: &[u8]) -> Result<TensorHeader, HeaderError> {
        TensorHeader::read(file, file.len() as u64)
    }

    const TWO: &str = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},
        "b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}"#;

    #[test]
    fn tensors_and_metadata_are_read() {
        let header = read(&file(TWO, 16)).expect("a whole file");
        assert_eq!(header.tensors["a"].shape, [2, 3]);
        assert_eq!(header.tensors["b"].dtype, "F32");
        assert_eq!(header.metadata["format"], "pt");
        assert_eq!(header.parameters(), 7);
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_told_as_cut_off() {
        let whole = file(TWO, 16);
        for length in 0..whole.len() {
            let error = read(&whole[..length]).expect_err("not whole");
            let cut_off =
                matches!(error, HeaderError::CutOffHeader { .. } | HeaderError::CutOff { .. });
            assert!(cut_off, "{length}: {error}");
        }
        let error = read(&file(TWO, 13)).expect_err("not whole");
        assert_eq!(error, HeaderError::CutOff { tensor: "b".to_owned(), missing: 3 });
        assert_eq!(read(&file(TWO, 18)), Err(HeaderError::Surplus { surplus: 2 }));
    }

    #[test]
    fn a_header_that_lies_about_its_length_is_refused_unread() {
        for claimed in [u64::MAX, u64::MAX - 7, 1 << 40] {
            let error = read(&claimed.to_le_bytes());
            assert_eq!(error, Err(HeaderError::HeaderTooLong { claimed }));
        }
        let error = read(&99_999_999_u64.to_le_bytes());
        assert_eq!(error, Err(HeaderError::CutOffHeader { bytes: 8 }));
    }

    #[test]
    fn a_tensor_that_lies_about_its_place_or_size_is_refused() {
        let shape_and_offsets = [
            ("[2,2]", "[0,9]"),
            ("[4]", "[16,0]"),
            ("[4]", "[4,20]"),
            ("[18446744073709551615,18446744073709551615]", "[0,16]"),
        ];
        for (shape, offsets) in shape_and_offsets {
            let json =
                format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#);
            let error = read(&file(&json, 16));
            assert_eq!(error, Err(HeaderError::Misplaced { tensor: "a".to_owned() }), "{json}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_damaged_header_never_panics(
            at in 0..TWO.len(), byte in any::<u8>(), data_bytes in 0..40_usize, bytes in any::<u64>(),
        ) {
            let mut file = file(TWO, data_bytes);
            file[8 + at] = byte;
            let _ = read(&file);
            let _ = TensorHeader::read(file.as_slice(), bytes);
        }

        #[test]
        fn any_offsets_and_shapes_never_panic(
            shape in proptest::collection::vec(any::<u64>(), 0..4),
            begin in any::<u64>(), end in any::<u64>(), data_bytes in 0..40_usize,
        ) {
            let json = format!(
                r#"{{"a":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}}}"#
            );
            let _ = read(&file(&json, data_bytes));
        }
    }
}

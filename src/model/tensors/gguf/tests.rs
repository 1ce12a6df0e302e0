use candle_core::{DType, Device};
use proptest::prelude::*;

use super::*;
use crate::model::{ModelError, tensors::TensorSource};

/// Builds a GGUF file field by field.
#[derive(Clone, Default)]
struct Builder(Vec<u8>);

impl Builder {
    fn new(tensors: u64, metadata: u64) -> Self {
        let start = Self(b"GGUF".to_vec()).u32(3);
        start.u64(tensors).u64(metadata)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.u64(text.len() as u64).bytes(text.as_bytes())
    }

    /// A tensor with sides from the innermost to the outermost.
    fn tensor(self, name: &str, sides: &[u64], kind: u32, offset: u64) -> Self {
        let shape = self.text(name).u32(sides.len() as u32);
        let shape = sides.iter().fold(shape, |shape, side| shape.u64(*side));
        shape.u32(kind).u64(offset)
    }

    /// Bytes up to the first tensor, then `count` more.
    fn data(mut self, count: usize) -> Self {
        let start = self.0.len().next_multiple_of(32);
        self.0.resize(start + count, 7);
        self
    }

    fn read(&self) -> Result<GgufHeader, GgufError> {
        GgufHeader::read(self.0.as_slice(), self.0.len() as u64)
    }

    fn open(&self) -> (tempfile::TempDir, Result<GgufFile, ModelError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gguf");
        std::fs::write(&path, &self.0).unwrap();
        let opened = GgufFile::open(&path);
        (folder, opened)
    }
}

/// Two matrices, one in blocks.
fn two_tensors() -> Builder {
    Builder::new(2, 0).tensor("a", &[3, 2], 0, 0).tensor("b", &[64, 2], 8, 32).data(32 + 4 * 34)
}

#[test]
fn shapes_are_those_of_the_file_in_reverse_order() {
    let header = two_tensors().read().unwrap();
    assert_eq!(header.shape("a"), Some(&[2, 3][..]));
    assert_eq!(header.shape("b"), Some(&[2, 64][..]));
    assert_eq!(header.parameters(), [("F32".to_owned(), 6), ("Q8_0".to_owned(), 128)].into());
    assert_eq!(header.unreadable(), None);
}

#[test]
fn values_and_lists_of_the_metadata_are_read() {
    let file = Builder::new(0, 6)
        .text("size")
        .u32(4)
        .u32(32)
        .text("eps")
        .u32(6)
        .u32(1e-5_f32.to_bits())
        .text("yes")
        .u32(7)
        .bytes(&[1])
        .text("name")
        .u32(8)
        .text("qwen3")
        .text("tokens")
        .u32(9)
        .u32(8)
        .u64(2)
        .text("a")
        .text("bc")
        .text("types")
        .u32(9)
        .u32(5)
        .u64(2)
        .u64(0);
    let (_folder, file) = file.open();
    let file = file.unwrap();
    let value = |name: &str| file.header().value(name).cloned();
    assert_eq!(value("size"), Some(32.into()));
    assert_eq!(value("eps"), Some(1e-5.into()));
    assert_eq!(value("yes"), Some(true.into()));
    assert_eq!(value("name"), Some("qwen3".into()));
    assert_eq!(value("tokens"), None);
    let texts = |name: &str| file.texts(name).unwrap();
    assert_eq!(texts("tokens"), Some(vec!["a".to_owned(), "bc".to_owned()]));
    assert_eq!((texts("types"), texts("none")), (None, None));
}

#[test]
fn a_file_that_ends_early_is_truncated_at_every_byte() {
    let whole = two_tensors();
    for length in 4..whole.0.len() {
        let error = Builder(whole.0[..length].to_vec()).read().unwrap_err();
        let is_named = match &error {
            GgufError::CutOffHeader { field } => !field.is_empty(),
            GgufError::CutOff { tensor, missing } => {
                let end =
                    if tensor == "a" { whole.0.len() - 32 - 4 * 34 + 24 } else { whole.0.len() };
                *missing == (end - length) as u64
            }
            _ => false,
        };
        assert!(is_named, "{length}: {error}");
    }
}

#[test]
fn absurd_headers_are_refused_with_the_name_of_the_field() {
    let many = u64::MAX / 2;
    let list = |item: u32, count: u64| Builder::new(0, 1).text("list").u32(9).u32(item).u64(count);
    let one = |sides: &[u64], kind: u32, offset: u64| {
        Builder::new(1, 0).tensor("a", sides, kind, offset).data(64)
    };
    for (file, part) in [
        (Builder(b"GGML".to_vec()).u32(3).u64(0).u64(0), "does not begin"),
        (Builder(b"GGUF".to_vec()).u32(1).u32(0).u32(0), "version 1"),
        (Builder(b"GGUF".to_vec()).u32(3_u32.swap_bytes()).u64(0).u64(0), "version 50331648"),
        (Builder::new(many, 0), "9223372036854775807 tensors"),
        (Builder::new(0, many), "9223372036854775807 metadata"),
        (Builder::new(1, 0).u64(many), "the name of a tensor"),
        (Builder::new(0, 1).u64(300).data(300), "the name of metadata has 300 bytes"),
        (list(8, many), "`list`"),
        (list(8, 1).u64(many), "`list`"),
        (list(4, many), "`list`"),
        (list(9, 1), "`list` has the type 9"),
        (Builder::new(0, 1).text("odd").u32(77), "`odd` has the type 77"),
        (Builder::new(0, 1).text("general.alignment").u32(4).u32(0), "`general.alignment` is 0"),
        (Builder::new(0, 1).text("general.alignment").u32(4).u32(24), "is 24"),
        (Builder::new(0, 2).text("k").u32(4).u32(0).text("k").u32(4).u32(0), "`k` occurs twice"),
        (two_tensors().twice("a"), "`a` occurs twice"),
        (Builder::new(1, 0).text("a").u32(99), "`a` has 99 dimensions"),
        (one(&[many, 4], 0, 0), "`a` has the shape [9223372036854775807, 4]"),
        (one(&[33, 2], 2, 0), "`a` has rows of 33 numbers in blocks of 32"),
        (one(&[4], 0, 31), "`a` has the offset 31"),
        (one(&[4], 0, 1 << 63), "bytes are missing in the tensor `a`"),
        (one(&[4], 0, u64::MAX - 31), "`a` has an offset outside"),
        (one(&[4], 99, 1 << 40), "bytes are missing in the tensor `a`"),
    ] {
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains(part), "{error} does not contain {part}");
    }
}

impl Builder {
    /// The file with a third tensor, whose name is in use.
    fn twice(self, name: &str) -> Self {
        let header = Self::new(3, 0).tensor("a", &[3, 2], 0, 0).tensor("b", &[64, 2], 8, 32);
        header.tensor(name, &[1], 0, 0).data(200)
    }
}

#[test]
fn a_header_that_is_too_long_is_refused_before_it_is_read() {
    let claimed = Builder::new(0, 1).text("list").u32(9).u32(4).u64(MAX_HEADER_BYTES);
    let error = GgufHeader::read(claimed.0.as_slice(), u64::MAX).unwrap_err();
    assert_eq!(error, GgufError::HeaderTooLong { field: "`list`".to_owned() });
}

#[test]
fn a_tensor_of_another_type_is_named_with_its_file_and_type() {
    for (kind, name) in [(20, "IQ4_NL"), (99, "number 99 of ggml")] {
        let (_folder, file) = Builder::new(1, 0).tensor("odd", &[32], kind, 0).data(64).open();
        let file = file.unwrap();
        assert_eq!(file.header().unreadable().unwrap().0, "odd");
        assert_eq!(file.dtype("odd"), None);
        let error = file.get("odd", DType::F32, &Device::Cpu).unwrap_err().to_string();
        for part in ["a.gguf", "`odd`", name] {
            assert!(error.contains(part), "{error}");
        }
        let error = file.get("none", DType::F32, &Device::Cpu).unwrap_err();
        assert!(matches!(error, ModelError::NoTensor { .. }), "{error}");
    }
}

#[test]
fn an_empty_tensor_and_a_damaged_file_are_named() {
    let (_folder, file) = Builder::new(1, 0).tensor("void", &[0, 4], 0, 0).data(0).open();
    let error = file.unwrap().get("void", DType::F32, &Device::Cpu).unwrap_err();
    assert!(matches!(error, ModelError::EmptyTensor { .. }), "{error}");
    let (_folder, file) = Builder(b"GGUF".to_vec()).open();
    let error = file.unwrap_err().to_string();
    assert!(error.contains("a.gguf is not a complete GGUF file"), "{error}");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec();
    assert!(matches!(Builder(pointer).open().1, Err(ModelError::LfsPointer { .. })));
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        changes in proptest::collection::vec((0_usize..300, any::<u8>()), 0..6),
        length in 0_usize..300,
    ) {
        let mut file = two_tensors();
        for (at, byte) in changes {
            if let Some(old) = file.0.get_mut(at) {
                *old = byte;
            }
        }
        file.0.truncate(length);
        if let (_folder, Ok(opened)) = file.open() {
            for name in opened.header().names() {
                let shape = opened.shape(name).unwrap();
                if let Ok(tensor) = opened.get(name, DType::F32, &Device::Cpu) {
                    prop_assert_eq!(tensor.dims(), shape);
                }
            }
        }
    }
}

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
fn tensors_are_listed_with_shapes_and_counted() {
    let header = read(&file(TWO, 16)).unwrap();
    assert_eq!(header.names(), ["a", "b"]);
    assert_eq!(header.shape("a"), Some(&[2, 3][..]));
    assert_eq!(header.shape("b"), Some(&[][..]));
    assert_eq!(header.shape("c"), None);
    assert_eq!(header.parameters(), [("F16".to_owned(), 6), ("F32".to_owned(), 1)].into());
    let with_average = TWO.replace("\"a\"", "\"model_ema.a\"");
    let header = read(&file(&with_average, 16)).unwrap();
    assert_eq!(header.parameters(), [("F32".to_owned(), 1)].into());
}

#[test]
fn a_file_truncated_at_any_byte_is_reported_as_truncated() {
    let whole = file(TWO, 16);
    for length in 0..whole.len() {
        let error = read(&whole[..length]).unwrap_err();
        let cut_off =
            matches!(error, HeaderError::CutOffHeader { .. } | HeaderError::CutOff { .. });
        assert!(cut_off, "{length}: {error}");
    }
    let error = read(&file(TWO, 13)).unwrap_err();
    assert_eq!(error, HeaderError::CutOff { tensor: "b".to_owned(), missing: 3 });
    assert_eq!(read(&file(TWO, 18)).unwrap_err(), HeaderError::Surplus { surplus: 2 });
}

#[test]
fn a_header_with_a_wrong_length_is_refused_without_reading_it() {
    for claimed in [u64::MAX, u64::MAX - 7, 1 << 40, (16 << 20) + 1] {
        let error = read(&claimed.to_le_bytes()).unwrap_err();
        assert_eq!(error, HeaderError::HeaderTooLong { claimed });
    }
    let error = read(&(16_u64 << 20).to_le_bytes()).unwrap_err();
    assert_eq!(error, HeaderError::CutOffHeader { bytes: 8 });
}

#[test]
fn a_tensor_with_a_wrong_offset_or_size_is_refused() {
    let shape_and_offsets = [
        ("[2,2]", "[0,9]"),
        ("[4]", "[16,0]"),
        ("[4]", "[4,20]"),
        ("[18446744073709551615,18446744073709551615]", "[0,16]"),
    ];
    for (shape, offsets) in shape_and_offsets {
        let json = format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#);
        let error = read(&file(&json, 16)).unwrap_err();
        assert!(matches!(error, HeaderError::Damaged(_)), "{json}: {error}");
    }
}

#[test]
fn number_types_that_cannot_be_converted_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    for (dtype, is_read) in [
        ("F64", true),
        ("U8", true),
        ("F8_E4M3", true),
        ("F4", false),
        ("F6_E2M3", false),
        ("F6_E3M2", false),
        ("F8_E8M0", false),
        ("F8_E5M2", false),
    ] {
        // 24 bytes are a whole number of values of each type.
        let bits = match dtype {
            "F64" => 64,
            "F4" => 4,
            dtype if dtype.starts_with("F6_") => 6,
            _ => 8,
        };
        let count = 24 * 8 / bits;
        let json =
            format!(r#"{{"a":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[0,24]}}}}"#);
        std::fs::write(&path, file(&json, 24)).unwrap();
        let opened = TensorFiles::new(vec![TensorFile::open("w".to_owned(), &path).unwrap()]);
        assert_eq!(opened.dtype("a").is_some(), is_read, "{dtype}");
        let got = opened.get("a", DType::F32, &Device::Cpu);
        assert_eq!(got.is_ok(), is_read, "{dtype}");
        if let Err(error) = got {
            let error = error.to_string();
            assert!(error.contains(dtype) && error.contains("use the model in F16"), "{error}");
        }
    }
}

#[test]
fn wrapped_sources_hand_out_tensors_as_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    std::fs::write(&path, file(TWO, 16)).unwrap();
    let open = || -> Box<dyn TensorSource> { Box::new(TensorFiles::open(&path).unwrap()) };
    let interrupt = crate::control::Interrupt::default();
    let sources: [Box<dyn TensorSource>; 4] = [
        open(),
        Box::new(Interruptible { source: open(), interrupt: interrupt.clone() }),
        Box::new(Renamed { source: open(), stored: |name: &str| name.to_owned() }),
        Box::new(Converted { source: open(), stored: |name: &str| Stored::whole(name.to_owned()) }),
    ];
    for source in &sources {
        let stored = source.get_stored("a", &Device::Cpu).unwrap();
        assert!(matches!(&stored, StoredTensor::Plain(a) if a.dtype() == DType::F16), "{stored:?}");
    }
    interrupt.cancel();
    let stopped = sources[1].get_stored("a", &Device::Cpu);
    assert!(matches!(stopped, Err(ModelError::Cancelled(_))), "{stopped:?}");
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

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

/// A file with a tensor `a` of more than two pieces, whose last numbers are `b`. Both in each of the types that weights have.
fn large_file(folder: &std::path::Path, dtype: DType) -> std::path::PathBuf {
    let (pieces, count) = (2 * bytes::PIECE, 2 * bytes::PIECE + 76);
    let a: Vec<f32> = (0..count).map(|n| (n % 8191) as f32 - 4000.5).collect();
    let b = a[pieces..].to_vec();
    let [a, b] = [a, b].map(|numbers| Tensor::new(numbers, &Device::Cpu).unwrap());
    let a = a.reshape((count / 7, 7)).unwrap();
    let tensors = [("a", a), ("b", b)].map(|(name, it)| (name, it.to_dtype(dtype).unwrap()));
    let path = folder.join(format!("{dtype:?}.safetensors"));
    candle_core::safetensors::save(&tensors.into(), &path).unwrap();
    path
}

/// The numbers as f32, which has all of those that weights have.
fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_tensor_of_several_pieces_is_read_from_a_single_file_and_from_a_shard() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.safetensors");
    std::fs::write(&other, file(&TWO.replace("\"a\"", "\"c\"").replace("\"b\"", "\"d\""), 16))
        .unwrap();
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
        let path = large_file(folder.path(), dtype);
        let expected = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let open = |path| TensorFile::open("w".to_owned(), path).unwrap();
        let single = TensorFiles::new(vec![open(&path)]);
        let sharded = TensorFiles::new(vec![open(&other), open(&path)]);
        for (name, files) in [("a", &single), ("b", &single), ("a", &sharded)] {
            let stored = files.get_stored(name, &Device::Cpu).unwrap();
            let StoredTensor::Plain(stored) = stored else { panic!("{stored:?}") };
            let wide = files.get(name, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(wide.dtype(), DType::F32);
            assert_eq!(stored.dtype(), if dtype == DType::F64 { DType::F32 } else { dtype });
            for found in [&stored, &wide] {
                assert_eq!(found.dims(), expected[name].dims());
                // `assert_eq` would print all of them.
                assert!(numbers(found) == numbers(&expected[name]), "{name} in {dtype:?}");
            }
        }
    }
}

#[test]
fn each_number_of_16_bits_is_widened_as_candle_does_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let bits: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for (name, dtype) in [("F16", DType::F16), ("BF16", DType::BF16)] {
        let json =
            format!(r#"{{"a":{{"dtype":"{name}","shape":[65536],"data_offsets":[0,131072]}}}}"#);
        let mut content = file(&json, 0);
        content.extend_from_slice(&bits);
        std::fs::write(&path, content).unwrap();
        let wide = TensorFiles::open(&path).unwrap().get("a", DType::F32, &Device::Cpu).unwrap();
        let expected = Tensor::from_raw_buffer(&bits, dtype, &[65536], &Device::Cpu).unwrap();
        let [wide, expected] = [wide, expected]
            .map(|it| numbers(&it).into_iter().map(f32::to_bits).collect::<Vec<_>>());
        assert!(wide == expected, "{name}");
    }
}

#[test]
fn a_file_that_is_truncated_while_it_is_open_is_an_error_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for dtype in [DType::F32, DType::F16] {
        let path = large_file(folder.path(), dtype);
        let files = TensorFiles::open(&path).unwrap();
        let bytes = path.metadata().unwrap().len();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        // `a` comes before `b`.
        file.set_len(bytes - 80 * dtype.size_in_bytes() as u64).unwrap();
        for (name, wanted) in [("a", DType::F32), ("a", dtype), ("b", DType::F32)] {
            let error = files.get(name, wanted, &Device::Cpu).unwrap_err();
            let ModelError::Io { source, .. } = &error else { panic!("{error}") };
            assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
        }
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

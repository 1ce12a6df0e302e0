//! Compares MobileSAM with its authors' code on the same random weights; see `tests/reference/segment.py`.

use std::{collections::HashMap, fs, path::PathBuf, sync::LazyLock};

use image::{Rgba, RgbaImage};
use serde::Deserialize;

use super::*;
use crate::mask::Area;

#[path = "../../../tests/common/mobile_sam.rs"]
mod made;
use made::{shapes, weights};

/// The tolerance against MobileSAM with candle's GELU. Values are within about 3 of 0. Sums of a processor without AVX-512 are
/// 1.02e-4 off.
const TOLERANCE: f32 = 2e-4;
/// The tolerance against the original MobileSAM, which uses the exact GELU. candle uses the tanh approximation.
const TOLERANCE_OF_GELU: f32 = 3e-2;

#[derive(Deserialize)]
struct Reference {
    cases: HashMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    include: Vec<(u32, u32)>,
    exclude: Vec<(u32, u32)>,
    #[serde(rename = "box")]
    area: Option<[u32; 4]>,
}

impl Case {
    fn prompt(&self) -> SelectionPrompt {
        let area = self.area.map(|[x, y, width, height]| Area { x, y, width, height });
        SelectionPrompt { include: self.include.clone(), exclude: self.exclude.clone(), area }
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/segment").join(name)
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    serde_json::from_slice(&fs::read(fixture("mobile_sam.json")).unwrap()).unwrap()
});

static RECORD: LazyLock<HashMap<String, Tensor>> = LazyLock::new(|| {
    candle_core::safetensors::load(fixture("mobile_sam.safetensors"), &Device::Cpu).unwrap()
});

/// The network and the picture's embedding, shared by all tests because embedding takes seconds.
static EMBEDDED: LazyLock<(Sam, Embedding)> = LazyLock::new(|| {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), weights(&shapes())).unwrap();
    let sam = Sam::load(file.path(), &Device::Cpu).unwrap();
    let embedding = sam.embed(&picture()).unwrap();
    (sam, embedding)
});

fn picture() -> RgbaImage {
    RgbaImage::from_fn(256, 160, |x, y| {
        let disc = (i64::from(x) - 80).pow(2) + (i64::from(y) - 50).pow(2) < 1000;
        let red = if disc { 192 } else { x / 64 * 64 };
        let green = (x / 20 + y / 26) % 2 * 128;
        Rgba([red as u8, green as u8, (y / 40 * 64) as u8, 255])
    })
}

/// Asserts that subsampled values match the recorded values within a tolerance.
fn compare(what: &str, form: &str, found: Vec<f32>, tolerance: f32) {
    let name = format!("{form}/{what}");
    let expected = RECORD[&name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    assert!(found.iter().all(|number| number.is_finite()), "{name}");
    let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
    println!("{name}: {worst:.1e}");
    assert!(worst <= tolerance, "{name} is off by {worst:e}");
}

fn compare_both(what: &str, found: Vec<f32>) {
    compare(what, "tanh", found.clone(), TOLERANCE);
    compare(what, "none", found, TOLERANCE_OF_GELU);
}

/// Selects every `step`th value along each dimension, starting at `first`.
fn subsample(tensor: &Tensor, first: usize, step: usize) -> Vec<f32> {
    let mut result = tensor.clone();
    for dim in first..tensor.rank() {
        let indices: Vec<u32> = (0..result.dim(dim).unwrap() as u32).step_by(step).collect();
        let indices = Tensor::from_slice(&indices, indices.len(), &Device::Cpu).unwrap();
        result = result.index_select(&indices, dim).unwrap();
    }
    result.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn embeddings_match_mobile_sam() {
    compare_both("features", subsample(&EMBEDDED.1.features, 1, 5));
}

#[test]
fn logits_and_quality_match_mobile_sam_for_points_and_boxes() {
    let (sam, embedding) = &*EMBEDDED;
    for (name, case) in &REFERENCE.cases {
        let prompt = case.prompt();
        let (logits, quality) = sam.decode(embedding, &prompt, name == "point").unwrap();
        compare_both(&format!("{name}/quality"), subsample(&quality, 2, 1));
        compare_both(&format!("{name}/logits"), subsample(&logits, 2, 5));
    }
}

#[test]
fn masks_match_mobile_sam() {
    let (sam, embedding) = &*EMBEDDED;
    for (name, case) in &REFERENCE.cases {
        let mask = sam.select(embedding, &case.prompt()).unwrap();
        let expected = RECORD[&format!("none/{name}/picture")].to_vec2::<f32>().unwrap();
        let (mut inside, mut outside) = (0, 0);
        for (row, logits) in expected.iter().enumerate() {
            for (column, &logit) in logits.iter().enumerate() {
                // Close to 0 the difference between the two GELUs may flip the sign.
                if logit.abs() > TOLERANCE_OF_GELU {
                    let found = mask.at(3 * column as u32, 3 * row as u32) == u8::MAX;
                    assert_eq!(found, logit > 0.0, "{name} at column {column}, row {row}");
                    *if found { &mut inside } else { &mut outside } += 1;
                }
            }
        }
        assert!(inside > 50 && outside > 50, "{name}: {inside} pixels in, {outside} out");
    }
}

#[test]
fn a_prompt_with_excluded_points_only_selects_nothing() {
    let (sam, embedding) = &*EMBEDDED;
    let prompt = SelectionPrompt { exclude: vec![(10, 10)], ..SelectionPrompt::default() };
    let mask = sam.select(embedding, &prompt).unwrap();
    assert_eq!((mask.size(), mask.is_empty()), ((256, 160), true));
}

#[test]
fn a_box_is_clipped_to_the_picture() {
    let (sam, embedding) = &*EMBEDDED;
    let masks = [(156, 100), (1000, 1000), (u32::MAX, u32::MAX)].map(|(width, height)| {
        let area = Some(Area { x: 100, y: 60, width, height });
        sam.select(embedding, &SelectionPrompt { area, ..SelectionPrompt::default() }).unwrap()
    });
    assert!(masks.iter().all(|mask| *mask == masks[0]), "{masks:?}");
}

#[test]
fn loading_names_the_missing_tensor() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path();
    let load_error = |bytes: &[u8]| {
        fs::write(path, bytes).unwrap();
        Sam::load(path, &Device::Cpu).unwrap_err().to_string()
    };
    let error = load_error(b"PK\x03\x04 a pickle in a zip");
    assert!(
        error.contains(&*path.display().to_string()) && error.contains("safetensors"),
        "{error}"
    );
    let only = "image_encoder.patch_embed.seq.0.c.weight";
    let some = HashMap::from([(only.to_owned(), shapes()[only].clone())]);
    let error = load_error(&weights(&some));
    assert!(error.contains("image_encoder.patch_embed.seq.0.bn"), "{error}");
    let absent = Sam::load(&path.with_extension("absent"), &Device::Cpu).unwrap_err();
    assert!(matches!(absent, SamError::Read { .. }), "{absent}");
}

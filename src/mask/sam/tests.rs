//! MobileSAM against its authors' code with the same made-up weights; see `tests/reference/segment.py`.

use std::{collections::HashMap, path::PathBuf, sync::LazyLock};

use image::{Rgba, RgbaImage};
use serde::Deserialize;

use super::*;
use crate::mask::Area;

#[path = "../../../tests/common/mobile_sam.rs"]
mod made;
use made::{shapes, weights};

/// How far a number may be from that of MobileSAM with the GELU that candle has. They lie within about 3.
const TOLERANCE: f32 = 1e-4;
/// And from that of MobileSAM as it is: its GELU is the exact one, candle's the one with a hyperbolic tangent.
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
    fn pointing(&self) -> Pointing {
        let area = self.area.map(|[x, y, width, height]| Area { x, y, width, height });
        Pointing { include: self.include.clone(), exclude: self.exclude.clone(), area }
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

/// The network and what it saw in the picture, for all tests: seeing takes seconds.
static SEEN: LazyLock<(Sam, Embedding)> = LazyLock::new(|| {
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

/// Fails when what is found, thinned out, is further than the tolerance from what is recorded.
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

/// Every `step`th number of the last dimensions, from the `first` on.
fn thinned(tensor: &Tensor, first: usize, step: usize) -> Vec<f32> {
    let mut thin = tensor.clone();
    for dim in first..tensor.rank() {
        let places: Vec<u32> = (0..thin.dim(dim).unwrap() as u32).step_by(step).collect();
        let places = Tensor::from_slice(&places, places.len(), &Device::Cpu).unwrap();
        thin = thin.index_select(&places, dim).unwrap();
    }
    thin.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn the_encoder_sees_what_mobile_sam_sees() {
    compare_both("features", thinned(&SEEN.1.features, 1, 5));
}

#[test]
fn points_and_boxes_are_answered_as_by_mobile_sam() {
    let (sam, seen) = &*SEEN;
    for (name, case) in &REFERENCE.cases {
        let pointing = case.pointing();
        let (logits, quality) = sam.decode(seen, &pointing, name == "point").unwrap();
        compare_both(&format!("{name}/quality"), thinned(&quality, 2, 1));
        compare_both(&format!("{name}/logits"), thinned(&logits, 2, 5));
    }
}

#[test]
fn the_mask_is_where_mobile_sam_says_it_is() {
    let (sam, seen) = &*SEEN;
    for (name, case) in &REFERENCE.cases {
        let mask = sam.select(seen, &case.pointing()).unwrap();
        let expected = RECORD[&format!("none/{name}/picture")].to_vec2::<f32>().unwrap();
        let (mut inside, mut outside) = (0, 0);
        for (row, logits) in expected.iter().enumerate() {
            for (column, &logit) in logits.iter().enumerate() {
                // Where it hangs by a thread, the other GELU may decide.
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
fn nothing_is_in_the_mask_when_nothing_is_meant() {
    let (sam, seen) = &*SEEN;
    let pointing = Pointing { exclude: vec![(10, 10)], ..Pointing::default() };
    let mask = sam.select(seen, &pointing).unwrap();
    assert_eq!((mask.size(), mask.is_empty()), ((256, 160), true));
}

#[test]
fn a_box_that_reaches_beyond_the_picture_ends_where_the_picture_ends() {
    let (sam, seen) = &*SEEN;
    let masks = [(156, 100), (1000, 1000), (u32::MAX, u32::MAX)].map(|(width, height)| {
        let area = Some(Area { x: 100, y: 60, width, height });
        sam.select(seen, &Pointing { area, ..Pointing::default() }).unwrap()
    });
    assert!(masks.iter().all(|mask| *mask == masks[0]), "{masks:?}");
}

#[test]
fn a_file_without_its_weights_is_refused_with_what_is_missing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path();
    let refusal = |bytes: &[u8]| {
        fs::write(path, bytes).unwrap();
        Sam::load(path, &Device::Cpu).unwrap_err().to_string()
    };
    let error = refusal(b"PK\x03\x04 a pickle in a zip");
    assert!(
        error.contains(&*path.display().to_string()) && error.contains("safetensors"),
        "{error}"
    );
    let only = "image_encoder.patch_embed.seq.0.c.weight";
    let some = HashMap::from([(only.to_owned(), shapes()[only].clone())]);
    let error = refusal(&weights(&some));
    assert!(error.contains("image_encoder.patch_embed.seq.0.bn"), "{error}");
    let absent = Sam::load(&path.with_extension("absent"), &Device::Cpu).unwrap_err();
    assert!(matches!(absent, SamError::Read { .. }), "{absent}");
}

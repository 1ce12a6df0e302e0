//! Pictures as they were drawn before, and the comparison with them.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use image::{ImageBuffer, Rgb, RgbaImage};
use serde::{Deserialize, Serialize};

/// Pixels of a block whose mean is kept, in each direction.
const BLOCK: u32 = 8;

/// The most that the mean of a block may differ on another processor, as a share of the range.
const TOLERANCE: f32 = 1e-3;

/// The means of a picture's blocks, with 16 bits per channel.
type Means = ImageBuffer<Rgb<u16>, Vec<u16>>;

#[derive(Default, Serialize, Deserialize)]
struct Digests {
    /// Features of the processor that decide in which order floats are added.
    processor: Vec<String>,
    /// The blake3 over the RGBA bytes of each picture.
    pictures: BTreeMap<String, String>,
}

/// The right pictures, and what was found to differ from them.
pub struct Golden {
    expected: Digests,
    found: Digests,
    updates: bool,
    wrong: Vec<String>,
}

impl Golden {
    pub fn read() -> Self {
        let updates = env::var_os("UPDATE_PICTURES").is_some();
        let expected = match updates {
            true => Digests::default(),
            false => {
                serde_json::from_slice(&fs::read(folder().join("digests.json")).unwrap()).unwrap()
            }
        };
        let found = Digests { processor: processor(), pictures: BTreeMap::new() };
        Self { expected, found, updates, wrong: Vec::new() }
    }

    pub fn compare(&mut self, name: &str, picture: &RgbaImage) {
        let digest = blake3::hash(picture.as_raw()).to_hex().to_string();
        let path = folder().join(format!("{name}.png"));
        let means = means(picture);
        if self.updates {
            fs::create_dir_all(folder()).unwrap();
            means.save(path).unwrap();
        } else if self.expected.processor == self.found.processor {
            if self.expected.pictures.get(name) != Some(&digest) {
                let apart = distance(&means, &image::open(path).unwrap().into_rgb16());
                self.wrong.push(format!("{name} has other bits: blocks differ by up to {apart}"));
            }
        } else {
            let apart = distance(&means, &image::open(path).unwrap().into_rgb16());
            if apart > TOLERANCE {
                self.wrong.push(format!("{name}: blocks differ by up to {apart}"));
            }
        }
        self.found.pictures.insert(name.to_owned(), digest);
    }

    pub fn finish(self) {
        if self.updates {
            let json = serde_json::to_string_pretty(&self.found).unwrap() + "\n";
            fs::write(folder().join("digests.json"), json).unwrap();
            return;
        }
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        let names = |digests: &Digests| digests.pictures.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&self.found), names(&self.expected));
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/golden")
}

/// The mean colour of each block of a picture.
fn means(picture: &RgbaImage) -> Means {
    let (width, height) = picture.dimensions();
    Means::from_fn(width.div_ceil(BLOCK), height.div_ceil(BLOCK), |x, y| {
        let (mut sum, mut count) = ([0_u32; 3], 0);
        for y in y * BLOCK..((y + 1) * BLOCK).min(height) {
            for x in x * BLOCK..((x + 1) * BLOCK).min(width) {
                let pixel = picture.get_pixel(x, y).0;
                (0..3).for_each(|channel| sum[channel] += u32::from(pixel[channel]));
                count += 1;
            }
        }
        // 257 spreads 0..=255 over 0..=65535.
        Rgb(sum.map(|sum| (sum * 257 / count) as u16))
    })
}

/// The greatest difference of two means, as a share of the range.
fn distance(a: &Means, b: &Means) -> f32 {
    assert_eq!(a.dimensions(), b.dimensions());
    let apart = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    f32::from(apart.unwrap_or(0)) / f32::from(u16::MAX)
}

/// The features that candle's and gemm's kernels choose by.
fn processor() -> Vec<String> {
    let mut features = vec![env::consts::ARCH.to_owned()];
    #[cfg(target_arch = "x86_64")]
    {
        let found = [
            ("avx", is_x86_feature_detected!("avx")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512bw", is_x86_feature_detected!("avx512bw")),
            ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ];
        features.extend(found.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()));
    }
    features
}

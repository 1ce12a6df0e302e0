//! Requests for pictures, and their size in latents.

use candle_core::Tensor;

use super::{DrawError, LatentSpec};
use crate::{
    loss::Frame,
    recipe::{
        GuidanceInterval, Images, Inspiration, Loss, MAX_SIDE, MIN_SIDE, ResolvedSampler, Size,
    },
};

/// A picture to draw.
#[derive(Clone, Debug)]
pub struct DrawRequest {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt. It has no effect without guidance.
    pub negative_prompt: String,
    /// Size in pixels.
    pub size: Size,
    /// The sampler.
    pub sampler: ResolvedSampler,
    /// The noise.
    pub noise: Noise,
    /// The inspirations of the picture.
    pub inspirations: Vec<Inspiration>,
    /// What the picture is steered by.
    pub losses: Vec<Loss>,
    /// Whether losses only measure the finished picture: see [`Recipe::score`](crate::recipe::Recipe::score).
    pub score: bool,
    /// The images that these refer to.
    pub images: Images,
}

/// The noise of a picture.
#[derive(Clone, Debug)]
pub enum Noise {
    /// [`noise`](crate::diffusion::noise::noise) from this seed.
    Seed(u64),
    /// Standard normal latents (1, channels, height, width), before the scheduler scales them.
    Latents(Tensor),
}

/// The size of a picture in latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LatentLayout {
    /// (1, channels, height, width).
    pub shape: [usize; 4],
    size: Size,
}

impl DrawRequest {
    /// Checks the request and returns its layout, of whole patches of `patch` by `patch` latents.
    pub(super) fn layout(&self, spec: LatentSpec, patch: usize) -> Result<LatentLayout, DrawError> {
        let Size { width, height } = self.size;
        if width.max(height) > MAX_SIDE {
            return Err(DrawError::Size(self.size));
        }
        Inspiration::check_all(&self.inspirations)?;
        let layout = LatentLayout::new(self.size, spec, patch)?;
        layout.check(&self.sampler, &self.noise)?;
        Ok(layout)
    }
}

impl LatentLayout {
    /// The layout of a picture of at least [`MIN_SIDE`], of whole patches of `patch` by `patch` latents.
    pub(super) fn new(size: Size, spec: LatentSpec, patch: usize) -> Result<Self, DrawError> {
        if size.width.min(size.height) < MIN_SIDE {
            return Err(DrawError::Size(size));
        }
        let [height, width] = [size.height, size.width]
            .map(|side| (side as usize).div_ceil(spec.scale * patch) * patch);
        Ok(Self { shape: [1, spec.channels, height, width], size })
    }

    /// Checks a sampler, and the starting noise for this layout.
    pub(super) fn check(&self, sampler: &ResolvedSampler, noise: &Noise) -> Result<(), DrawError> {
        let ResolvedSampler { guidance_scale: guidance, guidance_rescale, .. } = *sampler;
        if !guidance.is_finite() || guidance < 0.0 {
            return Err(DrawError::Guidance(guidance));
        }
        if !(0.0..=1.0).contains(&guidance_rescale) {
            return Err(DrawError::GuidanceRescale(guidance_rescale));
        }
        sampler.guidance_interval.map_or(Ok(()), GuidanceInterval::check)?;
        match noise {
            Noise::Latents(latents) if latents.dims() != self.shape => Err(DrawError::Noise {
                found: latents.dims().to_vec(),
                expected: self.shape,
                size: self.size,
            }),
            _ => Ok(()),
        }
    }

    /// The area that is drawn. It is centred on the picture and at least as large.
    pub(super) fn frame(&self, scale: usize) -> Frame {
        let [_, _, height, width] = self.shape;
        let [height, width] = [height, width].map(|side| (side * scale) as u32);
        let margin = |drawn: u32, side: u32| -i64::from((drawn - side) / 2);
        let origin = (margin(width, self.size.width), margin(height, self.size.height));
        Frame { picture: self.size, origin, size: (width, height), scale: scale as u32 }
    }

    /// Centre-crops a decoded picture (1, 3, height, width) to the requested size.
    pub(super) fn crop_to_size(&self, image: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = image.dims4()?;
        let [to_height, to_width] = [self.size.height, self.size.width].map(|side| side as usize);
        let rows = image.narrow(2, (height - to_height) / 2, to_height)?;
        rows.narrow(3, (width - to_width) / 2, to_width)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    const SPEC: LatentSpec = LatentSpec { scale: 8, channels: 4 };

    fn request(width: u32, height: u32, guidance: f32) -> DrawRequest {
        DrawRequest {
            prompt: String::new(),
            negative_prompt: String::new(),
            size: Size::new(width, height),
            sampler: ResolvedSampler { guidance_scale: guidance, ..ResolvedSampler::default() },
            noise: Noise::Seed(0),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        }
    }

    #[test]
    fn invalid_values_are_named() {
        for (width, height, guidance, word) in [
            (0, 128, 5.0, "0x128"),
            (128, 15, 5.0, "128x15"),
            (2049, 128, 5.0, "2049x128"),
            (u32::MAX, 128, 5.0, "4294967295x128"),
            (128, 128, f32::NAN, "NaN"),
            (128, 128, f32::INFINITY, "inf"),
            (128, 128, -1.0, "-1"),
        ] {
            let error = request(width, height, guidance).layout(SPEC, 1).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let noise = Tensor::zeros((1, 4, 8, 16), DType::F32, &Device::Cpu).unwrap();
        let wrong = DrawRequest { noise: Noise::Latents(noise), ..request(64, 128, 1.0) };
        let error = wrong.layout(SPEC, 1).unwrap_err().to_string();
        assert!(error.contains("[1, 4, 8, 16]") && error.contains("[1, 4, 16, 8]"), "{error}");
    }

    #[test]
    fn a_size_between_whole_latents_is_centre_cropped() {
        let layout = request(100, 33, 1.0).layout(SPEC, 1).unwrap();
        assert_eq!(layout.shape, [1, 4, 5, 13]);
        let columns = Tensor::arange(0_f32, 104.0, &Device::Cpu).unwrap();
        let image = columns.broadcast_as((1, 3, 40, 104)).unwrap();
        let cut = layout.crop_to_size(&image).unwrap();
        assert_eq!(cut.dims(), [1, 3, 33, 100]);
        let first: f32 = cut.flatten_all().unwrap().get(0).unwrap().to_scalar().unwrap();
        assert_eq!(first, 2.0);
        let of_patches = request(100, 33, 1.0).layout(SPEC, 2).unwrap();
        assert_eq!(of_patches.shape, [1, 4, 6, 14]);
    }
}

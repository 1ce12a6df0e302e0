//! What to draw, and how large that is in latents.

use candle_core::Tensor;

use super::DrawError;
use crate::recipe::{Sampler, Size};

/// The shortest side of a picture in pixels.
pub const MIN_SIDE: u32 = 16;
/// The longest side of a picture in pixels: attention over more would not fit any memory.
pub const MAX_SIDE: u32 = 2048;

/// One picture to draw.
#[derive(Clone, Debug)]
pub struct DrawRequest {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show: the negative prompt.
    pub negative_prompt: String,
    /// Size in pixels.
    pub size: Size,
    /// How it is sampled.
    pub sampler: Sampler,
    /// What it starts from.
    pub noise: Noise,
}

/// What a picture starts from.
#[derive(Clone, Debug)]
pub enum Noise {
    /// Our own noise ([`noise`](crate::diffusion::noise::noise)) of this seed.
    Seed(u64),
    /// Latents (1, channels, height, width), before the scheduler scales them.
    Latents(Tensor),
}

/// How a picture lies in latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The shape of the latents: (1, channels, height, width).
    pub latents: [usize; 4],
    size: Size,
}

impl DrawRequest {
    /// Checks the request, for a model with `channels` latents for each `scale` by `scale` pixels.
    pub(super) fn layout(&self, scale: usize, channels: usize) -> Result<Layout, DrawError> {
        let Size { width, height } = self.size;
        if width.max(height) > MAX_SIDE {
            return Err(DrawError::Size(self.size));
        }
        self.layout_of_any_size(scale, channels)
    }

    /// As [`Self::layout`], for a picture of which only a part goes through the networks at once.
    pub(super) fn layout_of_any_size(
        &self,
        scale: usize,
        channels: usize,
    ) -> Result<Layout, DrawError> {
        let Size { width, height } = self.size;
        if width.min(height) < MIN_SIDE {
            return Err(DrawError::Size(self.size));
        }
        let Sampler { guidance, guidance_rescale, .. } = self.sampler;
        if !guidance.is_finite() || guidance < 0.0 {
            return Err(DrawError::Guidance(guidance));
        }
        if !(0.0..=1.0).contains(&guidance_rescale) {
            return Err(DrawError::GuidanceRescale(guidance_rescale));
        }
        let [height, width] = [height, width].map(|side| (side as usize).div_ceil(scale));
        let expected = [1, channels, height, width];
        match &self.noise {
            Noise::Latents(latents) if latents.dims() != expected => {
                Err(DrawError::Noise { found: latents.dims().to_vec(), expected, size: self.size })
            }
            _ => Ok(Layout { latents: expected, size: self.size }),
        }
    }
}

impl Layout {
    /// The middle of a decoded picture (1, 3, height, width), at the size asked for.
    pub fn crop(&self, image: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = image.dims4()?;
        let [to_height, to_width] = [self.size.height, self.size.width].map(|side| side as usize);
        image.narrow(2, (height - to_height) / 2, to_height)?.narrow(
            3,
            (width - to_width) / 2,
            to_width,
        )
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn request(width: u32, height: u32, guidance: f32) -> DrawRequest {
        DrawRequest {
            prompt: String::new(),
            negative_prompt: String::new(),
            size: Size::new(width, height),
            sampler: Sampler { guidance, ..Sampler::default() },
            noise: Noise::Seed(0),
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_told_with_its_value() {
        for (width, height, guidance, word) in [
            (0, 128, 5.0, "0x128"),
            (128, 15, 5.0, "128x15"),
            (2049, 128, 5.0, "2049x128"),
            (u32::MAX, 128, 5.0, "4294967295x128"),
            (128, 128, f32::NAN, "NaN"),
            (128, 128, f32::INFINITY, "inf"),
            (128, 128, -1.0, "-1"),
        ] {
            let error = request(width, height, guidance).layout(8, 4).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let noise = Tensor::zeros((1, 4, 8, 16), DType::F32, &Device::Cpu).unwrap();
        let wrong = DrawRequest { noise: Noise::Latents(noise), ..request(64, 128, 1.0) };
        let error = wrong.layout(8, 4).unwrap_err().to_string();
        assert!(error.contains("[1, 4, 8, 16]") && error.contains("[1, 4, 16, 8]"), "{error}");
    }

    #[test]
    fn a_size_between_latents_is_cut_from_the_middle() {
        let layout = request(100, 33, 1.0).layout(8, 4).unwrap();
        assert_eq!(layout.latents, [1, 4, 5, 13]);
        let columns = Tensor::arange(0_f32, 104.0, &Device::Cpu).unwrap();
        let image = columns.broadcast_as((1, 3, 40, 104)).unwrap();
        let cut = layout.crop(&image).unwrap();
        assert_eq!(cut.dims(), [1, 3, 33, 100]);
        let first: f32 = cut.flatten_all().unwrap().get(0).unwrap().to_scalar().unwrap();
        assert_eq!(first, 2.0);
    }
}

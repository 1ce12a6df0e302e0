//! A linear decoder, for losses on colours.

use candle_core::{DType, Device, Tensor};
use image::{Rgb, RgbImage};
use imageproc::{
    drawing::{draw_filled_ellipse_mut, draw_filled_rect_mut},
    rect::Rect,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Autoencoder;
use crate::{
    diffusion::{DiffusionError, Interrupt, least_squares::least_squares},
    loss::Frame,
    ops,
};

/// A linear map from latents to the picture at a quarter of its width and height.
///
/// It is a convolution of 3 x 3 latents, fitted to an autoencoder by least squares: the encoder encodes pictures of
/// overlapping shapes ("dead leaves", which have the statistics of natural images; Lee, Mumford and Huang 2001), and the
/// map explains their colours by their latents. Its gradient costs next to nothing.
#[derive(Clone, Debug)]
pub struct LinearDecoder {
    /// (3 * side * side, channels, 3, 3).
    weight: Tensor,
    bias: Tensor,
    /// Pixels along each side of a latent.
    side: usize,
}

/// The side of a picture of the fit, in pixels.
const PICTURE: u32 = 256;

/// The number of latents of the fit.
const LATENTS: usize = 3072;

impl LinearDecoder {
    /// Fits the map to an autoencoder.
    ///
    /// # Errors
    /// If encoding fails or is interrupted.
    pub fn fit(
        autoencoder: &dyn Autoencoder,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Self, DiffusionError> {
        let spec = autoencoder.spec();
        let side = Frame::colours_per_latent(spec.scale);
        let of_a_picture = (PICTURE as usize / spec.scale).pow(2);
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..LATENTS.div_ceil(of_a_picture.max(1)) {
            let picture = tensor(&dead_leaves(&mut random), device)?;
            let latents = autoencoder.encode(&picture, interrupt)?.to_dtype(DType::F64)?;
            rows.extend(neighbourhoods(&latents)?);
            let colours = picture.affine(0.5, 0.5)?.avg_pool2d(spec.scale / side)?;
            targets.extend(blocks(&colours, side)?);
        }
        let maps = least_squares(&rows, &targets);
        let places = spec.channels * 9;
        let weights = maps.iter().flat_map(|map| &map[..places]).map(|&w| w as f32).collect();
        let bias = maps.iter().map(|map| map[places] as f32).collect();
        let shape = (maps.len(), spec.channels, 3, 3);
        Ok(Self {
            weight: Tensor::from_vec(weights, shape, device)?,
            bias: Tensor::from_vec(bias, maps.len(), device)?,
            side,
        })
    }

    /// Decodes latents in the scale of the denoiser, (1, channels, height, width), as a picture, (1, 3, rows, columns)
    /// in sRGB in about 0..=1. Differentiable.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn decode(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let side = self.side;
        let blocks = ops::conv2d(latents, &self.weight, Some(&self.bias), 1, 1)?;
        let blocks = blocks.reshape(&[3, side, side, height, width][..])?;
        let rows = blocks.permute([0, 3, 1, 4, 2])?.contiguous()?;
        rows.reshape((1, 3, height * side, width * side))
    }
}

/// The 3 x 3 neighbourhood of each latent of (1, channels, height, width), and 1. Outside are zeros.
fn neighbourhoods(latents: &Tensor) -> candle_core::Result<Vec<Vec<f64>>> {
    let (_, channels, height, width) = latents.dims4()?;
    let padded = latents.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let mut shifted = Vec::new();
    for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
        shifted.push(padded.narrow(2, row, height)?.narrow(3, column, width)?);
    }
    // (channels, 9, latents)
    let all = Tensor::cat(&shifted, 0)?.flatten_from(2)?.transpose(0, 1)?.contiguous()?;
    let rows: Vec<Vec<f64>> = all.reshape((channels * 9, height * width))?.t()?.to_vec2()?;
    Ok(rows.into_iter().map(|row| row.into_iter().chain([1.0]).collect()).collect())
}

/// The colours of each latent of a picture (1, 3, height, width): channel by channel, row by row.
fn blocks(colours: &Tensor, side: usize) -> candle_core::Result<Vec<Vec<f64>>> {
    let (_, _, height, width) = colours.dims4()?;
    let (rows, columns) = (height / side, width / side);
    let blocks = colours.reshape(&[3, rows, side, columns, side][..])?;
    let blocks = blocks.permute([1, 3, 0, 2, 4])?.contiguous()?;
    blocks.reshape((rows * columns, 3 * side * side))?.to_dtype(DType::F64)?.to_vec2()
}

/// A picture of overlapping ellipses and rectangles of random colours.
fn dead_leaves(random: &mut ChaCha8Rng) -> RgbImage {
    let colour = |random: &mut ChaCha8Rng| Rgb(random.random::<[u8; 3]>());
    let mut picture = RgbImage::from_pixel(PICTURE, PICTURE, colour(random));
    for _ in 0..250 {
        let (colour, side) = (colour(random), PICTURE as i32);
        let (x, y) = (random.random_range(0..side), random.random_range(0..side));
        // Small shapes are more frequent than large ones.
        let radius = |random: &mut ChaCha8Rng| (3.0 / random.random_range(0.04..1.0_f32)) as i32;
        let (width, height) = (radius(random), radius(random));
        if random.random_bool(0.5) {
            draw_filled_ellipse_mut(&mut picture, (x, y), width, height, colour);
        } else {
            let (wide, high) = (2 * width as u32, 2 * height as u32);
            let rect = Rect::at(x - width, y - height).of_size(wide, high);
            draw_filled_rect_mut(&mut picture, rect, colour);
        }
    }
    picture
}

/// (1, 3, height, width) in -1..=1.
fn tensor(picture: &RgbImage, device: &Device) -> candle_core::Result<Tensor> {
    let shape = (picture.height() as usize, picture.width() as usize, 3);
    let rows = Tensor::from_slice(picture, shape, device)?.permute((2, 0, 1))?.unsqueeze(0)?;
    rows.to_dtype(DType::F32)?.affine(1.0 / 127.5, -1.0)?.contiguous()
}

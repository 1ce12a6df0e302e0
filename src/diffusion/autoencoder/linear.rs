//! A linear autoencoder, for losses on colours.

use candle_core::{Device, Tensor};
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

/// Linear maps between latents and the picture at a quarter of its width and height.
///
/// Both are convolutions of 3 x 3 latents, fitted to an autoencoder by least squares: the encoder encodes pictures of
/// overlapping shapes ("dead leaves", which have the statistics of natural images; Lee, Mumford and Huang 2001). They
/// cost next to nothing.
///
/// The encoder turns a change of colours into a change of latents that the autoencoder would make. The gradient of the
/// decoder does not: it changes single latents in a way that no picture does, and the result has blocks.
#[derive(Clone, Debug)]
pub struct LinearAutoencoder {
    /// (colours, channels, 3, 3), where the colours are those of one latent: channel by channel, row by row.
    decoder: Tensor,
    bias: Tensor,
    /// (channels, colours, 3, 3).
    encoder: Tensor,
    /// Pixels along each side of a latent.
    side: usize,
}

/// The side of a picture of the fit, in pixels.
const PICTURE: u32 = 256;

/// The number of latents of the fit.
const LATENTS: usize = 3072;

impl LinearAutoencoder {
    /// Fits the maps to an autoencoder.
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
        let (mut latents, mut colours) = (Vec::new(), Vec::new());
        for _ in 0..LATENTS.div_ceil(of_a_picture.max(1)) {
            let picture = tensor(&dead_leaves(&mut random), device)?;
            latents.push(autoencoder.encode(&picture, interrupt)?);
            let small = picture.affine(0.5, 0.5)?.avg_pool2d(spec.scale / side)?;
            colours.push(blocks(&small, side)?);
        }
        let (latents, colours) = (Tensor::cat(&latents, 0)?, Tensor::cat(&colours, 0)?);
        let (decoder, bias) = fit(&latents, &colours)?;
        let (encoder, _) = fit(&colours, &latents)?;
        Ok(Self { decoder, bias, encoder, side })
    }

    /// Decodes latents in the scale of the denoiser, (1, channels, height, width), as a picture, (1, 3, rows, columns)
    /// in sRGB in about 0..=1.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn decode(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let side = self.side;
        let blocks = ops::conv2d(latents, &self.decoder, Some(&self.bias), 1, 1)?;
        let blocks = blocks.reshape(&[3, side, side, height, width][..])?;
        let rows = blocks.permute([0, 3, 1, 4, 2])?.contiguous()?;
        rows.reshape((1, 3, height * side, width * side))
    }

    /// Encodes a change of such a picture as a change of latents.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn encode_change(&self, colours: &Tensor) -> candle_core::Result<Tensor> {
        ops::conv2d(&blocks(colours, self.side)?, &self.encoder, None, 1, 1)
    }
}

/// The convolution of 3 x 3 neighbours, and its bias, that maps `x` to about `y`. Both have the shape
/// (batch, channels, height, width). Outside are zeros.
fn fit(x: &Tensor, y: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let (_, inputs, height, width) = x.dims4()?;
    let padded = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let places = (0..3).flat_map(|row| (0..3).map(move |column| (row, column)));
    let places = places
        .map(|(row, column)| padded.narrow(2, row, height)?.narrow(3, column, width)?.unsqueeze(2));
    let neighbours = Tensor::cat(&places.collect::<candle_core::Result<Vec<_>>>()?, 2)?;
    let by_place = |x: &Tensor| x.permute((0, 2, 3, 1))?.contiguous()?.flatten(0, 2);
    let maps = least_squares(&by_place(&neighbours.flatten(1, 2)?)?, &by_place(y)?)?;
    let outputs = y.dim(1)?;
    let kernel = maps.narrow(0, 0, inputs * 9)?.t()?.reshape((outputs, inputs, 3, 3))?;
    Ok((kernel.contiguous()?, maps.narrow(0, inputs * 9, 1)?.squeeze(0)?))
}

/// The colours of each latent, (1, 3 * side * side, height, width), of a picture, (1, 3, rows, columns).
fn blocks(picture: &Tensor, side: usize) -> candle_core::Result<Tensor> {
    let (_, _, rows, columns) = picture.dims4()?;
    let (height, width) = (rows / side, columns / side);
    let blocks = picture.reshape(&[3, height, side, width, side][..])?;
    let blocks = blocks.permute([0, 2, 4, 1, 3])?.contiguous()?;
    blocks.reshape((1, 3 * side * side, height, width))
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
    rows.to_dtype(candle_core::DType::F32)?.affine(1.0 / 127.5, -1.0)?.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EmbeddedPackage;

    fn rms(x: &Tensor) -> f32 {
        x.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt()
    }

    #[test]
    fn it_decodes_what_the_autoencoder_encodes_and_a_change_of_colours_is_about_kept() {
        let (device, interrupt) = (Device::Cpu, Interrupt::default());
        let package = EmbeddedPackage::built_in();
        let autoencoder = super::super::AutoencoderKL::load(&package, "vae", &device).unwrap();
        let linear = LinearAutoencoder::fit(&autoencoder, &device, &interrupt).unwrap();
        // A picture that is not in the fit.
        let picture = tensor(&dead_leaves(&mut ChaCha8Rng::seed_from_u64(9)), &device).unwrap();
        let latents = autoencoder.encode(&picture, &interrupt).unwrap();
        let colours = picture.affine(0.5, 0.5).unwrap().avg_pool2d(4).unwrap();
        let decoded = linear.decode(&latents).unwrap();
        let spread = rms(&colours.broadcast_sub(&colours.mean_all().unwrap()).unwrap());
        let error = rms(&(&decoded - &colours).unwrap());
        assert!(error < 0.35 * spread, "{error} of {spread}");
        // A darker picture.
        let change = colours.affine(-0.3, 0.0).unwrap();
        let moved = (latents + linear.encode_change(&change).unwrap()).unwrap();
        let found = (linear.decode(&moved).unwrap() - decoded).unwrap();
        let error = rms(&(found - &change).unwrap());
        assert!(error < 0.35 * rms(&change), "{error} of {}", rms(&change));
    }
}

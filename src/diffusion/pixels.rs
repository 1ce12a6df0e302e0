//! Conversion between tensors and pictures.

use candle_core::{DType, Device, Result, Tensor};
use image::{Rgb32FImage, RgbImage, RgbaImage};

/// An opaque picture from (1, 3, height, width) in -1..=1. Values outside are clamped.
pub(super) fn rgba(image: &Tensor) -> Result<RgbaImage> {
    let (width, height, values) = bytes(image)?;
    let opaque = values.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], u8::MAX]).collect();
    RgbaImage::from_raw(width, height, opaque).ok_or_else(wrong_size)
}

/// An RGB picture from (1, 3, height, width) in -1..=1. Values outside are clamped.
pub(super) fn rgb(image: &Tensor) -> Result<RgbImage> {
    let (width, height, values) = bytes(image)?;
    RgbImage::from_raw(width, height, values).ok_or_else(wrong_size)
}

/// A picture from (1, 3, height, width) with unchanged values.
pub(super) fn rgb32f(image: &Tensor) -> Result<Rgb32FImage> {
    let (_, _, height, width) = image.dims4()?;
    let rows = image.squeeze(0)?.permute((1, 2, 0))?.to_device(&Device::Cpu)?;
    let values = rows.flatten_all()?.to_vec1()?;
    Rgb32FImage::from_raw(width as u32, height as u32, values).ok_or_else(wrong_size)
}

/// (1, 3, height, width) from a picture with unchanged values.
pub(super) fn tensor_from_rgb32f(image: &Rgb32FImage, device: &Device) -> Result<Tensor> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let rows = Tensor::from_slice(image, (height, width, 3), device)?;
    rows.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()
}

/// (1, 3, height, width) in -1..=1 from a picture, without its alpha channel.
pub(crate) fn tensor_from_rgba(image: &RgbaImage, device: &Device) -> Result<Tensor> {
    let shape = (image.height() as usize, image.width() as usize, 4);
    let rows = Tensor::from_slice(image, shape, device)?.narrow(2, 0, 3)?;
    rows.permute((2, 0, 1))?.unsqueeze(0)?.to_dtype(DType::F32)?.affine(1.0 / 127.5, -1.0)
}

fn bytes(image: &Tensor) -> Result<(u32, u32, Vec<u8>)> {
    let (_, _, height, width) = image.dims4()?;
    let rows = image.squeeze(0)?.permute((1, 2, 0))?.to_device(&Device::Cpu)?;
    let values: Vec<f32> = rows.flatten_all()?.to_vec1()?;
    // Rounds halves to even, as numpy does.
    let bytes = values.into_iter().map(|v| ((v * 0.5 + 0.5) * 255.0).round_ties_even() as u8);
    Ok((width as u32, height as u32, bytes.collect()))
}

fn wrong_size() -> candle_core::Error {
    candle_core::Error::msg("the size of a picture does not match its number of bytes")
}

//! Pictures and noise as files that a command line names.

use std::{io, path::Path};

use bevy_illustrator::art::{Provenance, picture_file};

use candle_core::{DType, Device, Tensor};
use image::{ImageFormat, RgbaImage};

use crate::failure::Failure;

/// Reads a picture.
pub(crate) fn picture(path: &Path) -> Result<RgbaImage, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::file("read", path))?;
    let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png);
    let wrong = |source| Failure::Picture { path: path.to_path_buf(), source };
    let image = image.map_err(wrong)?;
    // Rounded to 8 bits, pixels that no edit touches would not be what they were.
    let bits = image.color().bits_per_pixel() / u16::from(image.color().channel_count());
    if bits > 8 {
        return Err(Failure::Bits { path: path.to_path_buf(), bits });
    }
    Ok(image.into_rgba8())
}

/// A picture as a PNG file, with where it comes from if that is known: a recipe holds no noise from a file.
pub(crate) fn png(image: &RgbaImage, provenance: Option<&Provenance>) -> io::Result<Vec<u8>> {
    let Some(provenance) = provenance else {
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
        return Ok(bytes.into_inner());
    };
    picture_file::encode(image, provenance)
}

/// Reads the starting noise.
pub(crate) fn latents(path: &Path) -> Result<Tensor, Failure> {
    let wrong = |message: String| Failure::Noise { path: path.to_path_buf(), message };
    let bytes = std::fs::read(path).map_err(Failure::file("read", path))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| wrong(format!("this is no whole safetensors file: {error}")))?;
    let latents = tensors
        .get("latents")
        .ok_or_else(|| wrong("there is no tensor `latents` in this file".to_owned()))?;
    if latents.rank() != 4 || latents.dims()[0] != 1 {
        let shape = latents.shape();
        return Err(wrong(format!(
            "`latents` is {shape:?}; expected (1, channels, height, width)"
        )));
    }
    latents.to_dtype(DType::F32).map_err(|error| wrong(error.to_string()))
}

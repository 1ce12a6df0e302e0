//! Files that a command line names, read.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use image::{ImageFormat, RgbaImage};

use crate::failure::Failure;

/// Reads a picture.
pub(crate) fn picture(path: &Path) -> Result<RgbaImage, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::file("read", path))?;
    let image = image::load_from_memory_with_format(&bytes, ImageFormat::Png);
    let wrong = |source| Failure::Picture { path: path.to_path_buf(), source };
    Ok(image.map_err(wrong)?.into_rgba8())
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

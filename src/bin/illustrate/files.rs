//! Reading and writing picture and noise files.

use std::{collections::BTreeMap, io, path::Path};

use bevy_illustrator::{
    art::{Provenance, picture_file},
    diffusion::DiffusionError,
    foreign,
    lfs::LfsPointer,
    picture::{self, DecodeError, Metadata},
    recipe::{Blob, BlobId},
};

use candle_core::{DType, Device, Tensor};
use image::{ImageFormat, RgbaImage};

use crate::failure::Failure;

/// The keyword of the prompt and settings that another program drew a picture with.
const OLD_PARAMETERS: &str = "parameters before the edit";

/// A picture of another program, or of this one.
pub(crate) struct Picture {
    pub(crate) image: RgbaImage,
    /// The metadata that an edited copy keeps.
    pub(crate) metadata: Metadata,
}

/// Reads an 8-bit PNG.
pub(crate) fn picture(path: &Path) -> Result<Picture, Failure> {
    let bytes = foreign::read(path, foreign::MAX_PICTURE).map_err(Failure::file("read", path))?;
    let image = picture::decode(&bytes).map_err(|error| match error {
        DecodeError::Png(_) => Failure::Picture { path: path.to_path_buf(), source: error },
        source => Failure::Decode { path: path.to_path_buf(), source },
    })?;
    // Rounding to 8 bits would change pixels that an edit must not touch.
    let bits = image.color().bits_per_pixel() / u16::from(image.color().channel_count());
    if bits > 8 {
        return Err(Failure::Bits { path: path.to_path_buf(), bits });
    }
    let metadata = picture_file::metadata(&bytes);
    let all = Metadata::read(&bytes);
    // The prompt and settings of another program. An edit has its own under this keyword.
    let metadata = if all.has_text(picture_file::KEYWORD) {
        metadata
    } else {
        metadata.with_text_of(&all, picture_file::PARAMETERS, OLD_PARAMETERS)
    };
    Ok(Picture { image: image.into_rgba8(), metadata })
}

/// Encodes a picture as PNG, with its provenance if it has one, and the masks and scribbles of its edit. Pictures drawn
/// from a noise file have no provenance, because a recipe does not contain the noise. `metadata` is that of the picture
/// before the edit.
pub(crate) fn png(
    image: &RgbaImage,
    provenance: Option<&Provenance>,
    blobs: &BTreeMap<BlobId, Blob>,
    metadata: &Metadata,
) -> io::Result<Vec<u8>> {
    let Some(provenance) = provenance else {
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
        return Ok(metadata.insert_into(bytes.into_inner()));
    };
    Ok(metadata.insert_into(picture_file::encode(image, provenance, blobs)?))
}

/// Reads initial noise: the tensor `latents`, `(1, channels, height, width)`, from a safetensors file.
pub(crate) fn latents(path: &Path) -> Result<Tensor, Failure> {
    let invalid = |message: String| Failure::Noise { path: path.to_path_buf(), message };
    // Without candle's backtrace.
    let text = |error: candle_core::Error| DiffusionError::from(error).to_string();
    let bytes = foreign::read(path, foreign::MAX_TENSORS).map_err(Failure::file("read", path))?;
    LfsPointer::check(&bytes).map_err(|error| invalid(error.to_string()))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| invalid(format!("not a complete safetensors file: {}", text(error))))?;
    let latents = tensors
        .get("latents")
        .ok_or_else(|| invalid("the file has no tensor `latents`".to_owned()))?;
    if latents.rank() != 4 || latents.dims()[0] != 1 {
        let shape = latents.shape();
        return Err(invalid(format!(
            "`latents` has shape {shape:?}; expected (1, channels, height, width)"
        )));
    }
    let dtype = latents.dtype();
    latents.to_dtype(DType::F32).map_err(|error| {
        invalid(format!(
            "`latents` has numbers of the type {dtype:?}: {}; save it as F32",
            text(error)
        ))
    })
}

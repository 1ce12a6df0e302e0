//! Reading and writing picture and noise files.

use std::{collections::BTreeMap, io, path::Path};

use bevy_illustrator::{
    art::{
        Provenance,
        picture_file::{self, Attachments, EncodeError},
    },
    diffusion::DiffusionError,
    foreign,
    lfs::LfsPointer,
    picture::{self, Metadata},
    recipe::{Blob, BlobId, Recipe},
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
    let image = picture::decode(&bytes).map_err(Failure::decode(path))?;
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

/// What the files of a recipe's pictures contain besides these. It is complete before they are drawn.
pub(crate) enum Contents {
    /// The provenance, masks and images.
    Recipe(Attachments),
    /// Pictures drawn from a noise file have no provenance, because a recipe does not contain the noise.
    Metadata(Metadata),
}

impl Contents {
    /// The contents of the files of a recipe. `metadata` is that of the picture before the edit.
    ///
    /// # Errors
    /// If the files could not be read back.
    pub(crate) fn new(
        recipe: &Recipe,
        blobs: &BTreeMap<BlobId, Blob>,
        metadata: Metadata,
    ) -> Result<Self, EncodeError> {
        Ok(Self::Recipe(Attachments::new(recipe, blobs, metadata)?))
    }

    /// Encodes a picture as PNG.
    pub(crate) fn png(&self, image: &RgbaImage, provenance: &Provenance) -> io::Result<Vec<u8>> {
        match self {
            Self::Recipe(attachments) => Ok(picture_file::encode(image, provenance, attachments)?),
            Self::Metadata(metadata) => {
                let mut bytes = io::Cursor::new(Vec::new());
                image.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
                Ok(metadata.insert_into(bytes.into_inner()))
            }
        }
    }

    /// The provenance, if the files have it.
    pub(crate) fn provenance<'a>(&self, provenance: &'a Provenance) -> Option<&'a Provenance> {
        matches!(self, Self::Recipe(_)).then_some(provenance)
    }
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

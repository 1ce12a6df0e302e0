//! The files of an edit: the picture that it changes, and those that it writes.

use std::path::{Path, PathBuf};

use bevy_illustrator::picture::Metadata;

use super::EditOptions;
use crate::{
    failure::Failure,
    files::{self, Picture},
    output::{Existing, Format, OutputFile, Outputs, is_same_file, shortened},
};

/// The files of a take.
pub(crate) struct Out {
    pub(super) path: PathBuf,
    pub(super) picture: OutputFile,
    pub(super) dump: Option<OutputFile>,
}

impl EditOptions {
    /// Reads the picture to edit.
    ///
    /// # Errors
    /// If it cannot be read, is animated, or would be replaced by a file that does not keep all of it.
    pub(crate) fn picture(&self, path: &Path) -> Result<Picture, Failure> {
        let picture = files::picture(path)?;
        if picture.metadata.is_animated() {
            return Err(Failure::Animated { path: path.to_path_buf() });
        }
        self.check_losses(path, &picture.metadata)?;
        Ok(picture)
    }

    /// Begins the files of each take. The first picture may replace the picture that is edited.
    ///
    /// # Errors
    /// If a file cannot be written, or is one of the `inputs`.
    pub(crate) fn begin<'a>(
        &'a self,
        picture: &Path,
        inputs: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Vec<Out>, Failure> {
        let inputs = inputs.into_iter().chain(self.noise.as_deref());
        let mut outputs = Outputs::of_inputs(inputs);
        outputs.add_model(&self.sampling.model_name());
        self.sampling.lora.iter().for_each(|lora| outputs.add_model(&lora.file));
        self.sampling.text_encoder.iter().for_each(|path| outputs.add_model(path));
        let mut begin = |take: u32| {
            let path = numbered(&self.out, take);
            let dump = self.dump.as_deref().map(|dump| numbered(dump, take));
            // The user did not type the names with numbers.
            let existing = if take == 0 { Existing::Replaced } else { Existing::Refused };
            let out = outputs.begin(&path, Format::Png, existing)?;
            outputs.add_inputs([picture]);
            let dump = dump.map(|dump| outputs.begin(&dump, Format::Safetensors, existing));
            Ok(Out { path, picture: out, dump: dump.transpose()? })
        };
        (0..self.takes).map(&mut begin).collect()
    }

    /// Warns of what the result does not keep.
    ///
    /// # Errors
    /// If the result would replace the picture, and so the only copy of what it does not keep.
    fn check_losses(&self, picture: &Path, metadata: &Metadata) -> Result<(), Failure> {
        let mut lost = Vec::new();
        if metadata.has_lost_profile() {
            lost.push("a colour profile for grey or CMYK pictures".to_owned());
        }
        if !metadata.lost_chunks().is_empty() {
            let names = metadata.lost_chunks().iter().map(|name| String::from_utf8_lossy(name));
            lost.push(format!("PNG chunks of other programs ({})", shortened(names)));
        }
        if metadata.has_more_data() {
            lost.push("data after the end of the picture".to_owned());
        }
        let is_in_place = is_same_file(&self.out, picture);
        if is_in_place && metadata.is_converted() {
            lost.push("its format, which is not PNG".to_owned());
        }
        if lost.is_empty() {
            return Ok(());
        }
        let lost = lost.join(" and ");
        if is_in_place {
            return Err(Failure::InPlace { path: picture.to_path_buf(), lost });
        }
        let path = picture.display();
        log::warn!("the result does not keep {lost}, which {path} has; keep that picture");
        Ok(())
    }
}

/// The output file of a take.
fn numbered(file: &Path, take: u32) -> PathBuf {
    if take == 0 {
        return file.to_path_buf();
    }
    let mut name = file.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{}", take + 1));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

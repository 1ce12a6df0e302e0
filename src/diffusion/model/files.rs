//! The files that change a loaded model: low-rank adapters, textual inversions, and another autoencoder.

use std::{cell::OnceCell, fs, path::Path, sync::Arc, time::SystemTime};

use super::{Model, ModelParts, NetworkLoaders};
use crate::{
    diffusion::{
        DiffusionError, Interrupt, autoencoder,
        lora::{LoraFile, Loras, hash_files},
        text::TextualInversion,
        weights::interruptible,
    },
    model::{Package, with_vae},
    recipe::Lora,
};

impl Model {
    /// Changes the networks by these low-rank adapters, instead of those before. If they are the same, nothing is loaded. A
    /// denoiser that keeps its weights takes other adapters [beside them](crate::diffusion::Denoiser::with_loras). Other
    /// networks are loaded again.
    ///
    /// # Errors
    /// [`DiffusionError::NoLoras`] if the family cannot have any. Also if a file is missing, damaged, or for another family;
    /// the networks stay as they were then.
    pub fn set_loras(
        &mut self,
        loras: &[Lora],
        interrupt: &Interrupt,
    ) -> Result<(), DiffusionError> {
        let files: Vec<_> = loras.iter().map(|lora| file_state(Path::new(&lora.file))).collect();
        if (loras, &files) == (&self.loras.loras, &self.loras.files) {
            return Ok(());
        }
        let opened = open_loras(loras)?;
        let ModelParts { denoiser, device, loaders, .. } = &self.parts;
        let beside = denoiser.with_loras(&opened, device)?;
        let (text_encoder, denoiser) = match (beside, loaders) {
            (Some(denoiser), None) => {
                opened.iter().try_for_each(LoraFile::check_used)?;
                (None, denoiser)
            }
            (beside, _) => {
                let loras = self.with_package(opened)?;
                let load = |loaders: &NetworkLoaders, package: &dyn Package| {
                    let text_encoder = (loaders.text_encoder)(package, device)?;
                    let denoiser = match beside {
                        Some(denoiser) => denoiser,
                        None => (loaders.denoiser)(package, device)?,
                    };
                    Ok((text_encoder, denoiser))
                };
                let (text_encoder, denoiser) = self.load_changed(&loras, interrupt, load)?;
                loras.check_used()?;
                (Some(text_encoder), denoiser)
            }
        };
        let hash = match loras {
            [] => None,
            loras => Some(hash_files(loras.iter().map(|lora| lora.file.as_str()), interrupt)?),
        };
        self.parts.denoiser = denoiser;
        if let Some(text_encoder) = text_encoder {
            self.set_text_encoder(text_encoder);
            self.prompts.clear();
        }
        self.loras = LoadedLoras { loras: loras.to_vec(), files, hash };
        Ok(())
    }

    /// Low-rank adapters for the package of the model.
    fn with_package(&self, loras: Vec<LoraFile>) -> Result<Loras, DiffusionError> {
        let package = self.package.as_ref().ok_or(DiffusionError::NoLoras)?;
        Ok(Loras::new(&*package.package, loras)?)
    }

    /// Loads networks again, changed by low-rank adapters.
    fn load_changed<T>(
        &self,
        loras: &Loras,
        interrupt: &Interrupt,
        load: impl FnOnce(&NetworkLoaders, &dyn Package) -> Result<T, DiffusionError>,
    ) -> Result<T, DiffusionError> {
        let (Some(loaders), Some(pinned)) = (&self.parts.loaders, &self.package) else {
            return Err(DiffusionError::NoLoras);
        };
        pinned.check()?;
        let package = loras.applied_to(&*pinned.package);
        interruptible(&package, interrupt, |package| load(loaders, package))
    }

    /// Loads the text encoder, with the low-rank adapters of the model, unless it is in memory.
    ///
    /// # Errors
    /// If a file changed since the model was loaded, or as loading a model.
    pub(super) fn load_text_encoder(
        &mut self,
        interrupt: &Interrupt,
    ) -> Result<(), DiffusionError> {
        if self.parts.low_memory && self.text_encoder.is_none() {
            let loras = self.with_package(open_loras(&self.loras.loras)?)?;
            let device = &self.parts.device;
            let load = |loaders: &NetworkLoaders, package: &dyn Package| {
                (loaders.text_encoder)(package, device)
            };
            self.text_encoder = Some(self.load_changed(&loras, interrupt, load)?);
        }
        Ok(())
    }

    /// Sets the textual inversions that prompts may name, by their names and their files, instead of those before.
    ///
    /// # Errors
    /// [`DiffusionError::NoEmbeddings`] if the text encoder cannot have any. Also if a file is missing, damaged, or for another
    /// family; the model keeps those before then.
    pub fn set_embeddings(
        &mut self,
        files: &[(String, String)],
        interrupt: &Interrupt,
    ) -> Result<(), DiffusionError> {
        let states: Vec<_> = files.iter().map(|(_, file)| file_state(Path::new(file))).collect();
        if (files, &states) == (&self.embeddings.files, &self.embeddings.states) {
            return Ok(());
        }
        let widths = self.parts.text_encoder.inversion_widths();
        if let ([(name, _), ..], []) = (files, widths.as_slice()) {
            return Err(DiffusionError::NoEmbeddings { name: name.clone() });
        }
        let device = &self.parts.device;
        let load = |(name, file): &(String, String)| {
            TextualInversion::load(name, Path::new(file), &widths, device)
        };
        let inversions = files.iter().map(load).collect::<Result<_, _>>()?;
        let hash = match files {
            [] => None,
            files => Some(hash_files(files.iter().map(|(_, file)| file.as_str()), interrupt)?),
        };
        self.prompts.clear();
        self.embeddings = LoadedEmbeddings { files: files.to_vec(), states, inversions, hash };
        Ok(())
    }

    /// Replaces the autoencoder by that in a file or a folder, or by that of the package. See
    /// [`with_vae`](crate::model::with_vae). If it is the same as before, nothing is loaded.
    ///
    /// # Errors
    /// [`DiffusionError::NoVae`] if the model has no package. Also if the autoencoder is missing or damaged, or has other
    /// latents than that of the model; the model keeps the one before then.
    pub fn set_vae(
        &mut self,
        file: Option<&str>,
        interrupt: &Interrupt,
    ) -> Result<(), DiffusionError> {
        let state = file.map(|file| (file, file_state(Path::new(file))));
        if self.vae.as_ref().map(|vae| (vae.file.as_str(), vae.state)) == state {
            return Ok(());
        }
        let Some(pinned) = &self.package else { return Err(DiffusionError::NoVae) };
        pinned.check()?;
        let device = &self.parts.device;
        let load = |package: &dyn Package| {
            interruptible(package, interrupt, |package| autoencoder::load(package, "vae", device))
        };
        let (autoencoder, vae) = match state {
            None => (load(&*pinned.package)?, None),
            Some((file, state)) => {
                let package = with_vae(Arc::clone(&pinned.package), Path::new(file))?;
                let hash = package.files_hash(interrupt)?;
                (load(&package)?, Some(LoadedVae { file: file.to_owned(), state, hash }))
            }
        };
        let (found, expected) = (autoencoder.spec(), self.parts.autoencoder.spec());
        if found != expected {
            let file = file.unwrap_or_default().to_owned();
            return Err(DiffusionError::OtherLatents { file, found, expected });
        }
        self.parts.autoencoder = autoencoder;
        (self.colours, self.linear_autoencoder) = (OnceCell::new(), OnceCell::new());
        self.vae = vae;
        Ok(())
    }

    /// The hash of the model with its low-rank adapters, its textual inversions, another autoencoder and components of other
    /// files, as 64 hex digits: that of its package, `hash`, if there are none, and otherwise the blake3 of it and the contents
    /// of their files.
    #[must_use]
    pub fn hash_with_files(&self, hash: &str) -> String {
        let of_vae = self.vae.as_ref().map(|vae| vae.hash);
        let of_components = self.components.as_ref().map(|components| components.hash);
        if [self.loras.hash, self.embeddings.hash, of_vae, of_components] == [None; 4] {
            return hash.to_owned();
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(hash.as_bytes());
        if let Some(of_loras) = self.loras.hash {
            hasher.update(of_loras.as_bytes());
        }
        if let Some(of_embeddings) = self.embeddings.hash {
            hasher.update(b"embeddings").update(of_embeddings.as_bytes());
        }
        if let Some(of_vae) = of_vae {
            hasher.update(b"vae").update(of_vae.as_bytes());
        }
        if let Some(of_components) = of_components {
            hasher.update(b"components").update(of_components.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn open_loras(loras: &[Lora]) -> Result<Vec<LoraFile>, DiffusionError> {
    loras.iter().map(|lora| LoraFile::open(Path::new(&lora.file), lora.weight)).collect()
}

/// The low-rank adapters in the networks of a model.
#[derive(Default)]
pub(super) struct LoadedLoras {
    loras: Vec<Lora>,
    /// The states of their files when they were loaded.
    files: Vec<FileState>,
    /// The hash of the contents of the files. `None` without adapters.
    hash: Option<blake3::Hash>,
}

/// The textual inversions of a model.
#[derive(Default)]
pub(super) struct LoadedEmbeddings {
    /// Their names and files.
    files: Vec<(String, String)>,
    /// The states of the files when they were loaded.
    states: Vec<FileState>,
    pub(super) inversions: Vec<TextualInversion>,
    /// The hash of the contents of the files. `None` without textual inversions.
    hash: Option<blake3::Hash>,
}

/// The file of the autoencoder.
pub(super) struct LoadedVae {
    file: String,
    /// Its state when it was loaded.
    state: FileState,
    /// The hash of its contents.
    hash: blake3::Hash,
}

/// The size and the time of the last change of a file, if it is there.
type FileState = Option<(u64, Option<SystemTime>)>;

fn file_state(path: &Path) -> FileState {
    let state = fs::metadata(path).ok()?;
    Some((state.len(), state.modified().ok()))
}

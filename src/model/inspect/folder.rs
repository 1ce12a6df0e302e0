//! Identifies a folder: a diffusers pipeline with its components, one component, or neither.

use std::{io, path::Path};

use serde_json::Value;

use super::{BaseModel, Inspection, ModelKind, Obstacle, Part, TensorHeader};
use crate::{
    foreign,
    model::{
        FolderPackage, ModelError, Package,
        detect::{self, Family, Index, TRANSFORMER},
        package::{INDEX, config_file, model_below},
    },
};

const UNKNOWN_CLASS: &str = "of unknown class";

pub(super) fn inspect(folder: &Path) -> io::Result<Inspection> {
    let package = FolderPackage::at(folder);
    let mut inspector = Inspector { folder, package: &package, base: None, obstacles: Vec::new() };
    let (kind, parts) = if package.has(INDEX) {
        inspector.pipeline()?
    } else if package.has("config.json") {
        inspector.component()?
    } else {
        return Ok(Inspection::no_model(match model_below(folder) {
            Some(found) => Obstacle::FolderAbove { found: found.display().to_string() },
            None => Obstacle::NoModel("this folder has no model_index.json".to_owned()),
        }));
    };
    let Inspector { base, obstacles, .. } = inspector;
    let licence = package.licence();
    Ok(Inspection { kind, base, parts, licence, prediction_type: None, memory: None, obstacles })
}

/// Collects the obstacles in a folder.
struct Inspector<'a> {
    folder: &'a Path,
    package: &'a FolderPackage,
    /// The base model, once a tensor told it.
    base: Option<BaseModel>,
    obstacles: Vec<Obstacle>,
}

impl Inspector<'_> {
    fn pipeline(&mut self) -> io::Result<(ModelKind, Vec<Part>)> {
        let read = Index::read(self.package);
        let Some(index) = self.accept(read) else {
            return Ok((ModelKind::Pipeline(UNKNOWN_CLASS.to_owned()), Vec::new()));
        };
        for mismatch in index.mismatches() {
            let (found, expected) = (mismatch.found, mismatch.expected);
            self.obstacles.push(match mismatch.component {
                None => Obstacle::PipelineClass { found: or_unknown(found), expected },
                Some(component) if found.is_empty() => {
                    Obstacle::Missing { file: format!("{component}/") }
                }
                Some(component) => Obstacle::ComponentClass { component, found, expected },
            });
        }
        let family = detect::family(&index.class);
        // The names of some families are those of their base.
        self.base = family.and_then(|family| BaseModel::from_name(family.name));
        let needed = |name: &str| family.and_then(|family| family.component(name));
        let mut parts = Vec::new();
        for (name, class) in &index.components {
            let has_tensors = match needed(name) {
                Some(component) => component.has_tensors,
                None => self.package.has(&config_file(name)),
            };
            if !has_tensors {
                parts.push(Part { name: name.clone(), class: class.clone(), ..Part::default() });
                continue;
            }
            let known = self.obstacles.len();
            parts.push(self.weights(name, class)?);
            if needed(name).is_none() {
                // Ignore components that are never loaded, such as a safety checker.
                self.obstacles.truncate(known);
            }
        }
        if let Some(family) = family {
            self.other_files(family);
        }
        Ok((ModelKind::Pipeline(or_unknown(index.class)), parts))
    }

    /// Inspects a folder that is a single component.
    fn component(&mut self) -> io::Result<(ModelKind, Vec<Part>)> {
        let read = self.package.json("config.json");
        let config = self.accept(read).unwrap_or_default();
        let class = config.get("_class_name").or_else(|| config.get("architectures")?.get(0));
        let class = or_unknown(class.and_then(Value::as_str).unwrap_or_default().to_owned());
        self.obstacles.push(Obstacle::of_component(&class));
        let part = self.weights("", &class)?;
        Ok((ModelKind::Component(class), vec![part]))
    }

    /// Checks the files that a pipeline needs besides its networks.
    fn other_files(&mut self, family: &Family) {
        let names = family.components.iter().map(|component| component.name);
        for folder in names.filter(|name| name.starts_with("tokenizer")) {
            let has = |file: &str| self.package.has(&format!("{folder}/{file}"));
            let has_vocabulary = has("vocab.json") && has("merges.txt");
            if !has("tokenizer.json") && !has_vocabulary {
                let file = format!("{folder}/tokenizer.json (or vocab.json with merges.txt)");
                self.obstacles.push(Obstacle::Missing { file });
            }
        }
        let is_transformer = family.component(TRANSFORMER).is_some();
        let denoiser = if is_transformer { TRANSFORMER } else { "unet" };
        let read = ["scheduler", denoiser, "vae"].map(|part| self.package.config(part));
        let [_, unet, vae] = read.map(|read| self.accept(read).unwrap_or_default());
        let channels = |config: &Value, field: &str| config.get(field)?.as_u64();
        let out = channels(&unet, "out_channels").unwrap_or(4);
        // The check of the networks tells whether the channels of a transformer fit.
        if !is_transformer
            && let Some(unet) = channels(&unet, "in_channels")
            && let Some(vae) = channels(&vae, "latent_channels")
            && unet != vae
            && (unet, out) != (vae.saturating_mul(2).saturating_add(1), vae)
        {
            self.obstacles.push(Obstacle::Channels { unet, vae });
        }
    }

    /// Reads the headers of a component's weight files. An empty name means the folder itself.
    fn weights(&mut self, name: &str, class: &str) -> io::Result<Part> {
        let mut part = Part { name: name.to_owned(), class: class.to_owned(), ..Part::default() };
        if name.starts_with("text_encoder") {
            // The configurations of the UNet and the autoencoder are read with the other files.
            let read = self.package.config(name);
            self.accept(read);
        }
        let listed = self.package.weight_files(name);
        for file in self.accept(listed).unwrap_or_default() {
            self.count(&mut part, &file)?;
        }
        Ok(part)
    }

    fn count(&mut self, part: &mut Part, file: &str) -> io::Result<()> {
        if !self.package.has(file) {
            self.obstacles.push(Obstacle::Missing { file: file.to_owned() });
            return Ok(());
        }
        let opened = foreign::open(&self.folder.join(file))?;
        let bytes = opened.metadata()?.len();
        match TensorHeader::read(opened, bytes) {
            Ok(header) => {
                part.add(&header, bytes);
                self.base = self.base.or_else(|| BaseModel::of_header(&header));
            }
            Err(error) => {
                let file = file.to_owned();
                self.obstacles.push(match error {
                    super::HeaderError::Pickle => Obstacle::Pickle { file },
                    super::HeaderError::LfsPointer(_) => Obstacle::LfsPointer { file },
                    error => Obstacle::Broken { file, error },
                });
            }
        }
        Ok(())
    }

    /// Returns the value. An error becomes an obstacle.
    fn accept<T>(&mut self, read: Result<T, ModelError>) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.obstacles.push(match error {
            ModelError::Missing { file, .. } => Obstacle::Missing { file: self.relative(&file) },
            ModelError::Pickle { file } => Obstacle::Pickle { file: self.relative(&file) },
            ModelError::LfsPointer { file, .. } => {
                Obstacle::LfsPointer { file: self.relative(&file) }
            }
            error => Obstacle::Refused(error.to_string().replace(&self.prefix(), "")),
        });
        None
    }

    fn relative(&self, location: &str) -> String {
        location.strip_prefix(&self.prefix()).unwrap_or(location).to_owned()
    }

    /// The prefix of all file names in this folder.
    fn prefix(&self) -> String {
        let mut prefix = self.folder.join("x").display().to_string();
        prefix.pop();
        prefix
    }
}

fn or_unknown(class: String) -> String {
    if class.is_empty() { UNKNOWN_CLASS.to_owned() } else { class }
}

#[cfg(test)]
mod tests;

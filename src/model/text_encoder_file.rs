//! Text encoders as files or folders of their own, which replace those of a model, or are those that it lacks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    FolderPackage, ModelError, Package, TensorSource,
    detect::{Index, QWEN3, check_component},
    ldm::text_encoder::Layout,
    package::{INDEX, Overlay},
    qwen3_file::with_qwen3,
    tensors::{Converted, TensorFiles, dims},
};

/// The text encoder of all families, and the second one of Stable Diffusion XL.
const COMPONENTS: [&str; 2] = ["text_encoder", "text_encoder_2"];

/// The names that CLIP's text encoders have in files of their own, and in whole models.
const LAYOUTS: [Layout; 7] = [
    Layout::Transformers { prefix: "" },
    Layout::Bare,
    Layout::Transformers { prefix: "cond_stage_model.transformer." },
    Layout::Transformers { prefix: "conditioner.embedders.0.transformer." },
    Layout::OpenClip { prefix: "" },
    Layout::OpenClip { prefix: "cond_stage_model.model." },
    Layout::OpenClip { prefix: "conditioner.embedders.1.model." },
];

/// A tensor that every text encoder has, by its name in transformers.
const TOKENS: &str = "text_model.embeddings.token_embedding.weight";

/// The fields of the configuration that no tensor tells.
const UNTOLD: [&str; 3] = ["num_attention_heads", "hidden_act", "layer_norm_eps"];

/// A text encoder in a file or in a folder.
struct TextEncoderFile {
    path: PathBuf,
    /// The channels of a token.
    width: usize,
    /// The names in the file. `None` for a folder, whose configuration tells everything.
    layout: Option<Layout>,
}

/// Replaces the text encoders of a package by those in files or in folders: CLIP, in the names of transformers, of LDM or of
/// `OpenCLIP`. A package without text encoders needs all of them. The width of each file tells
/// which of the two encoders of Stable Diffusion XL it is.
/// The text encoder of FLUX.2 Klein and Z-Image is a Qwen3 language model, as [`with_qwen3`] reads it.
///
/// What the tensors of a file do not tell, such as the number of attention heads, is that of the encoder that it replaces, or
/// else that of the published models.
///
/// # Errors
/// [`ModelError::Unsupported`] if a file is not a text encoder for the package, and [`ModelError::NoTextEncoder`] if the package
/// needs another one. Otherwise if a file cannot be read, or lacks a tensor.
pub fn with_text_encoders(
    package: Arc<dyn Package>,
    paths: &[String],
) -> Result<Arc<dyn Package>, ModelError> {
    if paths.is_empty() {
        return Ok(package);
    }
    let reads_qwen3 = check_component(&*package, COMPONENTS[0], &[QWEN3]).is_ok();
    if reads_qwen3 {
        let [path] = paths else {
            return Err(ModelError::Unsupported {
                file: package.location(INDEX),
                field: "text_encoders".to_owned(),
                value: format!("{} files", paths.len()),
                supported: "one file, a Qwen3 language model".to_owned(),
            });
        };
        return Ok(Arc::new(with_qwen3(package, Path::new(path))?));
    }
    let opened = paths.iter().map(|path| TextEncoderFile::open(Path::new(path)));
    let mut opened = opened.collect::<Result<Vec<_>, _>>()?;
    let index = Index::read(&*package)?;
    let components = COMPONENTS.into_iter().filter(|name| !index.class_of(name).is_empty());
    let mut places: Vec<(&str, Option<usize>)> = components
        .map(|component| (component, package.config(component).ok().as_ref().and_then(width)))
        .collect();
    if places.iter().all(|(_, width)| width.is_none()) {
        // The second one of Stable Diffusion XL is the wider one.
        opened.sort_by_key(|encoder| encoder.width);
        if opened.len() < places.len() {
            return Err(ModelError::NoTextEncoder { file: package.location(INDEX) });
        }
        for ((_, width), encoder) in places.iter_mut().zip(&opened) {
            *width = Some(encoder.width);
        }
        check_width(&*package, &opened)?;
    }
    let mut replaced = Arc::clone(&package);
    for encoder in opened {
        let place = places.iter().position(|(_, width)| *width == Some(encoder.width));
        let Some(place) = place else {
            let expected: Vec<_> = places.iter().filter_map(|(_, width)| *width).collect();
            return Err(encoder.unsupported(&expected));
        };
        let (component, _) = places.remove(place);
        replaced = Arc::new(encoder.over(replaced, component)?);
    }
    Ok(replaced)
}

/// Checks that the denoiser of a package reads the tokens of these text encoders.
fn check_width(package: &dyn Package, opened: &[TextEncoderFile]) -> Result<(), ModelError> {
    let expected = package.config("unet")?["cross_attention_dim"].as_u64();
    let found: usize = opened.iter().map(|encoder| encoder.width).sum();
    match (expected, opened.last()) {
        (Some(expected), Some(last)) if expected != found as u64 => {
            let others = found - last.width;
            Err(last.unsupported(&[(expected as usize).saturating_sub(others)]))
        }
        _ => Ok(()),
    }
}

/// The fields of a text encoder, which a model of both pictures and texts nests.
fn of_text(config: &Value) -> &Value {
    config.get("text_config").filter(|it| it.is_object()).unwrap_or(config)
}

/// The channels of a token.
fn width(config: &Value) -> Option<usize> {
    of_text(config).get("hidden_size")?.as_u64().map(|width| width as usize)
}

impl TextEncoderFile {
    /// Finds out what a file or a folder is.
    fn open(path: &Path) -> Result<Self, ModelError> {
        let path = path.to_owned();
        if path.is_dir() {
            let config = FolderPackage::at(&path).config("")?;
            let width =
                width(&config).ok_or_else(|| other(&path, "a folder with another model"))?;
            return Ok(Self { path, width, layout: None });
        }
        let tensors = TensorFiles::open(&path)?;
        let has = |layout: &Layout| tensors.contains(&layout.stored(TOKENS).name);
        let layout = LAYOUTS.into_iter().find(has);
        let layout = layout.ok_or_else(|| other(&path, "a file with other tensors"))?;
        let [_, width] = dims(&converted(tensors, layout), TOKENS)?;
        Ok(Self { path, width, layout: Some(layout) })
    }

    /// Replaces a component of a package.
    fn over(
        self,
        package: Arc<dyn Package>,
        component: &'static str,
    ) -> Result<Overlay, ModelError> {
        let Some(layout) = self.layout else {
            return Overlay::of_folder(package, component, &self.path);
        };
        let path = self.path.clone();
        let open = move || {
            Ok(Box::new(converted(TensorFiles::open(&path)?, layout)) as Box<dyn TensorSource>)
        };
        let is_second = component == COMPONENTS[1];
        // Stable Diffusion 2 never uses the last layer.
        let skips_last = !is_second && matches!(layout, Layout::OpenClip { .. });
        let mut config = layout.config(&*open()?, skips_last)?;
        match package.config(component).ok() {
            Some(own) => {
                let own = of_text(&own);
                let told = UNTOLD.iter().filter_map(|field| Some((*field, own.get(*field)?)));
                told.for_each(|(field, value)| config[field] = value.clone());
                let layers = [own, &config].map(|it| it["num_hidden_layers"].as_u64());
                config["num_hidden_layers"] = json!(layers.into_iter().flatten().min());
            }
            None if is_second || is_sd2(&*package)? => config["hidden_act"] = json!("gelu"),
            None => {}
        }
        Ok(Overlay::of_file(package, component, &self.path, config, Arc::new(open)))
    }

    fn unsupported(&self, expected: &[usize]) -> ModelError {
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        ModelError::Unsupported {
            file: self.path.display().to_string(),
            field: "hidden_size".to_owned(),
            value: self.width.to_string(),
            supported: match expected.is_empty() {
                true => "no further text encoder for this model".to_owned(),
                false => {
                    format!("a text encoder of {} channels for this model", expected.join(" or "))
                }
            },
        }
    }
}

/// Whether a package is Stable Diffusion 2.
fn is_sd2(package: &dyn Package) -> Result<bool, ModelError> {
    let has_one = Index::read(package)?.class_of(COMPONENTS[1]).is_empty();
    Ok(has_one && package.config("unet")?["use_linear_projection"] == true)
}

/// The tensors by their names in transformers.
fn converted(tensors: TensorFiles, layout: Layout) -> impl TensorSource {
    Converted { source: Box::new(tensors), stored: move |name: &str| layout.stored(name) }
}

fn other(path: &Path, value: &str) -> ModelError {
    ModelError::Unsupported {
        file: path.display().to_string(),
        field: "the text encoder".to_owned(),
        value: value.to_owned(),
        supported: "a text encoder of CLIP in the names of transformers, LDM or OpenCLIP"
            .to_owned(),
    }
}

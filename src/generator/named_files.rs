//! The files of LoRAs and embeddings that are given by their names.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::{
    diffusion::DiffusionError,
    model::ModelError,
    recipe::{Lora, Recipe},
};

/// The names of the folders with LoRAs, as in `ComfyUI` and A1111.
const LORAS: &[&str] = &["loras", "Lora", "LoRA"];

/// Those with embeddings.
const EMBEDDINGS: &[&str] = &["embeddings", "Embeddings"];

/// The number of folders above a model in which such a folder is searched.
const LEVELS: usize = 3;

/// The deepest folder below such a folder that is searched.
const MAX_DEPTH: usize = 4;

const EXTENSION: &str = "safetensors";

/// The extensions of pickles, in which many embeddings are published.
const PICKLES: [&str; 3] = ["pt", "bin", "ckpt"];

/// The low-rank adapters of a recipe, also those in its prompts, with the paths of their files.
///
/// A LoRA without extension is a name. Its file is searched in the working directory, and in the folders `loras` and `Lora`
/// beside the model, and beside up to three folders above it.
///
/// # Errors
/// [`DiffusionError::NoSuchLora`] if a file is not found. [`DiffusionError::Lora`] if a weight is out of range.
pub fn lora_files(recipe: &Recipe) -> Result<Vec<Lora>, DiffusionError> {
    let mut loras = recipe.with_choices_made().loras;
    Lora::check_all(&loras)?;
    for lora in &mut loras {
        let path = Path::new(&lora.file);
        if path.extension().is_none_or(|extension| extension != EXTENSION) && !path.is_file() {
            let folders = folders(&recipe.model, LORAS);
            let Some(file) = find(&format!("{}.{EXTENSION}", lora.file), &folders) else {
                let name = lora.file.clone();
                return Err(DiffusionError::NoSuchLora { name, searched: shown(&folders) });
            };
            lora.file = file;
        }
    }
    Ok(loras)
}

/// The textual inversions that the prompts of a recipe name, with the paths of their files.
///
/// A file is searched under its path, and as LoRAs are, in folders `embeddings`. Its extension may be left out.
///
/// # Errors
/// [`DiffusionError::NoSuchEmbedding`] if a file is not found, and [`ModelError::Pickle`] if only a pickle is.
pub fn embedding_files(recipe: &Recipe) -> Result<Vec<(String, String)>, DiffusionError> {
    let names = recipe.with_choices_made().embeddings();
    let find = |name: String| {
        let folders = folders(&recipe.model, EMBEDDINGS);
        let pickles = PICKLES.iter().find_map(|pickle| name.strip_suffix(&format!(".{pickle}")));
        let stem = name.strip_suffix(&format!(".{EXTENSION}")).or(pickles).unwrap_or(&name);
        if let Some(file) = find(&format!("{stem}.{EXTENSION}"), &folders) {
            return Ok((name, file));
        }
        let mut pickles = PICKLES.iter().map(|pickle| format!("{stem}.{pickle}"));
        Err(match pickles.find_map(|file| find(&file, &folders)) {
            Some(file) => ModelError::Pickle { file }.into(),
            None => DiffusionError::NoSuchEmbedding { name, searched: shown(&folders) },
        })
    };
    names.into_iter().map(find).collect()
}

/// The path of a file in the working directory or in one of the folders.
fn find(file_name: &str, folders: &[PathBuf]) -> Option<String> {
    let in_folder = |folder: &PathBuf| {
        let direct = folder.join(file_name);
        if direct.is_file() {
            return Some(direct);
        }
        let files =
            WalkDir::new(folder).max_depth(MAX_DEPTH).follow_links(true).sort_by_file_name();
        let mut files = files.into_iter().flatten();
        let found = files.find(|entry| entry.file_name() == file_name);
        found.map(walkdir::DirEntry::into_path)
    };
    let here = PathBuf::from(file_name);
    let found = Some(here).filter(|file| file.is_file());
    let found = found.or_else(|| folders.iter().find_map(in_folder))?;
    Some(found.display().to_string())
}

fn shown(folders: &[PathBuf]) -> Vec<String> {
    folders.iter().map(|folder| folder.display().to_string()).collect()
}

/// The folders with these names beside a model that exist, nearest first.
fn folders(model: &str, names: &[&str]) -> Vec<PathBuf> {
    let beside = Path::new(model).ancestors().skip(1).take(LEVELS).map(Path::to_owned);
    let all = beside.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let mut folders: Vec<PathBuf> = all.filter(|folder| folder.is_dir()).collect();
    // On some disks, upper and lower case are the same.
    folders.dedup_by_key(|folder| folder.to_string_lossy().to_lowercase());
    folders
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::recipe::Size;

    #[test]
    fn the_loras_in_prompts_are_found_beside_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path();
        for file in [
            "checkpoints/sd/ink.safetensors",
            "loras/cast/mira.safetensors",
            "loras/sea.safetensors",
        ] {
            fs::create_dir_all(models.join(file).parent().unwrap()).unwrap();
            fs::write(models.join(file), "").unwrap();
        }
        let file = |name: &str| models.join(name).display().to_string();
        let model = file("checkpoints/sd/ink.safetensors");
        let given = Lora { file: "my/own.safetensors".to_owned(), weight: 0.5 };
        let recipe = |prompt: &str| Recipe {
            loras: vec![given.clone()],
            ..Recipe::new(prompt, Size::new(8, 8), model.clone())
        };
        let found = lora_files(&recipe("{<lora:mira:0.8>|<lora:mira:0.8>} at sea <lora:sea>"));
        let expected = [
            given.clone(),
            Lora { file: file("loras/cast/mira.safetensors"), weight: 0.8 },
            Lora { file: file("loras/sea.safetensors"), weight: 1.0 },
        ];
        assert_eq!(found.unwrap(), expected);

        let error = lora_files(&recipe("<lora:jon>")).unwrap_err().to_string();
        assert!(error.contains("`jon`") && error.contains("loras"), "{error}");
        let error = lora_files(&recipe("<lora:sea:99>")).unwrap_err().to_string();
        assert!(error.contains("99"), "{error}");
    }

    #[test]
    fn the_embeddings_in_all_prompts_are_found_beside_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path();
        for file in [
            "models/sd/ink.safetensors",
            "embeddings/negative/easy.safetensors",
            "embeddings/sea.safetensors",
            "embeddings/old.pt",
        ] {
            fs::create_dir_all(models.join(file).parent().unwrap()).unwrap();
            fs::write(models.join(file), "").unwrap();
        }
        let file = |name: &str| models.join(name).display().to_string();
        let recipe = |prompt: &str, negative_prompt: &str| Recipe {
            negative_prompt: negative_prompt.to_owned(),
            ..Recipe::new(prompt, Size::new(8, 8), file("models/sd/ink.safetensors"))
        };
        let easy = file("embeddings/negative/easy.safetensors");
        let path = file("embeddings/sea");
        let prompt = format!("embedding:sea.safetensors, embedding:{path}");
        let found = embedding_files(&recipe(&prompt, "(embedding:easy:1.2), fog")).unwrap();
        let sea = file("embeddings/sea.safetensors");
        let expected =
            [(path, sea.clone()), ("easy".into(), easy), ("sea.safetensors".into(), sea)];
        assert_eq!(found, expected);

        let error = |prompt| embedding_files(&recipe(prompt, "")).unwrap_err().to_string();
        let missing = error("a embedding:mira");
        assert!(missing.contains("`mira`") && missing.contains("embeddings"), "{missing}");
        for pickle in ["embedding:old", "embedding:old.pt"] {
            let error = error(pickle);
            assert!(error.contains("old.pt is a pickle"), "{error}");
        }
        // A prompt may name the pickle of a converted file.
        assert!(embedding_files(&recipe("embedding:sea.pt", "")).is_ok());
    }
}

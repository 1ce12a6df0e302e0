//! The files of LoRAs that are given by their names.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::{
    diffusion::DiffusionError,
    recipe::{Lora, Recipe},
};

/// The names of the folders with LoRAs, as in `ComfyUI` and A1111.
const FOLDERS: [&str; 3] = ["loras", "Lora", "LoRA"];

/// The number of folders above a model in which such a folder is searched.
const LEVELS: usize = 3;

/// The deepest folder below a folder of LoRAs that is searched.
const MAX_DEPTH: usize = 4;

const EXTENSION: &str = "safetensors";

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
            lora.file = find(&lora.file, &recipe.model)?;
        }
    }
    Ok(loras)
}

fn find(name: &str, model: &str) -> Result<String, DiffusionError> {
    let file_name = format!("{name}.{EXTENSION}");
    let folders = folders(Path::new(model));
    let in_folder = |folder: &PathBuf| {
        let direct = folder.join(&file_name);
        if direct.is_file() {
            return Some(direct);
        }
        let files =
            WalkDir::new(folder).max_depth(MAX_DEPTH).follow_links(true).sort_by_file_name();
        let mut files = files.into_iter().flatten();
        let found = files.find(|entry| entry.file_name() == file_name.as_str());
        found.map(walkdir::DirEntry::into_path)
    };
    let here = PathBuf::from(&file_name);
    let found = Some(here).filter(|file| file.is_file());
    match found.or_else(|| folders.iter().find_map(in_folder)) {
        Some(file) => Ok(file.display().to_string()),
        None => {
            let folders = folders.iter().map(|folder| folder.display().to_string());
            let searched = folders.collect::<Vec<_>>();
            Err(DiffusionError::NoSuchLora { name: name.to_owned(), searched })
        }
    }
}

/// The folders of LoRAs that exist, nearest first.
fn folders(model: &Path) -> Vec<PathBuf> {
    let beside = model.ancestors().skip(1).take(LEVELS).map(Path::to_owned);
    let all = beside.flat_map(|folder| FOLDERS.map(|name| folder.join(name)));
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
}

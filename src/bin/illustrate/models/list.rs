//! `illustrate models list`: the models, LoRAs, embeddings, components and other files in folders.

use std::path::PathBuf;

use bevy_illustrator::{
    generator::{FoundModel, find_models},
    memory::{Fit, Memory},
    model::{CatalogueEntry, inspect::Inspection},
};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::{licence, with_terms};
use crate::{
    failure::Failure,
    output::{lossy_path, print, print_json, print_lines},
};

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Folders with models, such as `ComfyUI/models` [default: the cache of Hugging Face]
    folders: Vec<PathBuf>,
    /// List the models that `models fetch` downloads by name instead
    #[arg(long, conflicts_with = "folders")]
    catalogue: bool,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(serialize_with = "lossy_path")]
    path: &'a PathBuf,
    runs: bool,
    fit: Option<Fit>,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl List {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        if self.catalogue {
            return self.print_catalogue();
        }
        let folders = self.folders()?;
        for folder in &folders {
            folder.read_dir().map_err(Failure::file("read", folder))?;
        }
        let memory = Memory::now();
        let found = find_models(&folders);
        if self.json {
            let found: Vec<FoundModel> = found.collect();
            let reports: Vec<_> = found.iter().map(|found| report(found, memory)).collect();
            return print_json(&reports);
        }
        let (mut models, mut loras) = (Vec::new(), Vec::new());
        let (mut embeddings, mut components, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for found in found {
            let inspection = &found.inspection;
            match () {
                () if inspection.is_usable_model() || inspection.is_incomplete_model() => {
                    models.push(found);
                }
                () if inspection.is_usable_lora() => loras.push(found),
                () if inspection.is_usable_embedding() => embeddings.push(found),
                () if inspection.is_usable_component() => components.push(found),
                () => others.push(found),
            }
        }
        let groups = [&models, &loras, &embeddings, &components, &others];
        let is_empty = groups.iter().all(|group| group.is_empty());
        print_group("Models", &models, |model| describe_model(model, memory))?;
        print_group("LoRAs", &loras, describe_adapter)?;
        print_group("Embeddings", &embeddings, describe_adapter)?;
        print_group("Components", &components, describe_component)?;
        print_group("Other files", &others, describe_other)?;
        if is_empty {
            print("No models were found.")?;
        }
        Ok(())
    }

    fn print_catalogue(&self) -> Result<(), Failure> {
        let entries = CatalogueEntry::all();
        if self.json {
            return print_json(&entries);
        }
        let memory = Memory::now();
        let describe = |entry: &CatalogueEntry| {
            let CatalogueEntry { name, repo, base, good_for, .. } = entry;
            let (size, needed) =
                (DecimalBytes(entry.bytes), needed(entry.memory, entry.least_memory, memory));
            let licence = with_terms(&entry.licence, entry.terms());
            [
                format!("{name} ({repo})"),
                format!("  {base}, {size} to download, {needed}, licence {licence}"),
                format!("  {good_for}"),
            ]
        };
        print_lines(&entries.iter().flat_map(describe).collect::<Vec<_>>())
    }

    #[cfg(feature = "hub")]
    fn folders(&self) -> Result<Vec<PathBuf>, Failure> {
        if self.folders.is_empty() {
            let cache = bevy_illustrator::model::hub::Hub::from_env()?.cache_folder();
            return Ok(vec![cache]);
        }
        Ok(self.folders.clone())
    }

    #[cfg(not(feature = "hub"))]
    fn folders(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.folders.clone())
    }
}

fn report(found: &FoundModel, memory: Option<Memory>) -> Report<'_> {
    let FoundModel { path, inspection } = found;
    let fit = memory.zip(inspection.memory);
    let fit = fit.map(|(memory, needs)| memory.fit(needs.usual.peak(), needs.least()));
    Report { path, runs: inspection.runs(), fit, inspection }
}

fn print_group(
    title: &str,
    found: &[FoundModel],
    describe: impl Fn(&Inspection) -> String,
) -> Result<(), Failure> {
    if found.is_empty() {
        return Ok(());
    }
    let mut lines = vec![format!("{title}:")];
    lines.extend(found.iter().flat_map(|FoundModel { path, inspection }| {
        [format!("  {}", path.display()), format!("    {}", describe(inspection))]
    }));
    print_lines(&lines)
}

fn describe_model(model: &Inspection, memory: Option<Memory>) -> String {
    let base = model.base_name().unwrap_or("unknown base");
    let mut parts = vec![base.to_owned(), DecimalBytes(model.bytes()).to_string()];
    let needs = model.memory.map(|it| needed(it.usual.peak(), it.least(), memory));
    parts.extend(needs);
    parts.push(format!("licence {}", licence(model)));
    let obstacles = model.obstacles.iter().map(|obstacle| format!("; {obstacle}"));
    parts.join(", ") + &obstacles.collect::<String>()
}

/// The memory for a picture, usually and at least, and whether it fits.
fn needed(usual: u64, least: u64, memory: Option<Memory>) -> String {
    let fit = memory.map_or(Fit::Fits, |memory| memory.fit(usual, least));
    let [usual, least] = [usual, least].map(DecimalBytes);
    match fit {
        Fit::Fits => format!("needs {usual} of memory"),
        Fit::FitsLow => format!("uses {least} of memory, a little slower than with {usual}"),
        Fit::Tight => format!("needs {least} of memory, more than is free now"),
        Fit::TooLarge => format!("needs {least} of memory, too much for this machine"),
    }
}

/// A LoRA or an embedding.
fn describe_adapter(adapter: &Inspection) -> String {
    let base = adapter.base.map_or("an unknown base", |base| base.name());
    format!("for {base}, {}", DecimalBytes(adapter.bytes()))
}

fn describe_component(component: &Inspection) -> String {
    let options = component.places().iter().map(|place| place.option());
    let (kind, bytes) = (&component.kind, DecimalBytes(component.bytes()));
    format!("{kind}, {bytes}: {}", options.collect::<Vec<_>>().join(" or "))
}

fn describe_other(other: &Inspection) -> String {
    let reason = other.obstacles.first().map(ToString::to_string).unwrap_or_default();
    format!("{}: {reason}", other.kind)
}

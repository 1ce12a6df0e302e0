//! `illustrate models`: lists and inspects models, and downloads or removes one on request.

#[cfg(feature = "hub")]
mod fetch;
mod list;
mod remember;
#[cfg(feature = "hub")]
mod remove;

use std::path::{Path, PathBuf};

use bevy_illustrator::{
    control::Interrupt,
    generator::inspect,
    model::{
        inspect::{Inspection, Part},
        licence::Terms,
    },
    recipe::PredictionType,
    settings::{SettingsFile, ToldModel},
};
use indicatif::DecimalBytes;
use serde::Serialize;

use crate::{
    failure::Failure,
    output::{lossy_path, print_json, print_lines},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Models {
    /// Identify a file or folder, and check whether it runs here
    Inspect {
        /// A diffusers folder or a model file
        path: PathBuf,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remember what a model predicts whose file does not tell it, for all stories on this machine
    Remember(remember::Remember),
    /// List the models, LoRAs and other files in folders, such as those of ComfyUI and A1111
    List(list::List),
    /// Download a diffusers folder, a component or MobileSAM from the Hugging Face hub, after listing the files
    #[cfg(feature = "hub")]
    #[command(alias = "download")]
    Fetch(fetch::Fetch),
    /// Remove a downloaded model from the cache of Hugging Face
    #[cfg(feature = "hub")]
    Remove(remove::Remove),
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(serialize_with = "lossy_path")]
    path: &'a PathBuf,
    runs: bool,
    /// What the author told about the model, if its file does not tell it.
    remembered_prediction_type: Option<PredictionType>,
    remembered_finetune: Option<&'a str>,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl Models {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Inspect { path, json } => {
                let inspection = inspect(path).map_err(Failure::file("read", path))?;
                let remembered = remembered(path, &inspection)?;
                if *json {
                    print_json(&Report {
                        path,
                        runs: inspection.runs(),
                        remembered_prediction_type: remembered.prediction_type,
                        remembered_finetune: remembered.finetune.as_deref(),
                        inspection: &inspection,
                    })?;
                } else {
                    print_lines(&describe(path, &inspection, &remembered))?;
                }
                if inspection.runs() {
                    return Ok(());
                }
                Err(Failure::Model { path: path.clone(), obstacles: inspection.obstacles })
            }
            Self::Remember(remember) => remember.run(),
            Self::List(list) => list.run(),
            #[cfg(feature = "hub")]
            Self::Fetch(fetch) => fetch.run(),
            #[cfg(feature = "hub")]
            Self::Remove(remove) => remove.run(),
        }
    }
}

/// What the author told about a model, if its file does not tell it.
fn remembered(path: &Path, found: &Inspection) -> Result<ToldModel, Failure> {
    match found.lacks_prediction_type() || found.possible_finetunes().next().is_some() {
        true => Ok(SettingsFile::from_env()?.told(path, &Interrupt::default())?),
        false => Ok(ToldModel::default()),
    }
}

/// The result as text.
fn describe(path: &Path, found: &Inspection, remembered: &ToldModel) -> Vec<String> {
    let mut lines = vec![format!("This is {}.", found.kind)];
    lines.extend(found.parts.iter().map(line));
    lines.extend(found.base_name().map(|base| format!("Base: {base}")));
    lines.extend(match (found.memory, found.component_memory()) {
        (Some(needs), _) => {
            let [usual, least] = [needs.usual.peak(), needs.least()].map(DecimalBytes);
            let at_least = if needs.least() < needs.usual.peak() {
                format!(", at least {least}")
            } else {
                String::new()
            };
            Some(format!("Memory: {usual} for a picture{at_least}"))
        }
        (None, Some(memory)) => Some(format!("Memory: {} for the weights", DecimalBytes(memory))),
        (None, None) => None,
    });
    lines.extend(match (found.prediction_type, remembered.prediction_type) {
        (Some(told), _) => Some(format!("Predicts: {}, as the file says", told.name())),
        (None, Some(told)) => Some(format!("Predicts: {}, as you said", told.name())),
        (None, None) if found.lacks_prediction_type() => Some(format!(
            "Predicts: the file does not say it. If its pictures are noise or washed out, try the other type: \
             illustrate models remember {} --prediction-type v_prediction (or epsilon)",
            path.display()
        )),
        (None, None) => None,
    });
    let possible: Vec<_> = found.possible_finetunes().map(|it| it.name.as_str()).collect();
    lines.extend(match (&remembered.finetune, possible.as_slice()) {
        (Some(finetune), _) => Some(format!("Drawn as: {finetune}, as you said")),
        (None, []) => None,
        (None, possible) => Some(format!(
            "Drawn as: the base model. If it is based on {}, say it: illustrate models remember {} --finetune NAME",
            possible.join(" or "),
            path.display()
        )),
    });
    lines.push(format!("Licence: {}", licence(found)));
    if found.runs() {
        lines.push("It runs here.".to_owned());
    }
    lines
}

fn line(part: &Part) -> String {
    let Part { name, class, bytes, parameters, dtypes } = part;
    let mut line = format!("  {name:16} {class:24}");
    if *bytes > 0 {
        line += &format!(" {:>11}", DecimalBytes(*bytes).to_string());
    }
    if *parameters > 0 {
        let dtypes: Vec<&str> = dtypes.keys().map(String::as_str).collect();
        let millions = *parameters as f64 / 1e6;
        line += &format!("  {millions:9.2} M parameters, {}", dtypes.join(" and "));
    }
    line.trim_end().to_owned()
}

/// The licence, and what it allows.
fn licence(found: &Inspection) -> String {
    with_terms(found.licence.as_deref().unwrap_or("not named"), found.terms())
}

/// The name of a licence with its terms, if they are known.
fn with_terms(name: &str, terms: Option<&Terms>) -> String {
    match terms {
        Some(terms) => format!("{name} ({})", terms.sale.text()),
        None => name.to_owned(),
    }
}

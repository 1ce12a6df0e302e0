//! `illustrate models remember`: remembers what a model predicts whose file does not tell it.

use std::path::PathBuf;

use bevy_illustrator::{
    control::Interrupt, model::inspect::inspect, recipe::PredictionType, settings::SettingsFile,
};

use crate::{failure::Failure, options::prediction_type, output::print};

#[derive(Debug, clap::Args)]
pub(crate) struct Remember {
    /// A model in a single safetensors file. It may be moved later
    path: PathBuf,
    /// What its denoiser predicts: choose the other one if its pictures are noise or washed out
    #[arg(long, value_name = "NAME", value_parser = prediction_type())]
    prediction_type: PredictionType,
}

impl Remember {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let Self { path, prediction_type } = self;
        let found = inspect(path).map_err(Failure::file("read", path))?;
        if !found.lacks_prediction_type() {
            let reason = match found.prediction_type {
                Some(told) => format!(
                    "it says itself that it predicts {}; draw with --prediction-type to override it",
                    told.name()
                ),
                None => format!("it is {}, and only a model in a single file needs it", found.kind),
            };
            return Err(Failure::NotRemembered { path: path.clone(), reason });
        }
        let settings = SettingsFile::from_env()?;
        settings.remember_prediction_type(path, *prediction_type, &Interrupt::default())?;
        print(&format!(
            "{} predicts {}, in all stories on this machine ({})",
            path.display(),
            prediction_type.name(),
            settings.path().display()
        ))
    }
}

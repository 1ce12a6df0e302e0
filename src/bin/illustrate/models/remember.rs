//! `illustrate models remember`: remembers what the file of a model does not tell.

use std::path::PathBuf;

use bevy_illustrator::{
    control::Interrupt,
    model::{
        BaseModel,
        inspect::{Inspection, inspect},
    },
    recipe::PredictionType,
    settings::SettingsFile,
};

use crate::{failure::Failure, options::prediction_type, output::print};

#[derive(Debug, clap::Args)]
pub(crate) struct Remember {
    /// A model in a single safetensors file. It may be moved later
    path: PathBuf,
    /// What its denoiser predicts: choose the other one if its pictures are noise or washed out
    #[arg(long, value_name = "NAME", value_parser = prediction_type(), required_unless_present = "finetune")]
    prediction_type: Option<PredictionType>,
    /// The line of models that it is based on, which decides its scheduler, steps and guidance: Illustrious, "Pony Diffusion",
    /// or "Stable Diffusion XL" for none of them
    #[arg(long, value_name = "NAME")]
    finetune: Option<String>,
}

impl Remember {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let found = inspect(&self.path).map_err(Failure::file("read", &self.path))?;
        let prediction_type = self.checked_prediction_type(&found)?;
        let finetune = self.checked_finetune(&found)?;
        let settings = SettingsFile::from_env()?;
        let none = Interrupt::default();
        let mut told = Vec::new();
        if let Some(prediction_type) = prediction_type {
            settings.remember_prediction_type(&self.path, prediction_type, &none)?;
            told.push(format!("predicts {}", prediction_type.name()));
        }
        if let Some(finetune) = finetune {
            settings.remember_finetune(&self.path, finetune, &none)?;
            told.push(format!("is drawn as {finetune}"));
        }
        print(&format!(
            "{} {}, in all stories on this machine ({})",
            self.path.display(),
            told.join(" and "),
            settings.path().display()
        ))
    }

    fn refused(&self, reason: String) -> Failure {
        Failure::NotRemembered { path: self.path.clone(), reason }
    }

    fn checked_prediction_type(
        &self,
        found: &Inspection,
    ) -> Result<Option<PredictionType>, Failure> {
        if self.prediction_type.is_none() || found.lacks_prediction_type() {
            return Ok(self.prediction_type);
        }
        Err(self.refused(match found.prediction_type {
            Some(told) => format!(
                "it says itself that it predicts {}; draw with --prediction-type to override it",
                told.name()
            ),
            None => format!("it is {}, and only a model in a single file needs it", found.kind),
        }))
    }

    /// The name of the line of finetunes, or of the base model.
    fn checked_finetune(&self, found: &Inspection) -> Result<Option<&str>, Failure> {
        let Some(given) = &self.finetune else { return Ok(None) };
        let base = found.base.map(BaseModel::name);
        let possible: Vec<&str> =
            found.possible_finetunes().map(|it| it.name.as_str()).chain(base).collect();
        let known = possible.iter().copied().find(|name| name.eq_ignore_ascii_case(given));
        match known {
            Some(known) if possible.len() > 1 => Ok(Some(known)),
            _ if possible.len() > 1 => {
                Err(self.refused(format!("{given} is none of {}", possible.join(", "))))
            }
            _ => Err(self.refused(format!(
                "it is {}, of which no lines of finetunes are known",
                found.kind
            ))),
        }
    }
}

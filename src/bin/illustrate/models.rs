//! `illustrate models`: inspects models, and downloads one on request.

use std::path::PathBuf;

use bevy_illustrator::{
    generator::inspect,
    model::inspect::{Inspection, Part},
};
use indicatif::HumanBytes;
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
    /// Download a diffusers folder, a component or MobileSAM from the Hugging Face hub, after listing the files
    #[cfg(feature = "hub")]
    Download(download::Download),
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(serialize_with = "lossy_path")]
    path: &'a PathBuf,
    runs: bool,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl Models {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Inspect { path, json } => {
                let inspection = inspect(path).map_err(Failure::file("read", path))?;
                if *json {
                    print_json(&Report { path, runs: inspection.runs(), inspection: &inspection })?;
                } else {
                    print_lines(&describe(&inspection))?;
                }
                if inspection.runs() {
                    return Ok(());
                }
                Err(Failure::Model { path: path.clone(), obstacles: inspection.obstacles })
            }
            #[cfg(feature = "hub")]
            Self::Download(download) => download.run(),
        }
    }
}

/// The result as text.
fn describe(found: &Inspection) -> Vec<String> {
    let mut lines = vec![format!("This is {}.", found.kind)];
    lines.extend(found.parts.iter().map(line));
    lines.push(format!("Licence: {}", found.licence.as_deref().unwrap_or("not named")));
    if found.runs() {
        lines.push("It runs here.".to_owned());
    }
    lines
}

fn line(part: &Part) -> String {
    let Part { name, class, bytes, parameters, dtypes } = part;
    let mut line = format!("  {name:16} {class:24}");
    if *bytes > 0 {
        line += &format!(" {:>11}", HumanBytes(*bytes).to_string());
    }
    if *parameters > 0 {
        let dtypes: Vec<&str> = dtypes.keys().map(String::as_str).collect();
        let millions = *parameters as f64 / 1e6;
        line += &format!("  {millions:9.2} M parameters, {}", dtypes.join(" and "));
    }
    line.trim_end().to_owned()
}

#[cfg(feature = "hub")]
mod download {
    use std::path::PathBuf;

    use bevy_illustrator::model::hub::{Hub, HubError, Listing, RepoPart};
    use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

    use crate::{
        failure::Failure,
        output::{answer_to, escaped, print, print_error},
        signals,
    };

    /// The longest answer that is read, in bytes.
    const MAX_ANSWER: u64 = 64;

    #[derive(Debug, clap::Args)]
    pub(crate) struct Download {
        /// The repository: OWNER/NAME
        #[arg(required_unless_present = "mobile_sam")]
        repo: Option<String>,
        /// A branch, a tag or a commit
        #[arg(long, default_value = "main")]
        revision: String,
        /// Copy one component into this folder of a model, such as `models/my_model/adapters/outline`
        #[arg(long, value_name = "FOLDER", requires = "repo")]
        into: Option<PathBuf>,
        /// The folder of the component in the repository, such as `models/image_encoder`
        #[arg(long, value_name = "PATH", requires = "into")]
        subfolder: Option<String>,
        /// A single file of the repository, such as `models/ip-adapter_sd15.safetensors`
        #[arg(long, value_name = "PATH", requires = "into", conflicts_with = "subfolder")]
        file: Option<String>,
        /// Download MobileSAM's weights instead, which select the object under the pointer
        #[arg(long, conflicts_with_all = ["repo", "revision", "into"])]
        mobile_sam: bool,
        /// Download without asking
        #[arg(long)]
        yes: bool,
    }

    impl Download {
        pub(crate) fn run(&self) -> Result<(), Failure> {
            let hub = Hub::from_env()?;
            let listing = match (&self.repo, &self.into) {
                (Some(repo), Some(_)) => hub.list_component(repo, &self.revision, self.part())?,
                (Some(repo), None) => hub.list(repo, &self.revision)?,
                (None, _) => hub.list_mobile_sam()?,
            };
            self.describe(&listing).iter().for_each(print_error);
            if let Some(into) = &self.into {
                listing.check_folder(into)?;
            }
            if !self.yes && !agreed() {
                return Err(Failure::NotAgreed);
            }
            let bar = ProgressBar::new(listing.bytes());
            let style = ProgressStyle::with_template(
                "{bar:24} {bytes} of {total_bytes}, {eta} left: {msg}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            let folder = listing.download(&mut |file, arrived| {
                bar.set_message(escaped(&file.path).into_owned());
                bar.set_position(arrived);
            })?;
            bar.finish_and_clear();
            let Some(into) = &self.into else { return print(&folder.display().to_string()) };
            signals::stop_gracefully();
            match listing.copy_into(into, &signals::is_stopped) {
                Err(HubError::Cancelled) => return Err(Failure::Stopped),
                result => result?,
            }
            print(&into.display().to_string())
        }

        fn part(&self) -> RepoPart<'_> {
            match &self.file {
                Some(file) => RepoPart::File(file),
                None => RepoPart::Folder(self.subfolder.as_deref().unwrap_or_default()),
            }
        }

        fn describe(&self, listing: &Listing) -> Vec<String> {
            let repo = self.repo.as_deref().unwrap_or("MobileSAM");
            let mut lines = vec![format!("{repo} at {}:", listing.commit)];
            lines.extend(listing.files.iter().map(|file| {
                format!("  {:>11}  {}", HumanBytes(file.bytes).to_string(), file.path)
            }));
            let licence = listing.licence.as_deref();
            let licence = licence.unwrap_or("not named; check it before you use the model");
            lines.push(format!("{} in all. Licence: {licence}", HumanBytes(listing.bytes())));
            let into = self.into.as_ref();
            lines.extend(into.map(|into| format!("They are copied into {}.", into.display())));
            lines
        }
    }

    /// Asks for consent on stderr. An empty answer means no, and so does one that cannot be read.
    fn agreed() -> bool {
        let answer = answer_to("Download it? [y/N] ", MAX_ANSWER).unwrap_or_default();
        [b"y".as_slice(), b"yes"].iter().any(|yes| answer.trim_ascii().eq_ignore_ascii_case(yes))
    }
}

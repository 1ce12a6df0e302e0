//! `illustrate models download`: downloads a model or a component on request.

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
        let style =
            ProgressStyle::with_template("{bar:24} {bytes} of {total_bytes}, {eta} left: {msg}");
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
        lines.extend(
            listing
                .files
                .iter()
                .map(|file| format!("  {:>11}  {}", HumanBytes(file.bytes).to_string(), file.path)),
        );
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

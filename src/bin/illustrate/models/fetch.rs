//! `illustrate models fetch`: downloads a model or a component on request.

use std::path::PathBuf;

use bevy_illustrator::{
    memory::Memory,
    model::{
        CatalogueEntry,
        hub::{Hub, HubError, Listing, RemoteFile, RepoPart},
    },
};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use crate::{
    failure::Failure,
    output::{answer_to, escaped, print, print_error},
    signals,
};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64;

#[derive(Debug, clap::Args)]
pub(crate) struct Fetch {
    /// A repository, OWNER/NAME, or the name of a model in the catalogue [default: the recommended model for the memory of this
    /// machine]
    repo: Option<String>,
    /// A branch, a tag or a commit
    #[arg(long, default_value = "main")]
    revision: String,
    /// The variant of the weights, such as `fp16`, for the components that have it
    #[arg(long, requires = "repo", conflicts_with = "into")]
    variant: Option<String>,
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

impl Fetch {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let hub = Hub::from_env()?;
        let known = match &self.repo {
            Some(name) => CatalogueEntry::find(name),
            None if self.mobile_sam => None,
            None => CatalogueEntry::recommended(Memory::now()),
        };
        if let (Some(entry), None) = (known, &self.repo) {
            print_error(format!(
                "{} is recommended for this machine: {}",
                entry.name, entry.good_for
            ));
        }
        let repo = known.map(|entry| &entry.repo).or(self.repo.as_ref());
        let variant = self.variant.as_ref().or_else(|| known?.variant.as_ref());
        let listing = match (repo, &self.into, variant) {
            (Some(repo), Some(_), _) => hub.list_component(repo, &self.revision, self.part())?,
            (Some(repo), None, Some(variant)) => hub.list_variant(repo, &self.revision, variant)?,
            (Some(repo), None, None) => hub.list(repo, &self.revision)?,
            (None, ..) => hub.list_mobile_sam()?,
        };
        self.describe(repo.map_or("MobileSAM", String::as_str), &listing)
            .iter()
            .for_each(print_error);
        if let Some(into) = &self.into {
            listing.check_folder(into)?;
        }
        if !self.yes && !agreed("Download it? [y/N] ") {
            return Err(Failure::NotAgreed("downloaded"));
        }
        let bar = ProgressBar::new(listing.bytes());
        let style =
            ProgressStyle::with_template("{bar:24} {bytes} of {total_bytes}, {eta} left: {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let mut on_bytes = |file: &RemoteFile, arrived| {
            bar.set_message(escaped(&file.path).into_owned());
            bar.set_position(arrived);
        };
        // A signal ends the program at once: the next run resumes the download.
        let folder = listing.download(&mut on_bytes, &|| false)?;
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

    fn describe(&self, repo: &str, listing: &Listing) -> Vec<String> {
        let mut lines = vec![format!("{repo} at {}:", listing.commit)];
        lines.extend(
            listing.files.iter().map(|file| {
                format!("  {:>11}  {}", DecimalBytes(file.bytes).to_string(), file.path)
            }),
        );
        let licence = listing.licence.as_deref();
        let licence = licence.unwrap_or("not named; check it before you use the model");
        lines.push(format!("{} in all. Licence: {licence}", DecimalBytes(listing.bytes())));
        let into = self.into.as_ref();
        lines.extend(into.map(|into| format!("They are copied into {}.", into.display())));
        lines
    }
}

/// Asks for consent on stderr. An empty answer means no, and so does one that cannot be read.
pub(super) fn agreed(question: &str) -> bool {
    let answer = answer_to(question, MAX_ANSWER).unwrap_or_default();
    [b"y".as_slice(), b"yes"].iter().any(|yes| answer.trim_ascii().eq_ignore_ascii_case(yes))
}

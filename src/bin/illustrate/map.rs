//! `illustrate map`: extracts the edges or the rough colours of a picture, for an inspiration.

use std::{path::PathBuf, sync::Arc};

use bevy_illustrator::{picture::MapKind, recipe::Blob};

use crate::{
    failure::Failure,
    files::picture,
    output::{Existing, Format, Outputs, print},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Map {
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    picture: PathBuf,
    /// What to extract: `edges` or `soft-edges` for an outline, `rough-colours` for a scribble
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: MapKind,
    /// The map
    #[arg(long, value_name = "MAP.png")]
    out: PathBuf,
}

impl Map {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let inputs = std::iter::once(self.picture.as_path());
        let out = Outputs::of_inputs(inputs).begin(&self.out, Format::Png, Existing::Replaced)?;
        let map = self.kind.extract(&picture(&self.picture)?.image);
        let file = out.finish(&Blob::Image(Arc::new(map)).to_png()?)?;
        print(&format!("Wrote {}", file.display()))
    }
}

fn kind(text: &str) -> Result<MapKind, String> {
    let names = MapKind::ALL.map(MapKind::name);
    let found = MapKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| format!("expected {}", names.join(", ")))
}

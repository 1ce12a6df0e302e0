//! `illustrate plan`: lists the pictures that a story needs, with their state.

use std::{collections::BTreeMap, path::PathBuf};

use bevy_illustrator::{
    art::Art,
    diffusion::DeviceKind,
    generator::GeneratorRegistry,
    recipe::{Sampler, Size},
    storyboard::{PromptPiece, Shot, ShotId, ShotKind, ShotState, Storyboard},
};
use serde::Serialize;

use crate::{
    failure::Failure,
    input::StoryArgs,
    options::LookOptions,
    output::{count, lossy_optional_path, print_json, print_lines, warn_of_long_shots},
};

/// Reads the art folder without locking it, so that it works while a game runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    story: StoryArgs,
    #[command(flatten)]
    look: LookOptions,
    /// Print the shots as a JSON array
    #[arg(long)]
    json: bool,
}

/// A shot as `--json` prints it.
#[derive(Serialize)]
struct PlannedShot<'a> {
    id: &'a ShotId,
    kind: ShotKind,
    title: &'a str,
    state: ShotState,
    scenes: &'a [String],
    prompt: &'a str,
    negative_prompt: &'a str,
    size: Size,
    seed: u64,
    model: &'a str,
    sampler: Sampler,
    sources: &'a [PromptPiece],
    /// The number of takes on disk, of any recipe.
    takes: usize,
    /// The file that the game shows.
    #[serde(serialize_with = "lossy_optional_path")]
    picture: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let story = self.story.read()?;
        self.look.sampling.print_random_seed();
        let art = Art::read(self.story.art_folder())?;
        let style = self.look.applied_to(art.style().unwrap_or(&story.style));
        let defaults = GeneratorRegistry::built_in(DeviceKind::Cpu).defaults(&style.model);
        let style = style.with_sizes_of(&defaults.unwrap_or_default());
        let board = Storyboard::plan(&story, &style, art.words());
        warn_of_long_shots(board.shots());
        let shots: Vec<_> = board.shots().iter().map(|shot| planned(shot, &art)).collect();
        if self.json {
            return print_json(&shots);
        }
        let orphans: Vec<_> = art.shots().filter(|id| board.shot(id).is_none()).collect();
        print_lines(&table(&shots, &orphans))
    }
}

fn planned<'a>(shot: &'a Shot, art: &Art) -> PlannedShot<'a> {
    let recipe = &shot.recipe;
    PlannedShot {
        id: &shot.id,
        kind: shot.kind,
        title: &shot.title,
        state: art.state(shot),
        scenes: &shot.scenes,
        prompt: &recipe.prompt,
        negative_prompt: &recipe.negative_prompt,
        size: recipe.size,
        seed: recipe.seed,
        model: &recipe.model,
        sampler: recipe.sampler.clone(),
        sources: &shot.sources,
        takes: art.takes(&shot.id).len(),
        picture: art.shown(&shot.id, Some(recipe)).map(|take| take.path.clone()),
    }
}

/// One line per shot, then the count of each state.
fn table(shots: &[PlannedShot<'_>], orphans: &[&ShotId]) -> Vec<String> {
    let widest = shots.iter().map(|shot| shot.id.as_str().chars().count()).max().unwrap_or(0);
    let mut states: BTreeMap<usize, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for shot in shots {
        let (state, id, size) = (shot.state.name(), shot.id.as_str(), shot.size.to_string());
        let kind = shot.kind.name();
        lines.push(format!("{state:9} {kind:11} {size:>9}  {id:widest$}  {}", shot.prompt));
        *states.entry(position(shot.state)).or_default() += 1;
    }
    let counts: Vec<String> = states
        .iter()
        .map(|(&index, count)| format!("{count} {}", ShotState::ALL[index].name()))
        .collect();
    lines.push(if counts.is_empty() {
        "This story needs no pictures.".to_owned()
    } else {
        format!("{}: {}", count(shots.len(), "picture"), counts.join(", "))
    });
    if !orphans.is_empty() {
        let ids: Vec<&str> = orphans.iter().map(|id| id.as_str()).collect();
        lines.push(format!("No longer in the story: {}", ids.join(", ")));
    }
    lines
}

/// The index of a state in [`ShotState::ALL`].
fn position(state: ShotState) -> usize {
    ShotState::ALL.iter().position(|&other| other == state).unwrap_or(0)
}

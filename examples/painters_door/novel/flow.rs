//! The flow of the story: applies the reader's input, and puts the current line on the page.

use bevy::prelude::*;
use bevy_illustrator::project::{Project, Update as ProjectUpdate};

use super::{
    NovelSystems, Screen, bookmark::Bookmark, intent::Intent, menu::Pick, reader::Reader,
    scene_card::SceneCard, theme, typing::Typing,
};

/// The reader; `None` before the story is started.
#[derive(Resource, Debug, Default)]
pub struct Reading(pub Option<Reader>);

impl Reading {
    /// Whether a started story can be continued.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.as_ref().is_some_and(|reader| !reader.is_at_start())
    }
}

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Reading>()
        .init_resource::<Typing>()
        .add_systems(
            Update,
            (
                open_book.run_if(resource_added::<Project>),
                follow_story.run_if(resource_exists::<Project>),
                apply_input.run_if(resource_exists::<Project>),
                type_on.run_if(not(any_with_component::<SceneCard>)),
            )
                .chain()
                .in_set(NovelSystems::Flow),
        )
        .add_systems(Last, save_bookmark.run_if(resource_exists::<Project>));
}

/// Loads the bookmark and shows the title.
fn open_book(project: Res<Project>, mut reading: ResMut<Reading>, mut screen: ResMut<Screen>) {
    let saved = Bookmark::in_folder(project.art().root()).load();
    reading.0 = saved.filter(|reader| reader.fits(project.story()));
    *screen = Screen::Title;
}

/// Follows changes that an author makes to the running story. If the reader's position no longer exists,
/// the title is shown.
fn follow_story(
    mut updates: MessageReader<ProjectUpdate>,
    project: Res<Project>,
    mut reading: ResMut<Reading>,
    mut typing: ResMut<Typing>,
    mut screen: ResMut<Screen>,
) {
    if !updates.read().any(|update| matches!(update, ProjectUpdate::Planned)) {
        return;
    }
    if reading.0.as_ref().is_some_and(|reader| !reader.fits(project.story())) {
        reading.0 = None;
        screen.set_if_neq(Screen::Title);
    }
    reading.set_changed();
    set_line(&reading, &mut typing, &project, Typed::Keep);
}

/// Applies the reader's input.
fn apply_input(
    mut picks: MessageReader<Pick>,
    mut intents: MessageReader<Intent>,
    project: Res<Project>,
    cards: Query<Entity, With<SceneCard>>,
    mut screen: ResMut<Screen>,
    mut reading: ResMut<Reading>,
    mut typing: ResMut<Typing>,
    mut exit: MessageWriter<AppExit>,
    mut commands: Commands,
) {
    let story = project.story();
    if let Some(pick) = picks.read().last() {
        // The click on a menu must not turn the page too.
        intents.clear();
        match *pick {
            Pick::Begin => reading.0 = Reader::at_start(story),
            Pick::Continue => reading.set_changed(),
            Pick::Exit(exit) => _ = step(&mut reading, |reader| reader.choose(story, exit)),
            Pick::Title => return *screen = Screen::Title,
            Pick::Quit => {
                exit.write(AppExit::Success);
                return;
            }
        }
        screen.set_if_neq(Screen::Reading);
        return set_line(&reading, &mut typing, &project, Typed::None);
    }
    for intent in intents.read() {
        match (*intent, *screen) {
            (Intent::Leave, Screen::Reading) => *screen = Screen::Title,
            (Intent::Leave, Screen::Title | Screen::Waiting) => {
                exit.write(AppExit::Success);
            }
            (Intent::Turn | Intent::Confirm, Screen::Reading) => {
                if !cards.is_empty() {
                    cards.iter().for_each(|card| commands.entity(card).despawn());
                } else if !typing.is_done() {
                    typing.finish();
                } else if step(&mut reading, |reader| reader.advance(story)) {
                    set_line(&reading, &mut typing, &project, Typed::None);
                }
            }
            (Intent::Back, Screen::Reading) if step(&mut reading, Reader::back) => {
                set_line(&reading, &mut typing, &project, Typed::All);
            }
            _ => {}
        }
    }
}

/// Moves the reader. Marks it as changed only if it moved.
fn step(reading: &mut ResMut<Reading>, step: impl FnOnce(&mut Reader) -> bool) -> bool {
    let moved = reading.bypass_change_detection().0.as_mut().is_some_and(step);
    if moved {
        reading.set_changed();
    }
    moved
}

/// The part of a new page that is typed at once.
#[derive(Clone, Copy, PartialEq)]
enum Typed {
    None,
    All,
    /// The part that was typed before if the text is the same, otherwise nothing.
    Keep,
}

/// Sets the text to type to the reader's line.
fn set_line(reading: &Reading, typing: &mut Typing, project: &Project, typed: Typed) {
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    let text = page.and_then(|page| page.line).map_or("", |line| line.text.as_str());
    let text = theme::typeset(text);
    if typed != Typed::Keep || typing.text() != text {
        *typing = Typing::of(text);
    }
    if typed == Typed::All {
        typing.finish();
    }
}

fn type_on(time: Res<Time>, screen: Res<Screen>, mut typing: ResMut<Typing>) {
    if *screen == Screen::Reading && !typing.is_done() {
        typing.advance(time.delta_secs());
    }
}

/// Saves the reader's position when the scene or the screen changes, and when the game closes.
fn save_bookmark(
    mut saved_scene: Local<Option<String>>,
    mut exits: MessageReader<AppExit>,
    project: Res<Project>,
    reading: Res<Reading>,
    screen: Res<Screen>,
) {
    let Some(reader) = &reading.0 else { return };
    let leaves = exits.read().next().is_some() || screen.is_changed();
    let scene = reader.page(project.story()).map(|page| page.scene.id.clone());
    if !leaves && *saved_scene == scene {
        return;
    }
    *saved_scene = scene;
    if let Err(error) = Bookmark::in_folder(project.art().root()).save(reader) {
        warn!("cannot save the bookmark: {error}");
    }
}

//! The backdrop: the picture of the scene, over the whole window.

use bevy::prelude::*;
use bevy_illustrator::{components::Illustration, project::Project};

use super::{
    NovelSystems, Screen,
    canvas::{Canvas, Outlook},
    flow::Reading,
    scene_card::SceneCard,
    theme::{self, Fonts},
};

/// The canvas behind all other nodes.
#[derive(Component, Debug)]
struct Backdrop;

/// The state of the backdrop while it has no picture.
#[derive(Component, Debug)]
struct BackdropCaption;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(Startup, build_stage).add_systems(
        Update,
        (set_backdrop.run_if(resource_exists::<Project>), write_caption).in_set(NovelSystems::Show),
    );
}

fn build_stage(fonts: Res<Fonts>, mut commands: Commands) {
    let fill = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        ..default()
    };
    commands.spawn((
        Backdrop,
        fill,
        Canvas { fade: 1.4, drift: 0.1, vignette: 0.5, shade: 0.6, brightness: 0.4 },
        GlobalZIndex(-1),
    ));
    commands.spawn((
        BackdropCaption,
        Node { position_type: PositionType::Absolute, top: px(64), left: px(30), ..default() },
        Text::default(),
        fonts.italic(19.0),
        TextColor(theme::FADED),
    ));
}

/// Shows the background of the current scene, darker behind cards and the title.
fn set_backdrop(
    project: Res<Project>,
    screen: Res<Screen>,
    reading: Res<Reading>,
    cards: Query<(), With<SceneCard>>,
    backdrop: Single<(&mut Illustration, &mut Canvas), With<Backdrop>>,
) {
    let (mut illustration, mut canvas) = backdrop.into_inner();
    let story = project.story();
    let page = reading.0.as_ref().and_then(|reader| reader.page(story));
    let (scene, brightness) = match (*screen, page) {
        (Screen::Reading, Some(page)) if page.ended => (Some(page.scene), 0.5),
        (Screen::Reading, Some(page)) if !cards.is_empty() => (Some(page.scene), 0.6),
        (Screen::Reading, Some(page)) => (Some(page.scene), 1.0),
        _ => (story.first_scene(), 0.4),
    };
    if let Some(scene) = scene {
        illustration.set_if_neq(Illustration::background(&scene.id));
    }
    if canvas.brightness != brightness {
        canvas.brightness = brightness;
    }
}

fn write_caption(
    screen: Res<Screen>,
    outlook: Single<&Outlook, With<Backdrop>>,
    mut caption: Single<&mut Text, With<BackdropCaption>>,
) {
    let state = match *screen {
        Screen::Reading => outlook.caption(),
        _ => String::new(),
    };
    let state = if state.is_empty() { state } else { format!("Background: {state}") };
    if caption.0 != state {
        caption.0 = state;
    }
}

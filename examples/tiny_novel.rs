//! A minimal visual novel: a text box over the pictures of its story.
//!
//! The game reads the story from the `Project`. Each line selects the pictures on the screen: the background of its
//! scene or its key moment, and the portrait of the speaker. Space turns the page.
//!
//! ```sh
//! cargo run --example tiny_novel
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    let illustrator = IllustratorPlugin {
        story: StoryInput::File("stories/two_rooms.story.ron".into()),
        ..default()
    };
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(illustrator)))
        .init_resource::<Page>()
        .add_systems(Startup, spawn_stage)
        .add_systems(Update, (turn_page, show_page).chain().run_if(resource_exists::<Project>))
        .run()
}

/// The index of the current line.
#[derive(Resource, Default)]
struct Page(usize);

/// The node behind the text.
#[derive(Component)]
struct Backdrop;

/// The node beside the text.
#[derive(Component)]
struct Speaker;

fn turn_page(keys: Res<ButtonInput<KeyCode>>, mut page: ResMut<Page>) {
    if keys.just_pressed(KeyCode::Space) {
        page.0 += 1;
    }
}

/// Shows the line of the page when the page or the story changes.
fn show_page(
    page: Res<Page>,
    project: Res<Project>,
    mut shown: Local<Option<usize>>,
    mut backdrop: Single<&mut Illustration, With<Backdrop>>,
    mut speaker: Single<(&mut Illustration, &mut Visibility), (With<Speaker>, Without<Backdrop>)>,
    mut text: Single<&mut Text>,
) {
    let lines = project
        .story()
        .scenes
        .iter()
        .flat_map(|scene| scene.lines.iter().map(move |line| (scene, line)));
    let count = lines.clone().count().max(1);
    let Some((scene, line)) = lines.clone().nth(page.0 % count) else { return };
    if shown.replace(page.0) == Some(page.0) {
        return;
    }
    text.0.clone_from(&line.text);
    **backdrop = match &line.moment {
        Some(moment) => Illustration::Moment(moment.id.clone()),
        None => Illustration::background(&scene.id),
    };
    let (portrait, visibility) = &mut *speaker;
    match (&line.speaker, &line.expression) {
        (Some(character), Some(expression)) => {
            **portrait = Illustration::portrait(character, expression);
            **visibility = Visibility::Inherited;
        }
        _ => **visibility = Visibility::Hidden,
    }
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    let fill = Node { width: percent(100), height: percent(100), ..default() };
    let corner = Node {
        position_type: PositionType::Absolute,
        bottom: px(0),
        width: px(224),
        height: px(288),
        ..default()
    };
    let text_box = Node {
        position_type: PositionType::Absolute,
        bottom: px(24),
        left: px(248),
        padding: px(16).all(),
        ..default()
    };
    commands.spawn((
        fill,
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::default(),
        Backdrop,
        children![
            (corner, ImageNode::default(), Illustration::default(), Visibility::Hidden, Speaker),
            (
                text_box,
                BackgroundColor(Color::BLACK.with_alpha(0.7)),
                Text::new("Space turns the page.")
            ),
        ],
    ));
}

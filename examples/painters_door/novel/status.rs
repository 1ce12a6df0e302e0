//! The corners of the screen: the progress of painting, and the keys.

use bevy::prelude::*;
use bevy_illustrator::{
    project::Project,
    storyboard::{Shot, ShotState},
};

use super::{
    NovelSystems, Screen,
    theme::{self, Fonts},
};

/// The text about the picture that is being painted.
#[derive(Component, Debug)]
struct StatusText;

/// The list of keys.
#[derive(Component, Debug)]
struct HintText;

/// The progress bar of the whole story.
#[derive(Component, Debug)]
struct StatusBar;

/// The number of pictures by state.
#[derive(Default)]
struct Tally {
    revision: Option<u64>,
    pictures: usize,
    painted: usize,
    failed: usize,
}

pub(super) fn plugin(app: &mut App) {
    app.add_systems(Startup, spawn_corners).add_systems(
        Update,
        (
            show_status.run_if(resource_exists::<Project>),
            show_keys.run_if(resource_changed::<Screen>),
        )
            .in_set(NovelSystems::Show),
    );
}

fn spawn_corners(fonts: Res<Fonts>, mut commands: Commands) {
    let corner = |left: Val, right: Val| Node {
        position_type: PositionType::Absolute,
        top: px(18),
        left,
        right,
        flex_direction: FlexDirection::Column,
        row_gap: px(7),
        ..default()
    };
    let shadow = TextShadow { offset: Vec2::ONE, color: Color::BLACK.with_alpha(0.8) };
    let track =
        Node { width: px(190), height: px(3), border_radius: BorderRadius::MAX, ..default() };
    let bar = Node { height: percent(100), border_radius: BorderRadius::MAX, ..default() };
    commands.spawn((
        corner(px(30), auto()),
        GlobalZIndex(1),
        children![
            (StatusText, Text::default(), fonts.italic(19.0), TextColor(theme::FADED), shadow),
            (
                track,
                BackgroundColor(theme::PARCHMENT.with_alpha(0.18)),
                Visibility::Hidden,
                children![(StatusBar, bar, BackgroundColor(theme::GOLD))],
            ),
        ],
    ));
    commands.spawn((
        corner(auto(), px(30)),
        GlobalZIndex(1),
        children![(HintText, Text::default(), fonts.italic(19.0), TextColor(theme::FADED), shadow)],
    ));
}

fn show_keys(screen: Res<Screen>, mut text: Single<&mut Text, With<HintText>>) {
    let keys = match *screen {
        Screen::Reading => "F2 pictures · Esc title",
        Screen::Waiting | Screen::Title => "F2 pictures · F11 full screen",
    };
    keys.clone_into(&mut text.0);
}

fn show_status(
    mut tally: Local<Tally>,
    project: Res<Project>,
    mut text: Single<&mut Text, With<StatusText>>,
    bar: Single<(&mut Node, &ChildOf), With<StatusBar>>,
    mut tracks: Query<&mut Visibility>,
) -> Result {
    if tally.revision != Some(project.revision()) {
        *tally = Tally::of(&project);
    }
    let current = project.studio().current();
    let status = match &current {
        _ if project.studio().is_paused() => "painting is paused · F2 to resume".to_owned(),
        Some(view) => {
            let title = project.board().shot(&view.job.shot).map_or("", |shot| &shot.title);
            let number = (tally.painted + 1).min(tally.pictures);
            format!("painting {number} of {} · {title}", tally.pictures)
        }
        None if tally.failed > 0 => {
            format!("{} could not be painted · F2 shows the reason", tally.failed)
        }
        None => String::new(),
    };
    if text.0 != status {
        text.0 = status;
    }
    let (mut bar, track) = bar.into_inner();
    let mut visibility = tracks.get_mut(track.parent())?;
    visibility.set_if_neq(if current.is_some() {
        Visibility::Inherited
    } else {
        Visibility::Hidden
    });
    let step =
        current.and_then(|view| view.progress).map_or(0.0, |p| p.done as f32 / p.of.max(1) as f32);
    let width = percent((tally.painted as f32 + step) / tally.pictures.max(1) as f32 * 100.0);
    if bar.width != width {
        bar.width = width;
    }
    Ok(())
}

impl Tally {
    fn of(project: &Project) -> Self {
        let shots = project.board().shots();
        let count = |states: &[ShotState]| {
            let among = |shot: &&Shot| states.contains(&project.state(&shot.id));
            shots.iter().filter(among).count()
        };
        Self {
            revision: Some(project.revision()),
            pictures: shots.len(),
            painted: count(&[ShotState::Drafted, ShotState::Accepted]),
            failed: count(&[ShotState::Failed]),
        }
    }
}

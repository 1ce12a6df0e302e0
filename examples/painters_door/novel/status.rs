//! The corners of the screen: the progress of painting, and the keys.

use bevy::prelude::*;
use bevy_illustrator::{
    project::Project,
    storyboard::{Shot, ShotId, ShotState},
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
    let title = |shot: &ShotId| project.board().shot(shot).map_or("", |shot| &shot.title);
    let painting = current.as_ref().map(|view| title(&view.job.shot));
    let status = tally.status(project.studio().is_paused(), painting);
    if text.0 != status {
        text.0 = status;
    }
    let (mut bar, track) = bar.into_inner();
    let mut visibility = tracks.get_mut(track.parent())?;
    visibility.set_if_neq(if current.is_some() && !tally.is_complete() {
        Visibility::Inherited
    } else {
        Visibility::Hidden
    });
    let step =
        current.and_then(|view| view.progress).map_or(0.0, |p| p.done as f32 / p.of.max(1) as f32);
    let painted = (tally.painted as f32 + step) / tally.pictures.max(1) as f32;
    let width = percent(painted.min(1.0) * 100.0);
    if bar.width != width {
        bar.width = width;
    }
    Ok(())
}

impl Tally {
    fn of(project: &Project) -> Self {
        let shots = project.board().shots();
        let count = |is_counted: &dyn Fn(&Shot) -> bool| {
            shots.iter().filter(|shot| is_counted(shot)).count()
        };
        // A painted picture stays painted while another one of the same shot is queued.
        let is_painted = |shot: &Shot| {
            matches!(project.art().state(shot), ShotState::Drafted | ShotState::Accepted)
        };
        Self {
            revision: Some(project.revision()),
            pictures: shots.len(),
            painted: count(&is_painted),
            failed: count(&|shot| project.state(&shot.id) == ShotState::Failed),
        }
    }

    /// Whether all pictures of the story are painted.
    fn is_complete(&self) -> bool {
        self.painted == self.pictures
    }

    /// The text for the reader. `painting` is the title of the picture that is being painted.
    fn status(&self, is_paused: bool, painting: Option<&str>) -> String {
        match painting {
            _ if is_paused
                && (painting.is_some() || self.painted + self.failed < self.pictures) =>
            {
                "painting is paused · F2 to resume".to_owned()
            }
            Some(title) if self.is_complete() => format!("painting another picture · {title}"),
            Some(title) => format!("painting {} of {} · {title}", self.painted + 1, self.pictures),
            None if self.failed > 0 => {
                format!("{} could not be painted · F2 shows the reason", self.failed)
            }
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_story_is_not_said_to_be_unfinished() {
        let tally = |painted, failed| Tally { pictures: 3, painted, failed, ..Tally::default() };
        let status = |painted, is_paused, painting| tally(painted, 0).status(is_paused, painting);
        assert_eq!(status(1, false, Some("The bay")), "painting 2 of 3 · The bay");
        assert_eq!(status(3, false, Some("The bay")), "painting another picture · The bay");
        assert!(status(1, true, None).contains("paused"));
        assert_eq!(status(3, true, None), "");
        assert_eq!(status(3, false, None), "");
        assert!(tally(2, 1).status(true, None).contains("1 could not be painted"));
    }
}

//! The title screen: the story's name, a menu, and an easel with the picture that is being painted.

use bevy::prelude::*;
use bevy_illustrator::{
    components::Illustration, project::Project, story::Story, storyboard::Shot,
};

use super::{
    NovelSystems, On, Screen, entered,
    flow::Reading,
    frame::{self, Framing},
    menu::{Pick, spawn_menu},
    theme::{self, Fonts},
};

/// The time for which the easel shows each picture while none is being painted, in seconds.
const PICTURE_SECONDS: f32 = 6.0;

/// The canvas on the easel.
#[derive(Component, Debug, Default)]
struct Showpiece {
    /// Seconds since its picture changed.
    age: f32,
    /// The number of pictures shown so far.
    turn: usize,
}

/// The name of the picture on the easel.
#[derive(Component, Debug)]
struct ShowpieceName;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        (open_title.run_if(entered(Screen::Title)), change_showpiece)
            .chain()
            .run_if(resource_exists::<Project>)
            .in_set(NovelSystems::Show),
    );
}

fn open_title(
    project: Res<Project>,
    reading: Res<Reading>,
    fonts: Res<Fonts>,
    mut commands: Commands,
) {
    let root = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        padding: UiRect::axes(px(90), px(40)),
        align_items: AlignItems::Center,
        justify_content: JustifyContent::SpaceBetween,
        ..default()
    };
    let left = Node {
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::FlexStart,
        max_width: px(590),
        ..default()
    };
    let right = Node {
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Center,
        flex_shrink: 0.0,
        ..default()
    };
    commands.spawn((On(Screen::Title), root)).with_children(|title| {
        title
            .spawn(left)
            .with_children(|left| spawn_words(left, &fonts, project.story(), &reading));
        title.spawn(right).with_children(|right| {
            let framing = Framing { side: 330.0, ..frame::PAINTING };
            let illustration = Illustration::default();
            let canvas = frame::spawn_on_easel(right, &fonts, framing, illustration);
            right.commands_mut().entity(canvas).insert(Showpiece::default());
            right.spawn((
                ShowpieceName,
                Text::default(),
                fonts.italic(21.0),
                TextColor(theme::FADED),
            ));
        });
    });
}

fn spawn_words(left: &mut ChildSpawnerCommands, fonts: &Fonts, story: &Story, reading: &Reading) {
    let below = |gap: f32| Node { margin: UiRect::bottom(px(gap)), ..default() };
    let shadow = TextShadow { offset: Vec2::splat(2.0), color: Color::BLACK.with_alpha(0.6) };
    left.spawn((
        Text::new(theme::typeset(&story.title)),
        fonts.roman(82.0),
        TextColor(theme::PARCHMENT),
        shadow,
        below(4.0),
    ));
    let rule =
        Node { width: px(250), height: px(2), margin: UiRect::vertical(px(12)), ..default() };
    left.spawn((rule, BackgroundColor(theme::GOLD)));
    left.spawn((
        Text::new("A story with pictures painted by your computer."),
        fonts.italic(27.0),
        TextColor(theme::PARCHMENT),
        below(38.0),
    ));
    let mut choices = vec![("Begin".to_owned(), Pick::Begin), ("Quit".to_owned(), Pick::Quit)];
    if reading.has_begun() {
        choices.insert(0, ("Continue".to_owned(), Pick::Continue));
        choices[1].0 = "Start again".to_owned();
    }
    spawn_menu(left, fonts, &choices);
}

/// Shows the picture that is being painted. If there is none, shows all painted pictures in turn.
fn change_showpiece(
    project: Res<Project>,
    time: Res<Time>,
    showpiece: Option<Single<(&mut Showpiece, &mut Illustration)>>,
    name: Option<Single<&mut Text, With<ShowpieceName>>>,
) {
    let (Some(showpiece), Some(mut name)) = (showpiece, name) else { return };
    let (mut showpiece, mut illustration) = showpiece.into_inner();
    let board = project.board();
    showpiece.age += time.delta_secs();
    let empty = *illustration == Illustration::default();
    let next = match project.studio().current() {
        // A picture that was just finished stays for a moment.
        Some(_) if !empty && showpiece.age < PICTURE_SECONDS / 2.0 => return,
        Some(view) => board.shot(&view.job.shot),
        None if !empty && showpiece.age < PICTURE_SECONDS => return,
        None => painted(&project, showpiece.turn),
    };
    let Some(shot) = next else { return };
    let wanted = Illustration::Shot(shot.id.clone());
    if *illustration != wanted {
        *illustration = wanted;
        *showpiece = Showpiece { age: 0.0, turn: showpiece.turn + 1 };
        name.0.clone_from(&shot.title);
    }
}

/// The painted picture of a turn. The order jumps through the story.
fn painted(project: &Project, turn: usize) -> Option<&Shot> {
    let shown = |shot: &&Shot| project.art().shown(&shot.id, Some(&shot.recipe)).is_some();
    let painted: Vec<_> = project.board().shots().iter().filter(shown).collect();
    let at = (turn * 7).checked_rem(painted.len())?;
    painted.get(at).copied()
}

//! The page: the text box with the speaker's name, and the slots for pictures.

use bevy::{prelude::*, text::LineHeight};
use bevy_illustrator::project::Project;

use super::{
    NovelSystems, On, Screen,
    choices::ChoicesSlot,
    entered,
    flow::Reading,
    pictures::Slot,
    scene_card::SceneCard,
    theme::{self, Fonts},
    typing::Typing,
};

/// The root of the page; hidden while a card covers it, and at the ending.
#[derive(Component, Debug)]
struct PageRoot;

/// The speaker's name.
#[derive(Component, Debug)]
struct NamePlate;

/// The typed part of the line. A child span has the rest, invisible, so that no word jumps to the next
/// line while it is typed.
#[derive(Component, Debug)]
struct LineText;

/// The small diamond that indicates that the text continues.
#[derive(Component, Debug)]
struct MoreMark;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        (
            open_page.run_if(entered(Screen::Reading)),
            (hide_page, hide_empty_slots, show_speaker, show_text, show_more_mark)
                .run_if(resource_exists::<Project>),
        )
            .chain()
            .in_set(NovelSystems::Show),
    );
}

fn open_page(fonts: Res<Fonts>, mut commands: Commands) {
    let root = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        padding: UiRect { left: px(44), right: px(44), top: px(60), bottom: px(26) },
        flex_direction: FlexDirection::Column,
        row_gap: px(26),
        ..default()
    };
    let upper = Node {
        flex_grow: 1.0,
        min_height: px(0),
        justify_content: JustifyContent::Center,
        align_items: AlignItems::Center,
        column_gap: px(56),
        ..default()
    };
    let lower = Node {
        flex_shrink: 0.0,
        justify_content: JustifyContent::Center,
        align_items: AlignItems::FlexEnd,
        column_gap: px(18),
        ..default()
    };
    commands.spawn((PageRoot, On(Screen::Reading), root)).with_children(|page| {
        page.spawn(upper).with_children(|upper| {
            upper.spawn((Slot::moment(), Node::default()));
            upper.spawn((ChoicesSlot, Node::default()));
            upper.spawn((Slot::item(), Node::default()));
        });
        page.spawn(lower).with_children(|lower| {
            lower.spawn((Slot::portrait(), Node::default()));
            spawn_text_box(lower, &fonts);
        });
    });
}

fn spawn_text_box(parent: &mut ChildSpawnerCommands, fonts: &Fonts) {
    let frame = Node {
        flex_grow: 1.0,
        max_width: px(1000),
        height: px(186),
        padding: UiRect { left: px(38), right: px(48), top: px(28), bottom: px(16) },
        border: UiRect::all(px(1.5)),
        border_radius: BorderRadius::all(px(8)),
        ..default()
    };
    let plate = Node {
        position_type: PositionType::Absolute,
        left: px(26),
        top: px(-22),
        padding: UiRect { left: px(18), right: px(18), top: px(2), bottom: px(5) },
        border: UiRect::bottom(px(2)),
        border_radius: BorderRadius::all(px(6)),
        ..default()
    };
    let more = Node {
        position_type: PositionType::Absolute,
        right: px(22),
        bottom: px(18),
        width: px(10),
        height: px(10),
        ..default()
    };
    let line_height = LineHeight::RelativeToFont(1.24);
    let untyped = (TextSpan::default(), fonts.roman(30.0), TextColor(Color::NONE), line_height);
    parent.spawn((
        frame,
        BackgroundColor(theme::INK),
        BorderColor::all(theme::GOLD.with_alpha(0.35)),
        children![
            (
                LineText,
                Text::default(),
                fonts.roman(30.0),
                line_height,
                TextColor(theme::PARCHMENT),
                children![untyped],
            ),
            (
                NamePlate,
                plate,
                BackgroundColor(theme::INK.with_alpha(1.0)),
                BorderColor::all(theme::GOLD),
                children![(Text::default(), fonts.roman(26.0), TextColor(theme::PARCHMENT))],
            ),
            (
                MoreMark,
                more,
                BackgroundColor(theme::GOLD),
                UiTransform::from_rotation(Rot2::degrees(45.0)),
            ),
        ],
    ));
}

fn hide_page(
    root: Option<Single<&mut Visibility, With<PageRoot>>>,
    cards: Query<(), With<SceneCard>>,
    reading: Res<Reading>,
    project: Res<Project>,
) {
    let Some(mut visibility) = root else { return };
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    let hidden = !cards.is_empty() || page.is_none_or(|page| page.ended);
    let wanted = if hidden { Visibility::Hidden } else { Visibility::Inherited };
    visibility.set_if_neq(wanted);
}

/// Removes empty slots from the layout.
fn hide_empty_slots(
    mut slots: Query<(&mut Node, Has<Children>), Or<(With<Slot>, With<ChoicesSlot>)>>,
) {
    for (mut node, filled) in &mut slots {
        let display = if filled { Display::Flex } else { Display::None };
        if node.display != display {
            node.display = display;
        }
    }
}

fn show_speaker(
    reading: Res<Reading>,
    screen: Res<Screen>,
    project: Res<Project>,
    plate: Option<Single<(&mut Node, &mut BorderColor, &Children), With<NamePlate>>>,
    mut names: Query<(&mut Text, &mut TextColor)>,
) -> Result {
    let Some(plate) = plate.filter(|_| reading.is_changed() || screen.is_changed()) else {
        return Ok(());
    };
    let (mut plate, mut border, children) = plate.into_inner();
    let story = project.story();
    let page = reading.0.as_ref().and_then(|reader| reader.page(story));
    let speaker = page.and_then(|page| page.line?.speaker.as_deref());
    let speaker = speaker.and_then(|id| story.character(id));
    plate.display = if speaker.is_some() { Display::Flex } else { Display::None };
    if let Some(speaker) = speaker {
        let (mut name, mut colour) = names.get_mut(children[0])?;
        name.0.clone_from(&speaker.name);
        colour.0 = theme::colour(speaker.colour.as_deref());
        *border = BorderColor::all(theme::faded(colour.0, 0.6));
    }
    Ok(())
}

/// Shows the line; the narrator's lines are in italics.
fn show_text(
    typing: Res<Typing>,
    reading: Res<Reading>,
    screen: Res<Screen>,
    project: Res<Project>,
    fonts: Res<Fonts>,
    line: Option<Single<(&mut Text, &mut TextFont, &Children), With<LineText>>>,
    mut spans: Query<(&mut TextSpan, &mut TextFont), Without<LineText>>,
) -> Result {
    let changed = typing.is_changed() || reading.is_changed() || screen.is_changed();
    let Some(line) = line.filter(|_| changed) else { return Ok(()) };
    let (mut text, mut font, children) = line.into_inner();
    let (mut rest, mut rest_font) = spans.get_mut(children[0])?;
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    let narrated = page.and_then(|page| page.line).is_some_and(|line| line.speaker.is_none());
    let face = if narrated { fonts.italic(30.0) } else { fonts.roman(30.0) };
    font.set_if_neq(face.clone());
    rest_font.set_if_neq(face);
    let (typed, untyped) = typing.parts();
    typed.clone_into(&mut text.0);
    untyped.clone_into(&mut rest.0);
    Ok(())
}

/// Shows the pulsing diamond when the line is typed and there are no choices.
fn show_more_mark(
    typing: Res<Typing>,
    reading: Res<Reading>,
    project: Res<Project>,
    time: Res<Time>,
    mark: Option<Single<(&mut Visibility, &mut BackgroundColor), With<MoreMark>>>,
) {
    let Some(mark) = mark else { return };
    let (mut visibility, mut colour) = mark.into_inner();
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    let more = typing.is_done() && page.is_some_and(|page| page.choices.is_empty());
    visibility.set_if_neq(if more { Visibility::Inherited } else { Visibility::Hidden });
    if more {
        let pulse = 0.65 + 0.35 * (time.elapsed_secs() * 3.0).sin();
        colour.0 = theme::GOLD.with_alpha(pulse);
    }
}

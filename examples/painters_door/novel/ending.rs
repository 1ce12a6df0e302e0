//! The card at the end of the story: the name of the ending, and a menu to start again.

use bevy::prelude::*;
use bevy_illustrator::project::Project;

use super::{
    NovelSystems, On, Screen,
    flow::Reading,
    frame::Rise,
    menu::{Pick, spawn_menu},
    theme::{self, Fonts},
};

/// The ending card.
#[derive(Component, Debug)]
struct EndingCard;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        end_story
            .run_if(resource_exists::<Project>)
            .run_if(resource_changed::<Reading>.or_eager(resource_changed::<Screen>))
            .in_set(NovelSystems::Show),
    );
}

fn end_story(
    screen: Res<Screen>,
    reading: Res<Reading>,
    project: Res<Project>,
    fonts: Res<Fonts>,
    cards: Query<Entity, With<EndingCard>>,
    mut commands: Commands,
) {
    cards.iter().for_each(|card| commands.entity(card).despawn());
    let page = reading.0.as_ref().and_then(|reader| reader.page(project.story()));
    let Some(page) = page.filter(|page| page.ended && *screen == Screen::Reading) else { return };
    let name = page.scene.ending.as_deref().unwrap_or("The end");
    let root = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Center,
        justify_content: JustifyContent::Center,
        row_gap: px(14),
        ..default()
    };
    let rule =
        Node { width: px(260), height: px(1.5), margin: UiRect::bottom(px(22)), ..default() };
    let choices =
        [("Start again".to_owned(), Pick::Begin), ("To the title".to_owned(), Pick::Title)];
    commands.spawn((EndingCard, On(Screen::Reading), root, Rise::now())).with_children(|card| {
        card.spawn((
            Text::new("You have found the ending"),
            fonts.italic(27.0),
            TextColor(theme::FADED),
        ));
        card.spawn((
            Text::new(theme::typeset(name)),
            fonts.roman(70.0),
            TextColor(theme::PARCHMENT),
        ));
        card.spawn((rule, BackgroundColor(theme::GOLD)));
        spawn_menu(card, &fonts, &choices);
    });
}

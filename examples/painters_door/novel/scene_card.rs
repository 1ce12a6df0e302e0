//! The card at the start of a scene, with its place and time.

use bevy::prelude::*;
use bevy_illustrator::project::Project;

use super::{
    NovelSystems, On, Screen,
    flow::Reading,
    theme::{self, Fonts},
    typing::Typing,
};

/// The time for which a card is visible, in seconds.
const VISIBLE_SECONDS: f32 = 2.6;
/// The duration of fading in and of fading out, in seconds.
const FADE_SECONDS: f32 = 0.6;

/// A card over the page. Typing waits until it is gone.
#[derive(Component, Debug, Default)]
pub struct SceneCard {
    age: f32,
}

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        (show_card.run_if(resource_exists::<Project>), fade_card)
            .chain()
            .in_set(NovelSystems::Show),
    );
}

/// Shows a card when the place or the time changes.
fn show_card(
    mut shown: Local<String>,
    screen: Res<Screen>,
    reading: Res<Reading>,
    project: Res<Project>,
    typing: Res<Typing>,
    fonts: Res<Fonts>,
    cards: Query<Entity, With<SceneCard>>,
    mut commands: Commands,
) {
    if *screen != Screen::Reading {
        return shown.clear();
    }
    if !reading.is_changed() && !screen.is_changed() {
        return;
    }
    let story = project.story();
    let Some(page) = reading.0.as_ref().and_then(|reader| reader.page(story)) else { return };
    let place = story.place(&page.scene.place).map_or("", |place| place.name.as_str());
    let when = [&page.scene.time, &page.scene.weather]
        .map(String::as_str)
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    let card = format!("{place}\n{when}");
    if *shown == card {
        return;
    }
    *shown = card;
    cards.iter().for_each(|card| commands.entity(card).despawn());
    // After going back, the line is typed already and needs no card.
    if page.ended || place.is_empty() || typing.is_done() {
        return;
    }
    let root = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Center,
        justify_content: JustifyContent::Center,
        row_gap: px(10),
        ..default()
    };
    let rule = Node { width: px(220), height: px(1.5), ..default() };
    commands.spawn((
        root,
        On(Screen::Reading),
        SceneCard::default(),
        children![
            (
                Text::new(theme::typeset(place)),
                fonts.roman(64.0),
                TextColor(theme::PARCHMENT.with_alpha(0.0))
            ),
            (rule, BackgroundColor(theme::GOLD.with_alpha(0.0))),
            (Text::new(when), fonts.italic(28.0), TextColor(theme::PARCHMENT.with_alpha(0.0))),
        ],
    ));
}

/// Fades a card in and out, and despawns it.
fn fade_card(
    time: Res<Time>,
    mut cards: Query<(Entity, &mut SceneCard, &Children)>,
    mut rules: Query<&mut BackgroundColor>,
    mut texts: Query<&mut TextColor>,
    mut commands: Commands,
) {
    for (entity, mut card, children) in &mut cards {
        card.age += time.delta_secs();
        if card.age > VISIBLE_SECONDS {
            commands.entity(entity).despawn();
            continue;
        }
        let opacity = (card.age / FADE_SECONDS)
            .min((VISIBLE_SECONDS - card.age) / FADE_SECONDS)
            .clamp(0.0, 1.0);
        for &child in children {
            if let Ok(mut text) = texts.get_mut(child) {
                text.0.set_alpha(opacity);
            } else if let Ok(mut rule) = rules.get_mut(child) {
                rule.0.set_alpha(opacity);
            }
        }
    }
}

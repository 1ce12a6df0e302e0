//! Shows an error when the story cannot be loaded.

use bevy::prelude::*;
use bevy_illustrator::plugin::IllustratorStatus;

use super::{
    NovelSystems,
    theme::{self, Fonts},
};

/// The error message.
#[derive(Component, Debug)]
struct NoticeCard;

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        post_notice.run_if(resource_changed::<IllustratorStatus>).in_set(NovelSystems::Show),
    );
}

fn post_notice(
    status: Res<IllustratorStatus>,
    fonts: Res<Fonts>,
    cards: Query<Entity, With<NoticeCard>>,
    mut commands: Commands,
) {
    cards.iter().for_each(|card| commands.entity(card).despawn());
    let IllustratorStatus::Failed(reason) = &*status else { return };
    let around = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        align_items: AlignItems::Center,
        justify_content: JustifyContent::Center,
        ..default()
    };
    let card = Node {
        flex_direction: FlexDirection::Column,
        row_gap: px(16),
        width: px(860),
        padding: UiRect::axes(px(44), px(34)),
        border: UiRect::all(px(1.5)),
        border_radius: BorderRadius::all(px(8)),
        ..default()
    };
    commands.spawn((
        NoticeCard,
        around,
        GlobalZIndex(2),
        children![(
            card,
            BackgroundColor(theme::INK.with_alpha(0.97)),
            BorderColor::all(theme::ROSE),
            theme::shadow(30.0),
            children![
                (
                    Text::new("The story cannot be shown"),
                    fonts.roman(36.0),
                    TextColor(theme::ROSE),
                ),
                (Text::new(reason), fonts.roman(23.0), TextColor(theme::PARCHMENT)),
                (
                    Text::new("Esc closes the game."),
                    fonts.italic(20.0),
                    TextColor(theme::FADED),
                ),
            ],
        )],
    ));
}

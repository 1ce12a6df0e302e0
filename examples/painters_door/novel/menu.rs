//! A column of buttons, for the pointer, the arrow keys with Enter, and the number keys.

use bevy::prelude::*;
use bevy_egui::input::EguiWantsInput;

use super::{
    NovelSystems,
    intent::Intent,
    theme::{self, Fonts},
};

/// The reader's choice in a menu.
#[derive(Message, Component, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Start the story at its beginning.
    Begin,
    /// Continue from the bookmark.
    Continue,
    /// Go through this exit of the scene.
    Exit(usize),
    /// Go to the title.
    Title,
    /// Quit the game.
    Quit,
}

/// A column of buttons. There is at most one.
#[derive(Component, Debug, Default)]
struct Menu {
    /// The index of the marked button.
    marked: usize,
    /// Seconds since it appeared.
    age: f32,
}

/// A new menu ignores Enter for this many seconds, because the key was meant for the line before.
const ENTER_DELAY: f32 = 0.6;

/// A button of a menu, with its index.
#[derive(Component, Debug)]
struct Choice(usize);

pub(super) fn plugin(app: &mut App) {
    app.add_message::<Pick>().add_systems(
        Update,
        (pick_by_key, pick_by_pointer, mark_choice).chain().in_set(NovelSystems::Menu),
    );
}

/// Spawns a menu with the label and the action of each button.
pub fn spawn_menu(parent: &mut ChildSpawnerCommands, fonts: &Fonts, choices: &[(String, Pick)]) {
    let column = Node {
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Stretch,
        row_gap: px(12),
        max_width: px(560),
        ..default()
    };
    parent.spawn((column, Menu::default())).with_children(|menu| {
        for (at, (text, pick)) in choices.iter().enumerate() {
            let number =
                (Text::new((at + 1).to_string()), fonts.italic(19.0), TextColor(theme::GOLD));
            let label =
                (Text::new(theme::typeset(text)), fonts.roman(26.0), TextColor(theme::PARCHMENT));
            menu.spawn((Choice(at), *pick, button(), children![number, label]));
        }
    });
}

fn button() -> impl Bundle {
    let node = Node {
        align_items: AlignItems::Center,
        column_gap: px(18),
        min_width: px(300),
        padding: UiRect::axes(px(24), px(11)),
        border: UiRect::all(px(1.5)),
        border_radius: BorderRadius::all(px(6)),
        ..default()
    };
    let colours = (BackgroundColor(theme::INK), BorderColor::all(Color::NONE));
    (Button, node, colours, UiTransform::default())
}

fn pick_by_key(
    mut intents: MessageReader<Intent>,
    menu: Option<Single<(&mut Menu, &Children)>>,
    choices: Query<&Pick>,
    time: Res<Time>,
    mut picks: MessageWriter<Pick>,
) {
    let Some(menu) = menu else { return intents.clear() };
    let (mut menu, buttons) = menu.into_inner();
    menu.age += time.delta_secs();
    for intent in intents.read() {
        let taken = match *intent {
            Intent::Mark(way) => {
                let below = menu.marked as i32 + way;
                menu.marked = below.rem_euclid(buttons.len() as i32) as usize;
                continue;
            }
            Intent::Confirm if menu.age > ENTER_DELAY => menu.marked,
            Intent::Take(n) => n,
            _ => continue,
        };
        if let Some(pick) = buttons.get(taken).and_then(|&button| choices.get(button).ok()) {
            picks.write(*pick);
        }
    }
}

fn pick_by_pointer(
    egui: Res<EguiWantsInput>,
    choices: Query<(&Interaction, &Choice, &Pick), Changed<Interaction>>,
    menu: Option<Single<&mut Menu>>,
    mut picks: MessageWriter<Pick>,
) {
    let Some(mut menu) = menu.filter(|_| !egui.wants_any_pointer_input()) else { return };
    for (interaction, choice, pick) in &choices {
        match interaction {
            Interaction::Pressed => {
                picks.write(*pick);
            }
            Interaction::Hovered => menu.marked = choice.0,
            Interaction::None => {}
        }
    }
}

/// Highlights and enlarges the marked button.
fn mark_choice(
    menu: Option<Single<&Menu>>,
    time: Res<Time>,
    mut choices: Query<(&Choice, &mut BackgroundColor, &mut BorderColor, &mut UiTransform)>,
) {
    let Some(menu) = menu else { return };
    for (choice, mut ground, mut border, mut transform) in &mut choices {
        let marked = choice.0 == menu.marked;
        ground.set_if_neq(BackgroundColor(if marked { theme::WARM_INK } else { theme::INK }));
        let gold = theme::GOLD.with_alpha(if marked { 1.0 } else { 0.25 });
        border.set_if_neq(BorderColor::all(gold));
        let goal = if marked { 1.03 } else { 1.0 };
        let scale =
            transform.scale.x + (goal - transform.scale.x) * (time.delta_secs() * 14.0).min(1.0);
        transform.set_if_neq(UiTransform::from_scale(Vec2::splat(scale)));
    }
}

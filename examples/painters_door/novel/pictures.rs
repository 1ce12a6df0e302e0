//! The pictures of a line: the speaker, a key moment on an easel, an item.

use bevy::prelude::*;
use bevy_illustrator::{
    components::Illustration,
    project::Project,
    story::{Line, Story},
};

use super::{
    NovelSystems,
    flow::Reading,
    frame::{self, Rise},
    theme::{self, Fonts},
};

/// A place on the page for a picture, if the current line has one.
#[derive(Component, Clone, Debug)]
pub struct Slot {
    /// The illustration that a line has for this slot.
    illustration: fn(&Line) -> Option<Illustration>,
    /// The kind of frame.
    style: FrameStyle,
    /// The current canvas.
    canvas: Option<Entity>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FrameStyle {
    Card,
    Easel,
    Miniature,
}

impl Slot {
    /// A card with the speaker.
    #[must_use]
    pub fn portrait() -> Self {
        let illustration = |line: &Line| {
            let character = line.speaker.clone()?;
            Some(Illustration::Portrait { character, expression: line.expression.clone() })
        };
        Self { illustration, style: FrameStyle::Card, canvas: None }
    }

    /// An easel with a key moment.
    #[must_use]
    pub fn moment() -> Self {
        let illustration =
            |line: &Line| Some(Illustration::Moment(line.moment.as_ref()?.id.clone()));
        Self { illustration, style: FrameStyle::Easel, canvas: None }
    }

    /// A miniature of an item.
    #[must_use]
    pub fn item() -> Self {
        let illustration = |line: &Line| Some(Illustration::Item(line.item.clone()?));
        Self { illustration, style: FrameStyle::Miniature, canvas: None }
    }
}

pub(super) fn plugin(app: &mut App) {
    app.add_systems(
        Update,
        fill_slots.run_if(resource_exists::<Project>).in_set(NovelSystems::Show),
    );
}

/// Adds the pictures of the current line and removes the others. A portrait keeps its canvas when the
/// speaker changes, so that the canvas fades to the new picture.
fn fill_slots(
    reading: Res<Reading>,
    project: Res<Project>,
    fonts: Res<Fonts>,
    mut slots: Query<(Entity, &mut Slot)>,
    mut illustrations: Query<&mut Illustration>,
    mut commands: Commands,
) {
    let story = project.story();
    let page = reading.0.as_ref().and_then(|reader| reader.page(story));
    for (entity, mut slot) in &mut slots {
        if !reading.is_changed() && !slot.is_added() {
            continue;
        }
        let wanted = page.and_then(|page| page.line).and_then(slot.illustration);
        let mut current = slot.canvas.and_then(|canvas| illustrations.get_mut(canvas).ok());
        match (wanted, &mut current) {
            (Some(wanted), Some(current)) if **current == wanted => {}
            (Some(wanted), Some(current)) if slot.style == FrameStyle::Card => **current = wanted,
            (Some(wanted), _) => {
                commands.entity(entity).despawn_children().insert(Rise::now());
                slot.canvas =
                    Some(spawn_frame(&mut commands, entity, slot.style, &fonts, story, wanted));
            }
            (None, _) => {
                commands.entity(entity).despawn_children();
                slot.canvas = None;
            }
        }
    }
}

fn spawn_frame(
    commands: &mut Commands,
    slot: Entity,
    style: FrameStyle,
    fonts: &Fonts,
    story: &Story,
    illustration: Illustration,
) -> Entity {
    let mut canvas = Entity::PLACEHOLDER;
    commands.entity(slot).with_children(|slot| match style {
        FrameStyle::Card => canvas = frame::spawn(slot, fonts, frame::CARD, illustration),
        FrameStyle::Easel => {
            canvas = frame::spawn_on_easel(slot, fonts, frame::PAINTING, illustration);
        }
        FrameStyle::Miniature => {
            let name = item_name(story, &illustration);
            let column = Node {
                flex_direction: FlexDirection::Column,
                align_items: AlignItems::Center,
                row_gap: px(10),
                ..default()
            };
            slot.spawn(column).with_children(|column| {
                canvas = frame::spawn(column, fonts, frame::MINIATURE, illustration);
                column.spawn((
                    Text::new(name),
                    fonts.italic(20.0),
                    TextColor(theme::PARCHMENT),
                    TextShadow { offset: Vec2::ONE, color: Color::BLACK },
                ));
            });
        }
    });
    canvas
}

fn item_name(story: &Story, illustration: &Illustration) -> String {
    let Illustration::Item(id) = illustration else { return String::new() };
    story.items.iter().find(|item| item.id == *id).map_or_else(|| id.clone(), |i| i.name.clone())
}

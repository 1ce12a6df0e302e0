//! Picture frames: a gilt rim, a mat, and the canvas.

use bevy::prelude::*;
use bevy_illustrator::components::Illustration;

use super::{
    canvas::{Canvas, Outlook},
    theme::{self, Fonts},
};

const WOOD: Color = Color::srgb(0.231, 0.153, 0.102);
const WOOD_LIGHT: Color = Color::srgb(0.388, 0.267, 0.176);
const MAT: Color = Color::srgb(0.910, 0.867, 0.780);
const MAT_SHADE: Color = Color::srgb(0.639, 0.584, 0.490);

/// The sizes of a frame, in pixels of a window of design size.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// The width and height of the picture.
    pub side: f32,
    /// Width of the mat around it.
    pub mat: f32,
    /// Width of the rim.
    pub rim: f32,
    /// The font size of the caption.
    pub caption: f32,
}

/// A small card beside the text.
pub const CARD: Framing = Framing { side: 212.0, mat: 10.0, rim: 8.0, caption: 17.0 };
/// A large picture.
pub const PAINTING: Framing = Framing { side: 304.0, mat: 16.0, rim: 11.0, caption: 20.0 };
/// A small picture of an item.
pub const MINIATURE: Framing = Framing { side: 164.0, mat: 13.0, rim: 7.0, caption: 16.0 };

/// The caption of a canvas that has no picture yet.
#[derive(Component)]
struct Caption(Entity);

/// Moves in from below when it appears.
#[derive(Component, Debug)]
pub struct Rise {
    /// Seconds since it appeared.
    age: f32,
}

pub(super) fn plugin(app: &mut App) {
    app.add_systems(Update, (write_captions, rise));
}

/// Spawns a framed picture as a child of `parent` and returns the frame's entity. The illustration is on
/// the returned canvas.
pub fn spawn(
    parent: &mut ChildSpawnerCommands,
    fonts: &Fonts,
    framing: Framing,
    illustration: Illustration,
) -> Entity {
    let rim = (
        Node {
            border: UiRect::all(px(framing.rim)),
            padding: UiRect::all(px(framing.mat)),
            border_radius: BorderRadius::all(px(2)),
            ..default()
        },
        BorderGradient::from(
            LinearGradient::to_bottom_right(vec![
                ColorStop::auto(WOOD_LIGHT),
                ColorStop::auto(WOOD),
                ColorStop::auto(theme::GOLD),
                ColorStop::auto(WOOD),
                ColorStop::auto(WOOD_LIGHT),
            ])
            .in_color_space(InterpolationColorSpace::LinearRgba),
        ),
        BackgroundColor(MAT),
        theme::shadow(18.0),
    );
    let bevel = (
        Node { border: UiRect::all(px(1)), ..default() },
        BorderColor { top: MAT_SHADE, left: MAT_SHADE, right: Color::WHITE, bottom: Color::WHITE },
    );
    let canvas = (
        Node {
            width: px(framing.side),
            height: px(framing.side),
            align_items: AlignItems::Center,
            justify_content: JustifyContent::Center,
            padding: UiRect::all(px(8)),
            ..default()
        },
        Canvas { fade: 0.9, drift: 0.0, vignette: 0.35, shade: 0.0, brightness: 1.0 },
        illustration,
    );
    let caption = (
        Text::default(),
        fonts.italic(framing.caption),
        TextColor(theme::PARCHMENT),
        TextLayout::justify(Justify::Center),
        TextShadow { offset: Vec2::ONE, color: Color::BLACK.with_alpha(0.7) },
    );
    let mut canvas_entity = Entity::PLACEHOLDER;
    parent.spawn(rim).with_children(|rim| {
        rim.spawn(bevel).with_children(|bevel| {
            let mut spawned = bevel.spawn(canvas);
            canvas_entity = spawned.id();
            spawned.with_children(|canvas| {
                canvas.spawn((caption, Caption(canvas_entity)));
            });
        });
    });
    canvas_entity
}

/// Spawns a framed picture on an easel and returns the canvas's entity.
pub fn spawn_on_easel(
    parent: &mut ChildSpawnerCommands,
    fonts: &Fonts,
    framing: Framing,
    illustration: Illustration,
) -> Entity {
    let leg = |left: f32, lean: f32| {
        let node = Node {
            position_type: PositionType::Absolute,
            left: percent(left),
            top: px(-14),
            bottom: px(-6),
            width: px(11),
            border_radius: BorderRadius::all(px(3)),
            ..default()
        };
        let tilted = UiTransform::from_rotation(Rot2::degrees(lean));
        (node, tilted, BackgroundColor(WOOD))
    };
    let ledge = (
        Node {
            width: percent(112),
            height: px(13),
            border: UiRect::bottom(px(5)),
            margin: UiRect { top: px(-2), bottom: px(34), ..default() },
            border_radius: BorderRadius::all(px(3)),
            ..default()
        },
        BackgroundColor(WOOD_LIGHT),
        BorderColor { bottom: WOOD, ..BorderColor::DEFAULT },
        theme::shadow(10.0),
    );
    let mut canvas = Entity::PLACEHOLDER;
    let easel = Node {
        flex_direction: FlexDirection::Column,
        align_items: AlignItems::Center,
        ..default()
    };
    parent.spawn(easel).with_children(|easel| {
        easel.spawn(leg(13.0, 5.0));
        easel.spawn(leg(84.0, -5.0));
        canvas = spawn(easel, fonts, framing, illustration);
        easel.spawn(ledge);
    });
    canvas
}

impl Rise {
    /// The start of the animation.
    #[must_use]
    pub fn now() -> (Self, UiTransform) {
        (Self { age: 0.0 }, UiTransform::from_xy(px(0), px(18)))
    }
}

/// Shows the state of an unfinished picture on its canvas.
fn write_captions(
    canvases: Query<&Outlook, Changed<Outlook>>,
    mut captions: Query<(&Caption, &mut Text)>,
) {
    for (caption, mut text) in &mut captions {
        if let Ok(outlook) = canvases.get(caption.0) {
            text.0 = outlook.caption();
        }
    }
}

fn rise(
    time: Res<Time>,
    mut rising: Query<(Entity, &mut Rise, &mut UiTransform)>,
    mut commands: Commands,
) {
    for (entity, mut rise, mut transform) in &mut rising {
        rise.age += time.delta_secs();
        let left = (1.0 - rise.age / 0.35).max(0.0);
        transform.translation.y = px(18.0 * left * left);
        if left == 0.0 {
            commands.entity(entity).remove::<Rise>();
        }
    }
}

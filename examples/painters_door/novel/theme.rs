//! The look of the interface: colours, fonts and scale.

use bevy::{prelude::*, text::FontSize};

/// The interface is laid out for a window of this size, and scaled to others.
pub const DESIGN: Vec2 = Vec2::new(1280.0, 720.0);

/// Text on a dark background.
pub const PARCHMENT: Color = Color::srgb(0.953, 0.914, 0.839);
/// Less important text.
pub const FADED: Color = Color::srgba(0.953, 0.914, 0.839, 0.62);
/// Buttons and ornaments.
pub const GOLD: Color = Color::srgb(0.867, 0.702, 0.420);
/// The background of text.
pub const INK: Color = Color::srgba(0.067, 0.055, 0.086, 0.86);
/// The background of the marked button.
pub const WARM_INK: Color = Color::srgba(0.196, 0.141, 0.118, 0.94);
/// Errors.
pub const ROSE: Color = Color::srgb(0.937, 0.588, 0.545);

/// The fonts.
#[derive(Resource)]
pub struct Fonts {
    roman: Handle<Font>,
    italic: Handle<Font>,
}

impl Fonts {
    /// The upright font. `size` is in pixels of a window of [`DESIGN`] size.
    #[must_use]
    pub fn roman(&self, size: f32) -> TextFont {
        TextFont::from(&self.roman).with_font_size(FontSize::Px(size))
    }

    /// The italic font. `size` is in pixels of a window of [`DESIGN`] size.
    #[must_use]
    pub fn italic(&self, size: f32) -> TextFont {
        TextFont::from(&self.italic).with_font_size(FontSize::Px(size))
    }
}

impl FromWorld for Fonts {
    fn from_world(world: &mut World) -> Self {
        let server = world.resource::<AssetServer>();
        Self {
            roman: server.load("fonts/EBGaramond08-Regular.otf"),
            italic: server.load("fonts/EBGaramond08-Italic.otf"),
        }
    }
}

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Fonts>().add_systems(PreUpdate, scale_to_window);
}

/// Parses a colour `#rrggbb` of the story. The default is parchment.
#[must_use]
pub fn colour(hex: Option<&str>) -> Color {
    hex.and_then(|hex| Srgba::hex(hex).ok()).map_or(PARCHMENT, Color::from)
}

/// A colour with its opacity multiplied.
#[must_use]
pub fn faded(colour: Color, alpha: f32) -> Color {
    colour.with_alpha(colour.alpha() * alpha)
}

/// A shadow for nodes above the picture.
#[must_use]
pub fn shadow(blur: f32) -> BoxShadow {
    BoxShadow::new(Color::BLACK.with_alpha(0.55), px(0), px(blur / 3.0), px(0), px(blur))
}

/// Replaces straight apostrophes by typographic ones.
#[must_use]
pub fn typeset(words: &str) -> String {
    words.replace('\'', "’")
}

fn scale_to_window(window: Single<&Window, Changed<Window>>, mut scale: ResMut<UiScale>) {
    let fitting = (window.size() / DESIGN).min_element().max(0.1);
    if (scale.0 - fitting).abs() > 0.001 {
        scale.0 = fitting;
    }
}

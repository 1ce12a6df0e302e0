//! The style of the panel: dark, calm and readable over any game.
//!
//! It is set on the panel's [`Ui`], not on the game's. All distances are multiples of 4 points.

use std::sync::Arc;

use egui::{
    Button, Color32, CornerRadius, FontFamily, FontId, Frame, Margin, ProgressBar, RichText,
    ScrollArea, Stroke, Style, TextEdit, TextStyle, Ui, Visuals, WidgetText, vec2,
};

/// The unit of distances, in points.
pub(super) const STEP: f32 = 8.0;

pub(super) const BACKGROUND: Color32 = Color32::from_rgb(22, 24, 29);
pub(super) const CARD: Color32 = Color32::from_rgb(31, 34, 41);
pub(super) const WELL: Color32 = Color32::from_rgb(14, 16, 20);
pub(super) const LINE: Color32 = Color32::from_rgb(52, 57, 68);
pub(super) const TEXT: Color32 = Color32::from_rgb(226, 229, 235);
pub(super) const WEAK: Color32 = Color32::from_rgb(158, 166, 180);
pub(super) const ACCENT: Color32 = Color32::from_rgb(121, 167, 235);
pub(super) const ACCENT_FILL: Color32 = Color32::from_rgb(44, 82, 138);
pub(super) const ERROR: Color32 = Color32::from_rgb(255, 138, 112);
pub(super) const ERROR_FILL: Color32 = Color32::from_rgb(58, 30, 28);
pub(super) const WARNING: Color32 = Color32::from_rgb(240, 180, 80);

/// The style of the panel.
pub(super) fn style() -> Arc<Style> {
    let mut style = Style::default();
    let text = |size| FontId::new(size, FontFamily::Proportional);
    style.text_styles = [
        (TextStyle::Small, text(12.0)),
        (TextStyle::Body, text(14.0)),
        (TextStyle::Button, text(14.0)),
        (TextStyle::Heading, text(18.0)),
        (TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace)),
    ]
    .into();

    style.spacing.item_spacing = vec2(STEP, STEP);
    style.spacing.button_padding = vec2(10.0, 4.0);
    style.spacing.interact_size = vec2(32.0, 26.0);
    style.spacing.menu_margin = Margin::same(8);
    style.spacing.tooltip_width = 320.0;
    style.spacing.combo_width = 96.0;
    style.interaction.selectable_labels = false;
    style.visuals = visuals();
    Arc::new(style)
}

fn visuals() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = BACKGROUND;
    visuals.window_fill = CARD;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.extreme_bg_color = WELL;
    visuals.faint_bg_color = CARD;
    visuals.code_bg_color = WELL;
    visuals.weak_text_color = Some(WEAK);
    visuals.error_fg_color = ERROR;
    visuals.warn_fg_color = WARNING;
    visuals.hyperlink_color = ACCENT;
    visuals.selection.bg_fill = ACCENT_FILL;
    visuals.selection.stroke = Stroke::new(1.0, Color32::WHITE);

    let looks = [
        (&mut visuals.widgets.noninteractive, BACKGROUND, LINE, TEXT),
        (&mut visuals.widgets.inactive, Color32::from_rgb(44, 49, 59), LINE, TEXT),
        (&mut visuals.widgets.hovered, Color32::from_rgb(58, 64, 77), ACCENT, Color32::WHITE),
        (&mut visuals.widgets.active, ACCENT_FILL, ACCENT, Color32::WHITE),
        (&mut visuals.widgets.open, Color32::from_rgb(44, 49, 59), ACCENT, TEXT),
    ];
    for (look, fill, outline, text) in looks {
        look.bg_fill = fill;
        look.weak_bg_fill = fill;
        look.bg_stroke = Stroke::new(1.0, outline);
        look.fg_stroke = Stroke::new(1.0, text);
        look.corner_radius = CornerRadius::same(4);
        look.expansion = 0.0;
    }
    visuals.widgets.inactive.bg_stroke = Stroke::NONE;
    visuals
}

/// The frame of the whole panel.
pub(super) fn background_frame() -> Frame {
    Frame::new().fill(BACKGROUND).inner_margin(Margin::symmetric(12, 8))
}

/// The frame of a group.
pub(super) fn card() -> Frame {
    Frame::new().fill(CARD).corner_radius(6).inner_margin(Margin::same(8))
}

/// The primary button of a group.
pub(super) fn primary(text: impl Into<String>) -> Button<'static> {
    Button::new(RichText::new(text.into()).color(Color32::WHITE)).fill(ACCENT_FILL)
}

/// Text of less emphasis.
pub(super) fn weak(text: impl Into<String>) -> RichText {
    RichText::new(text.into()).color(WEAK)
}

/// Small text of less emphasis.
pub(super) fn small(text: impl Into<String>) -> RichText {
    weak(text).small()
}

/// The heading of a section.
pub(super) fn section(ui: &mut Ui, text: &str) {
    if ui.layout().is_vertical() {
        ui.add_space(STEP / 2.0);
    }
    ui.label(RichText::new(text).strong());
}

/// A text field as wide as its column.
pub(super) fn field<'t>(text: &'t mut String, rows: usize, hint: &str) -> TextEdit<'t> {
    let edit = if rows == 1 { TextEdit::singleline(text) } else { TextEdit::multiline(text) };
    edit.desired_rows(rows)
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(8, 4))
        .hint_text(weak(hint))
}

/// A column that scrolls, with space for the scroll bar.
pub(super) fn scroll(salt: &str) -> ScrollArea {
    let margin = Margin { right: 10, ..Margin::ZERO };
    ScrollArea::vertical().id_salt(salt).auto_shrink(false).content_margin(margin)
}

/// A progress bar at a fraction from 0 to 1.
pub(super) fn progress_bar(part: f32, height: f32) -> ProgressBar {
    ProgressBar::new(part).desired_height(height).corner_radius(height as u8 / 2).fill(ACCENT)
}

/// Shows an error and its remedy.
pub(super) fn error_box(ui: &mut Ui, what: &str, advice: &str) {
    card().fill(ERROR_FILL).stroke(Stroke::new(1.0, ERROR)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(egui::Label::new(RichText::new(what).color(ERROR)).wrap().selectable(true));
        if !advice.is_empty() {
            ui.add(egui::Label::new(WidgetText::from(advice)).wrap());
        }
    });
}

/// Explains why a list is empty and how to fill it.
pub(super) fn empty_state(ui: &mut Ui, what: &str, advice: &str) {
    ui.add_space(4.0 * STEP);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new(what).size(16.0));
        ui.set_max_width(360.0);
        ui.add(egui::Label::new(weak(advice)).wrap());
    });
}

//! Small widgets that several parts of the panel share.

use egui::{Button, Response, Slider, Ui, WidgetInfo, WidgetType};

use super::theme;

/// Shows a button with only an icon. Its name is for screen readers and tooltips.
pub(super) fn icon_button(ui: &mut Ui, sign: &str, name: &str) -> Response {
    let response = ui.add(Button::new(sign).frame_when_inactive(false));
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, ui.is_enabled(), name));
    response.on_hover_text(name)
}

/// A text field below its label.
pub(super) fn text_field(
    ui: &mut Ui,
    name: &str,
    hint: &str,
    rows: usize,
    text: &mut String,
) -> Response {
    let label = ui.label(theme::small(name));
    let edit = theme::field(text, rows, hint).id_salt(name);
    ui.add(edit).labelled_by(label.id)
}

/// A slider from 0 to 100 %.
pub(super) fn percent(ui: &mut Ui, value: &mut f32, name: &str) -> Response {
    let shown = |value: f64, _| format!("{:.0} %", value * 100.0);
    let typed = |text: &str| {
        text.trim().trim_end_matches('%').trim().parse::<f64>().ok().map(|percent| percent / 100.0)
    };
    let slider = Slider::new(value, 0.0..=1.0).custom_formatter(shown).custom_parser(typed);
    ui.add(slider.text(name))
}

/// Parses a typed seed. An empty text is `None`: the story's seed.
pub(super) fn parse_seed(text: &str) -> Result<Option<u64>, String> {
    match text.trim() {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| {
            format!("`{digits}` is not a seed: enter a whole number from 0 to {}", u64::MAX)
        }),
    }
}

/// A text with a capital at its beginning.
pub(super) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A number of bytes, such as `6.9 GB` or `280 MB`.
pub(super) fn byte_size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        1_000_000.. => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} kB", bytes as f64 / 1e3),
    }
}

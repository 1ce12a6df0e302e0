//! The tools, and the settings of the one in the hand.

use egui::{Button, ComboBox, Slider, Ui, Vec2, vec2};

use super::{
    Canvas,
    keymap::Command,
    session::Session,
    take_analysis::SegmenterState,
    tool::{BRUSH_SIZES, Tool},
};
use crate::{
    mask::Combine,
    panel::{theme, widgets::percent},
};

/// A button for each tool, in a column or in rows.
pub(super) fn tools(ui: &mut Ui, canvas: &mut Canvas, width: f32) {
    for tool in Tool::ALL {
        let button = Button::selectable(canvas.tools.tool == tool, tool.name())
            .min_size(Vec2::new(width, 24.0));
        let hint = canvas.keymap.hint(Command::Use(tool));
        if ui.add(button).on_hover_text(format!("{}{hint}", tool.usage())).clicked() {
            canvas.take_tool(tool);
        }
    }
}

/// The settings of the tool in the hand, and how it is used.
pub(super) fn settings(ui: &mut Ui, canvas: &mut Canvas, session: &Session) {
    let hints =
        [Command::ShrinkBrush, Command::GrowBrush].map(|command| canvas.keymap.hint(command));
    let usage = canvas.tools.tool.usage();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 48.0;
        ui.spacing_mut().item_spacing.x = 4.0;
        if canvas.tools.tool == Tool::Scribble {
            ui.color_edit_button_srgba(&mut canvas.tools.colour).on_hover_text("Colour");
        }
        if let Some(brush) = canvas.tools.brush() {
            let size = Slider::new(&mut brush.size, BRUSH_SIZES).logarithmic(true).suffix(" px");
            let [smaller, larger] = hints;
            // Not rounded but in sight: the wheel turns by less than a pixel of a small brush.
            ui.add(size.custom_formatter(|size, _| format!("{size:.0}")).text("size"))
                .on_hover_text(format!("Smaller{smaller}, larger{larger}, or Ctrl and the wheel"));
            percent(ui, &mut brush.hardness, "hardness");
            percent(ui, &mut brush.opacity, "opacity");
        }
        if canvas.tools.tool == Tool::Colour {
            ui.add(Slider::new(&mut canvas.tools.tolerance, 0..=255).text("tolerance"))
                .on_hover_text("How far each channel may differ");
            ui.checkbox(&mut canvas.tools.connected, "connected")
                .on_hover_text("Only as far as the colour reaches without a gap");
        }
        if canvas.tools.combines() {
            let combine = &mut canvas.tools.combine;
            ComboBox::from_id_salt("combine")
                .selected_text(combine_name(*combine))
                .show_ui(ui, |ui| {
                    for how in
                        [Combine::Add, Combine::Subtract, Combine::Intersect, Combine::Replace]
                    {
                        ui.selectable_value(combine, how, combine_name(how));
                    }
                })
                .response
                .on_hover_text("Ctrl takes away, Ctrl+Shift leaves what is in both");
        }
    });
    ui.add(egui::Label::new(theme::small(usage)).wrap());
    if canvas.tools.tool == Tool::Object {
        let (text, colour) = match &session.segmenter {
            SegmenterState::Unavailable if cfg!(feature = "hub") => (
                "Colours and edges tell. `illustrate models download --mobile-sam` brings a network that knows more.",
                theme::WEAK,
            ),
            SegmenterState::Unavailable => return,
            SegmenterState::Loading => {
                ("MobileSAM looks at the picture; until then colours and edges tell.", theme::WEAK)
            }
            SegmenterState::Ready => ("MobileSAM knows the objects of this picture.", theme::WEAK),
            SegmenterState::Failed(error) => (error.as_str(), theme::WARNING),
        };
        ui.add(egui::Label::new(theme::small(text).color(colour)).wrap());
    }
}

/// Zoom, undo, and whether the parts are seen.
pub(super) fn look(ui: &mut Ui, canvas: &mut Canvas, session: &mut Session) {
    let mut pressed = None;
    let commands = [
        (Command::Undo, "Undo", "Takes back the last change to the parts"),
        (Command::Redo, "Redo", "Does it again"),
        (Command::Fit, "Fit", "The whole picture in sight"),
        (Command::ActualSize, "1:1", "One pixel of the screen for each of the picture"),
    ];
    for (command, name, explanation) in commands {
        let button = Button::new(name).min_size(vec2(36.0, 24.0));
        let hint = canvas.keymap.hint(command);
        if ui.add(button).on_hover_text(format!("{explanation}{hint}")).clicked() {
            pressed = Some(command);
        }
    }
    let hint = canvas.keymap.hint(Command::ToggleParts);
    let mut shown = !canvas.hidden;
    ui.checkbox(&mut shown, "Parts")
        .on_hover_text(format!("Shows the parts above the picture{hint}"));
    canvas.hidden = !shown;
    if let Some(command) = pressed {
        canvas.look(ui, command, session);
    }
}

fn combine_name(how: Combine) -> &'static str {
    match how {
        Combine::Replace => "anew",
        Combine::Add => "add",
        Combine::Subtract => "take away",
        Combine::Intersect => "only what is in both",
    }
}

//! The tools and the settings of the current one.

use egui::{Button, ComboBox, Slider, Ui, Vec2, WidgetInfo, WidgetType, vec2};

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
pub(super) fn tool_buttons(ui: &mut Ui, canvas: &mut Canvas, width: f32) {
    for tool in Tool::ALL {
        let button = Button::selectable(canvas.tools.tool == tool, tool.name())
            .min_size(Vec2::new(width, 24.0));
        let key = canvas.keymap.hint(Command::Use(tool));
        if ui.add(button).on_hover_text(format!("{}{key}", tool.usage())).clicked() {
            canvas.switch_tool(tool);
        }
    }
}

/// The settings and instructions of the current tool.
pub(super) fn tool_settings(ui: &mut Ui, canvas: &mut Canvas, session: &Session) {
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
            // Only the displayed value is rounded, because the wheel changes a small brush by less than a pixel.
            ui.add(size.custom_formatter(|size, _| format!("{size:.0}")).text("size"))
                .on_hover_text(format!(
                    "Brush size: smaller{smaller}, larger{larger}, or Ctrl and the wheel"
                ));
            percent(ui, &mut brush.hardness, "hardness");
            percent(ui, &mut brush.opacity, "opacity");
        }
        if canvas.tools.tool == Tool::Colour {
            ui.add(Slider::new(&mut canvas.tools.tolerance, 0..=255).text("tolerance"))
                .on_hover_text("How far each colour channel may differ");
            ui.checkbox(&mut canvas.tools.connected, "connected")
                .on_hover_text("Selects only the region that is connected to the click");
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
                .on_hover_text(
                    "How new outlines combine with the part. Ctrl subtracts, Ctrl+Shift intersects",
                );
        }
    });
    ui.add(egui::Label::new(theme::small(usage)).wrap());
    if canvas.tools.tool == Tool::Object {
        let (text, colour) = match &session.segmenter {
            SegmenterState::Unavailable if cfg!(feature = "hub") => (
                "Objects are selected by colour and edges. MobileSAM selects them better: download it in the tab Models.",
                theme::WEAK,
            ),
            SegmenterState::Unavailable => return,
            SegmenterState::Loading => (
                "MobileSAM is analysing the picture. Until then objects are selected by colour and edges.",
                theme::WEAK,
            ),
            SegmenterState::Ready => {
                ("MobileSAM selects the objects of this picture.", theme::WEAK)
            }
            SegmenterState::Failed(error) => (error.as_str(), theme::WARNING),
        };
        ui.add(egui::Label::new(theme::small(text).color(colour)).wrap());
    }
}

/// Buttons for undo, redo and zoom, and whether the parts are shown.
pub(super) fn view_buttons(ui: &mut Ui, canvas: &mut Canvas, session: &mut Session) {
    let mut pressed = None;
    let commands = [
        (Command::Undo, "⟲", "Undo", "Undoes the last change of the parts"),
        (Command::Redo, "⟳", "Redo", "Redoes the last undone change"),
        (Command::Fit, "Fit", "Fit", "Fits the whole picture into view"),
        (Command::ActualSize, "1:1", "1:1", "Shows the picture at its actual size"),
    ];
    for (command, sign, name, explanation) in commands {
        let button = ui.add(Button::new(sign).min_size(vec2(30.0, 24.0)));
        button.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, name));
        let key = canvas.keymap.hint(command);
        if button.on_hover_text(format!("{explanation}{key}")).clicked() {
            pressed = Some(command);
        }
    }
    let key = canvas.keymap.hint(Command::ToggleParts);
    let mut shown = !canvas.parts_hidden;
    ui.checkbox(&mut shown, "Parts")
        .on_hover_text(format!("Shows the parts over the picture{key}"));
    canvas.parts_hidden = !shown;
    if let Some(command) = pressed {
        canvas.run_view_command(ui, command, session);
    }
}

fn combine_name(how: Combine) -> &'static str {
    match how {
        Combine::Replace => "replace",
        Combine::Add => "add",
        Combine::Subtract => "subtract",
        Combine::Intersect => "intersect",
    }
}

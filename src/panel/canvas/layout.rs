//! Where everything stands on the canvas: in a wide panel the parts beside the picture, in a narrow one below it.

use egui::{Frame, Margin, Panel, Ui, UiBuilder, vec2};

use super::{
    Canvas, candidates, commands::stop, draw_bar, keymap::Command, keys_menu, parts_list,
    propagation, session::Session, stage, tool_bar, tree,
};
use crate::{
    art::Take,
    panel::{
        context::PanelContext, discarded::discarded_menu, theme, tile::take_number,
        widgets::icon_button,
    },
    storyboard::Shot,
};

/// From this width on the parts stand beside the picture, else below it.
const WIDE: f32 = 720.0;

/// Which take it is, the way back, and how it is looked at.
pub(super) fn top_bar(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
    shot: &Shot,
) {
    let takes = cx.project.art().takes(&take.shot);
    ui.horizontal_wrapped(|ui| {
        let parent = tree::parent(takes, take);
        let hint = canvas.keymap.hint(Command::GoToParent);
        let told = format!("Back to the take that this one was made of{hint}");
        go(ui, canvas, "⬅", parent, &told, "This take was made of no other");
        let newest = tree::children(takes, take).last();
        let hint = canvas.keymap.hint(Command::GoToChild);
        let told = format!("Forth to the newest take that was made of this one{hint}");
        go(ui, canvas, "➡", newest, &told, "No take was made of this one yet");
        let name = format!("{}, take {}", shot.title, take_number(takes, take));
        egui::ComboBox::from_id_salt("takes").width(200.0).selected_text(name).show_ui(ui, |ui| {
            for branch in tree::tree(takes) {
                let indent = "    ".repeat(branch.depth);
                let name = format!("{indent}{}", tree::in_short(branch.take, branch.number));
                if ui.selectable_label(branch.take.id == take.id, name).clicked() {
                    canvas.next_take = Some(branch.take.id.clone());
                }
            }
        });
        let accepted = cx.project.art().accepted(&take.shot).map(|take| &take.id);
        if accepted != Some(&take.id)
            && canvas.candidates.selected(takes).is_none()
            && ui
                .button("Accept this take")
                .on_hover_text("The game shows it from now on")
                .clicked()
        {
            candidates::accept(canvas, cx, take);
        }
        if let Some(back) = discarded_menu(ui, cx, &take.shot) {
            canvas.next_take = Some(back);
        }
        tool_bar::look(ui, canvas, session);
        keys_menu::keys_menu(ui, canvas, cx);
        let hint = canvas.keymap.hint(Command::CancelJobs);
        if cx.job_of(&take.shot).is_some()
            && icon_button(ui, "⏹", &format!("Stop drawing{hint}")).clicked()
        {
            stop(cx, take);
        }
        // Short enough for the line: what is below must not jump while somebody draws there.
        if let Some((done, of)) = cx.steps_of(&take.shot) {
            ui.label(theme::small(format!("step {done} of {of}")));
        } else if let Some(place) = cx.queue_place(&take.shot) {
            ui.label(theme::small(format!("{place} before it")));
        }
    });
}

/// A button that brings another take onto the canvas.
fn go(ui: &mut Ui, canvas: &mut Canvas, look: &str, to: Option<&Take>, told: &str, none: &str) {
    let button = ui.add_enabled(to.is_some(), egui::Button::new(look));
    button.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Button, to.is_some(), told));
    if button.on_hover_text(told).on_disabled_hover_text(none).clicked() {
        canvas.next_take = to.map(|take| take.id.clone());
    }
}

/// Tools, picture, parts and candidates; whether a field of text has the keyboard.
pub(super) fn body(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    if ui.available_width() >= WIDE {
        beside(ui, canvas, session, cx, take)
    } else {
        below(ui, canvas, session, cx, take)
    }
}

/// The parts beside the picture.
fn beside(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    let bare = Frame::new();
    let mut typing = false;
    Panel::right(ui.id().with("parts beside"))
        .default_size(290.0)
        .size_range(240.0..=ui.available_width() * 0.5)
        .frame(bare.inner_margin(Margin { left: 12, ..Margin::ZERO }))
        .show(ui, |ui| {
            draw_bar::draw_bar(ui, canvas, session, cx);
            ui.separator();
            theme::scroll("canvas parts").show(ui, |ui| {
                typing = parts_list::parts_list(ui, canvas, session);
                ui.add_space(theme::STEP);
            });
        });
    let tools = Panel::left(ui.id().with("tools")).resizable(false).exact_size(84.0);
    tools.frame(bare).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        tool_bar::tools(ui, canvas, 76.0);
    });
    if has_strip(cx, take) {
        Panel::bottom(ui.id().with("candidates"))
            .resizable(false)
            .frame(bare.inner_margin(Margin { left: 6, top: 8, ..Margin::ZERO }))
            .show(ui, |ui| {
                candidates::strip(ui, canvas, cx, take);
                propagation::propagation(ui, cx, take);
            });
    }
    // What is too wide is cut off: it must not push the picture below the parts.
    let mut free = ui.available_rect_before_wrap();
    free.min.x += 6.0;
    let mut middle = ui.new_child(UiBuilder::new().max_rect(free));
    let ui = &mut middle;
    ui.shrink_clip_rect(free);
    tool_bar::settings(ui, canvas, session);
    note(ui, canvas);
    let room = ui.available_size().min(ui.clip_rect().max - ui.next_widget_position());
    stage::stage(ui, canvas, session, cx, take, room);
    typing
}

/// The parts below the picture, and all of it to be scrolled but the buttons that draw.
fn below(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    let bar = Panel::bottom(ui.id().with("draw")).resizable(false);
    bar.frame(Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO })).show(ui, |ui| {
        draw_bar::draw_bar(ui, canvas, session, cx);
    });
    let height = ui.available_height();
    let scrolled = theme::scroll("canvas").show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0, 2.0);
            tool_bar::tools(ui, canvas, 0.0);
        });
        tool_bar::settings(ui, canvas, session);
        note(ui, canvas);
        // No higher than the picture wants to be, and some of what is below it in sight.
        let width = ui.available_width();
        let wanted = width * session.size.1 as f32 / session.size.0.max(1) as f32;
        let room = vec2(width, wanted.min(height * 0.62).max(160.0));
        stage::stage(ui, canvas, session, cx, take, room);
        if has_strip(cx, take) {
            candidates::strip(ui, canvas, cx, take);
            propagation::propagation(ui, cx, take);
        }
        ui.separator();
        let typing = parts_list::parts_list(ui, canvas, session);
        ui.add_space(theme::STEP);
        typing
    });
    scrolled.inner
}

/// Whether something was drawn from the take, or it from another.
fn has_strip(cx: &PanelContext<'_>, take: &Take) -> bool {
    let takes = cx.project.art().takes(&take.shot);
    let is_parent = tree::children(takes, take).next().is_some();
    is_parent || cx.steps_of(&take.shot).is_some() || take.recipe().edit.is_some()
}

/// Why a tool did nothing.
fn note(ui: &mut Ui, canvas: &Canvas) {
    if let Some(note) = &canvas.note {
        ui.add(egui::Label::new(egui::RichText::new(note).color(theme::WARNING)).wrap());
    }
}

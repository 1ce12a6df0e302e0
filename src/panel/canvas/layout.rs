//! The layout of the canvas. In a wide panel, the parts are next to the picture. In a narrow one, they are below it.

use egui::{Frame, Label, Margin, Panel, Ui, UiBuilder, vec2};

use super::{
    Canvas, candidates, commands::cancel_jobs, draw_bar, enlarge_menu, keymap::Command, keys_menu,
    parts_list, propagation, session::Session, stage, tool_bar, tree,
};
use crate::{
    art::Take,
    panel::{
        context::PanelContext, discarded::discarded_menu, theme, tile::take_number,
        widgets::icon_button,
    },
    storyboard::Shot,
};

/// The minimum width of the wide layout, in points.
const WIDE: f32 = 720.0;

/// Navigation between takes, view controls, and the queue position of the shot.
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
        let tooltip = format!("Opens the take that this one was made from{hint}");
        navigation_button(
            ui,
            canvas,
            "⬅",
            parent,
            &tooltip,
            "This take was not made from another one",
        );
        let newest = tree::children(takes, take).last();
        let hint = canvas.keymap.hint(Command::GoToChild);
        let tooltip = format!("Opens the newest take that was made from this one{hint}");
        navigation_button(ui, canvas, "➡", newest, &tooltip, "No take was made from this one yet");
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
                .on_hover_text("Makes this take the one that the game shows")
                .clicked()
        {
            candidates::accept(canvas, cx, take);
        }
        if let Some(back) = discarded_menu(ui, cx, &take.shot) {
            canvas.next_take = Some(back);
        }
        tool_bar::view_buttons(ui, canvas, session);
        enlarge_menu::enlarge_menu(ui, canvas, session, cx);
        keys_menu::keys_menu(ui, canvas, cx);
        let hint = canvas.keymap.hint(Command::CancelJobs);
        if cx.job_of(&take.shot).is_some()
            && icon_button(ui, "⏹", &format!("Stop drawing{hint}")).clicked()
        {
            cancel_jobs(cx, take);
        }
        // Short enough for one line, so that the layout below does not jump while the author draws there.
        if let Some((done, of)) = cx.steps_of(&take.shot) {
            ui.add(Label::new(theme::small(format!("step {done} of {of}"))).extend());
        } else if let Some(place) = cx.queue_place(&take.shot) {
            ui.add(Label::new(theme::small(format!("{place} ahead of it"))).extend());
        }
    });
}

/// A button that opens another take.
fn navigation_button(
    ui: &mut Ui,
    canvas: &mut Canvas,
    icon: &str,
    to: Option<&Take>,
    tooltip: &str,
    disabled_tooltip: &str,
) {
    let button = ui.add_enabled(to.is_some(), egui::Button::new(icon));
    button
        .widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Button, to.is_some(), tooltip));
    if button.on_hover_text(tooltip).on_disabled_hover_text(disabled_tooltip).clicked() {
        canvas.next_take = to.map(|take| take.id.clone());
    }
}

/// Tools, picture, parts and candidates. Returns whether a text field has the focus.
pub(super) fn body(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    canvas.part_form.steering.curves.update_of_edit(&session.shot, &session.take, cx);
    if ui.available_width() >= WIDE {
        wide_layout(ui, canvas, session, cx, take)
    } else {
        narrow_layout(ui, canvas, session, cx, take)
    }
}

/// The layout with the parts next to the picture.
fn wide_layout(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    let frame = Frame::new();
    let mut typing = false;
    Panel::right(ui.id().with("parts beside"))
        .default_size(290.0)
        .size_range(240.0..=ui.available_width() * 0.5)
        .frame(frame.inner_margin(Margin { left: 12, ..Margin::ZERO }))
        .show(ui, |ui| {
            draw_bar_below(ui, canvas, session, cx);
            theme::scroll("canvas parts").show(ui, |ui| {
                typing = parts_list::parts_list(ui, canvas, session, cx);
                ui.add_space(theme::STEP);
            });
        });
    let tools = Panel::left(ui.id().with("tools")).resizable(false).exact_size(84.0);
    tools.frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        tool_bar::tool_buttons(ui, canvas, 76.0);
    });
    if has_strip(cx, take) {
        Panel::bottom(ui.id().with("candidates"))
            .resizable(false)
            .frame(frame.inner_margin(Margin { left: 6, top: 8, ..Margin::ZERO }))
            .show(ui, |ui| {
                candidates::strip(ui, canvas, cx, take);
                propagation::propagation(ui, cx, take);
            });
    }
    // Clip wide content, which would otherwise push the picture below the parts.
    let mut free = ui.available_rect_before_wrap();
    free.min.x += 6.0;
    let mut middle = ui.new_child(UiBuilder::new().max_rect(free));
    let ui = &mut middle;
    ui.shrink_clip_rect(free);
    tool_bar::tool_settings(ui, canvas, session);
    note(ui, canvas);
    let available = ui.available_size().min(ui.clip_rect().max - ui.next_widget_position());
    stage::stage(ui, canvas, session, cx, take, available);
    typing
}

/// The layout with the parts below the picture. Everything but the draw buttons scrolls.
fn narrow_layout(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
) -> bool {
    draw_bar_below(ui, canvas, session, cx);
    let height = ui.available_height();
    let scrolled = theme::scroll("canvas").show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0, 2.0);
            tool_bar::tool_buttons(ui, canvas, 0.0);
        });
        tool_bar::tool_settings(ui, canvas, session);
        note(ui, canvas);
        // No higher than the picture needs, and low enough to show some of the parts.
        let width = ui.available_width();
        let wanted = width * session.size.1 as f32 / session.size.0.max(1) as f32;
        let available = vec2(width, wanted.min(height * 0.64).max(160.0));
        stage::stage(ui, canvas, session, cx, take, available);
        if has_strip(cx, take) {
            candidates::strip(ui, canvas, cx, take);
            propagation::propagation(ui, cx, take);
        }
        ui.separator();
        let typing = parts_list::parts_list(ui, canvas, session, cx);
        ui.add_space(theme::STEP);
        typing
    });
    scrolled.inner
}

/// The draw buttons, below the parts: their height changes with the parts, and the list of parts must not move while the
/// author clicks there.
fn draw_bar_below(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
) {
    let bar = Panel::bottom(ui.id().with("draw")).resizable(false);
    bar.frame(Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO })).show(ui, |ui| {
        draw_bar::draw_bar(ui, canvas, session, cx);
    });
}

/// Whether the take has candidates, or related shots on which its edit can be repeated.
fn has_strip(cx: &PanelContext<'_>, take: &Take) -> bool {
    let takes = cx.project.art().takes(&take.shot);
    let is_parent = tree::children(takes, take).next().is_some();
    is_parent || cx.steps_of(&take.shot).is_some() || take.recipe().edit.is_some()
}

/// Shows the reason why a tool did nothing.
fn note(ui: &mut Ui, canvas: &Canvas) {
    if let Some(note) = &canvas.note {
        ui.add(Label::new(egui::RichText::new(note).color(theme::WARNING)).wrap());
    }
}

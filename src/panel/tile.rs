//! Tiles: small pictures in a strip of takes.

use egui::{Color32, Response, Sense, Ui, Vec2, WidgetInfo, WidgetType, vec2};

use super::{
    badge,
    context::PanelContext,
    losses,
    picture::{self, Content},
    theme,
};
use crate::{
    art::{Take, TakeScore},
    recipe::Size,
    storyboard::ShotId,
};

/// The height of a tile, in points.
pub(super) const HEIGHT: f32 = 64.0;

/// The label of a tile.
pub(super) struct TileLabel {
    /// The take's number, from 1.
    pub number: usize,
    pub is_accepted: bool,
    pub is_outdated: bool,
    /// Its score, if it has one.
    pub score: Option<TakeScore>,
}

/// The number of a take among those of its shot, from 1.
pub(super) fn take_number(takes: &[Take], take: &Take) -> usize {
    takes.iter().position(|other| other.id == take.id).map_or(0, |at| at + 1)
}

/// The size of a tile for a picture of this size, in points.
pub(super) fn tile_size(size: Size) -> Vec2 {
    vec2(HEIGHT * picture::aspect(size), HEIGHT)
}

/// The picture of a tile.
pub(super) fn content(cx: &mut PanelContext<'_>, take: &Take) -> Content {
    Content::take(cx, take, tile_size(take.recipe().size).x)
}

/// The tile of a waiting or running job.
pub(super) fn job_tile(ui: &mut Ui, cx: &mut PanelContext<'_>, shot: &ShotId, size: Size) {
    let (rect, response) = ui.allocate_exact_size(tile_size(size), Sense::hover());
    let preview = Content::preview(cx, shot);
    picture::paint(ui, rect, preview.as_ref(), "", Color32::WHITE);
    let (note, description) = match cx.steps_of(shot) {
        Some((done, of)) => (format!("{done} of {of}"), format!("Drawing, step {done} of {of}")),
        None => ("queued".to_owned(), "In the queue".to_owned()),
    };
    badge::paint_note(ui.painter(), rect, &note);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &description));
}

/// The tile of a take.
pub(super) fn tile(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    take: &Take,
    label: &TileLabel,
    chosen: bool,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(tile_size(take.recipe().size), Sense::click());
    let mut description = format!("Take {}", label.number);
    if label.is_accepted {
        description += ", accepted";
    }
    if label.is_outdated {
        description += ", from an earlier prompt";
    }
    let place = label.score.map(losses::place);
    if let Some(place) = &place {
        description += &format!(", {place}");
    }
    response.widget_info(|| {
        WidgetInfo::selected(WidgetType::SelectableLabel, ui.is_enabled(), chosen, &description)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let tint = if label.is_outdated { Color32::from_gray(130) } else { Color32::WHITE };
    picture::paint(ui, rect, Some(&content(cx, take)), "", tint);
    if label.is_accepted {
        badge::paint_tick(ui.painter(), rect);
    }
    if label.is_outdated {
        badge::paint_note(ui.painter(), rect, "earlier");
    }
    if let Some(place) = &place {
        badge::paint_place(ui.painter(), rect, place);
    }
    picture::outline(ui, rect, chosen, response.hovered());
    let values = losses::values(take, label.score);
    response.on_hover_ui(|ui| {
        ui.label(description);
        if !values.is_empty() {
            ui.label(theme::small(values));
        }
    })
}

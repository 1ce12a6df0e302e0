//! The storyboard as a grid of pictures, grouped by scene.
//!
//! Only visible rows are laid out. The rows are cached until the project, the filter or the width changes, so the time
//! per frame does not depend on the number of shots.

use std::collections::HashMap;

use egui::{
    Color32, FontId, Key, Modifiers, PointerButton, Rect, Response, RichText, Sense, TextWrapMode,
    Ui, WidgetInfo, WidgetType, pos2, vec2,
};

use super::{
    badge,
    context::PanelContext,
    filter::Filter,
    overview::{Overview, ShotEntry},
    picture::{self, Content},
    selection::Selection,
    shot_actions,
    theme::{self, STEP},
};
use crate::storyboard::{ShotId, ShotKind, ShotState};

/// The height of a heading, in points.
const HEADING: f32 = 32.0;
/// The height of title and kind below a picture, in points.
const CAPTION: f32 = 36.0;
/// The minimum width of a column, in points.
const NARROWEST: f32 = 100.0;

/// The rows of the storyboard.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// The inputs of the rows: version of the overview, filter, number of columns.
    of: Option<(u64, Filter, usize)>,
    rows: Vec<Row>,
    /// Indices of entries in the order in which they are shown.
    shown: Vec<usize>,
    /// Whether to scroll to the shot in front.
    reveal: bool,
}

#[derive(Debug)]
struct Row {
    /// The numbers of headings and of picture rows above it.
    above: (usize, usize),
    content: RowContent,
}

#[derive(Debug)]
enum RowContent {
    Heading {
        words: String,
        scene: String,
    },
    /// A range of [`Grid::shown`].
    Shots(usize, usize),
}

impl Grid {
    /// The shots that pass the filter, in the order in which they are shown.
    pub fn shown<'a>(
        &'a self,
        overview: &'a Overview,
    ) -> impl DoubleEndedIterator<Item = &'a ShotId> {
        self.shown.iter().map(|&at| &overview.entries[at].id)
    }

    /// The row that contains a shot.
    fn row_of(&self, overview: &Overview, shot: &ShotId) -> Option<&Row> {
        let place = self.shown(overview).position(|id| id == shot)?;
        self.rows.iter().find(
            |row| matches!(row.content, RowContent::Shots(from, to) if (from..to).contains(&place)),
        )
    }

    /// Rebuilds the rows if anything changed.
    pub fn refresh(&mut self, overview: &Overview, filter: &Filter, columns: usize) {
        let now = (overview.version, filter.clone(), columns);
        if self.of.as_ref() == Some(&now) {
            return;
        }
        self.of = Some(now);
        self.shown.clear();
        self.rows.clear();

        let mut groups: Vec<(Group<'_>, Vec<usize>)> = Vec::new();
        let mut places: HashMap<Group<'_>, usize> = HashMap::new();
        for at in filter.apply(&overview.entries) {
            let group = Group::of(&overview.entries[at]);
            let place = *places.entry(group).or_insert_with(|| {
                groups.push((group, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(at);
        }
        // Scenes keep their order. Shots without a scene come last.
        groups.sort_by_key(|(group, _)| group.rank());

        let mut picture_rows = 0;
        for (headings, (group, members)) in groups.iter().enumerate() {
            let (words, scene) = group.heading(overview);
            let above = (headings, picture_rows);
            self.rows.push(Row { above, content: RowContent::Heading { words, scene } });
            for row in members.chunks(columns) {
                let from = self.shown.len();
                self.shown.extend(row);
                let content = RowContent::Shots(from, self.shown.len());
                self.rows.push(Row { above: (headings + 1, picture_rows), content });
                picture_rows += 1;
            }
        }
    }
}

/// The heading that a shot is listed under.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Group<'a> {
    Scene(&'a str),
    NoScene,
    Orphaned,
}

impl<'a> Group<'a> {
    fn of(entry: &'a ShotEntry) -> Self {
        match &entry.scene {
            _ if entry.state == ShotState::Orphaned => Self::Orphaned,
            Some(scene) => Self::Scene(scene),
            None => Self::NoScene,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Scene(_) => 0,
            Self::NoScene => 1,
            Self::Orphaned => 2,
        }
    }

    /// The heading's text, and the scene's id.
    fn heading(self, overview: &Overview) -> (String, String) {
        match self {
            Self::Scene(id) => {
                let words = overview.scenes.get(id).cloned().unwrap_or_default();
                (words, id.to_owned())
            }
            Self::NoScene => ("Not shown in any scene".to_owned(), String::new()),
            Self::Orphaned => ("No longer in the story".to_owned(), String::new()),
        }
    }
}

/// The number of columns for a width, and the side of a picture in points.
fn columns(width: f32) -> (usize, f32) {
    let columns = ((width + STEP) / (NARROWEST + STEP)).floor().max(1.0);
    (columns as usize, ((width + STEP) / columns - STEP).floor())
}

/// Shows the grid and handles clicks on it.
pub(super) fn grid(
    ui: &mut Ui,
    grid: &mut Grid,
    filter: &Filter,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
) {
    let bar = ui.spacing().scroll.bar_width;
    let (columns, side) = columns(ui.available_width() - bar);
    let overview = cx.overview;
    grid.refresh(overview, filter, columns);
    if grid.shown.is_empty() {
        return theme::empty_state(
            ui,
            "No shot matches",
            "Change the search or the filters to see other shots.",
        );
    }
    let top_of =
        |row: &Row| row.above.0 as f32 * HEADING + row.above.1 as f32 * (side + CAPTION + STEP);
    let height_of = |row: &Row| match row.content {
        RowContent::Heading { .. } => HEADING,
        RowContent::Shots(..) => side + CAPTION,
    };

    let mut clicked = None;
    let area = egui::ScrollArea::vertical().id_salt("storyboard grid").auto_shrink(false);
    area.show_viewport(ui, |ui, viewport| {
        let last = grid.rows.last();
        ui.set_height(last.map_or(0.0, |row| top_of(row) + height_of(row)));
        ui.set_width(ui.available_width());
        let origin = ui.min_rect().min;
        if let Some(front) = selection.front.as_ref().filter(|_| grid.reveal)
            && let Some(row) = grid.row_of(overview, front)
        {
            let left_top = origin + vec2(0.0, top_of(row));
            let rect = Rect::from_min_size(left_top, vec2(side, height_of(row)));
            ui.scroll_to_rect(rect, None);
        }
        let first = grid.rows.partition_point(|row| top_of(row) + height_of(row) < viewport.min.y);
        for row in grid.rows[first..].iter().take_while(|row| top_of(row) <= viewport.max.y) {
            let left_top = origin + vec2(0.0, top_of(row));
            match &row.content {
                RowContent::Heading { words, scene } => heading(ui, left_top, words, scene),
                &RowContent::Shots(from, to) => {
                    for (column, &at) in grid.shown[from..to].iter().enumerate() {
                        let corner = left_top + vec2(column as f32 * (side + STEP), 0.0);
                        let rect = Rect::from_min_size(corner, vec2(side, side + CAPTION));
                        let entry = &overview.entries[at];
                        let is_selected = selection.shots.contains(&entry.id);
                        let response = cell(ui, rect, entry, is_selected, cx);
                        if response.clicked_by(PointerButton::Primary) {
                            clicked = Some(entry.id.clone());
                        }
                    }
                }
            }
        }
    });

    grid.reveal = false;
    if let Some(shot) = clicked {
        let modifiers = ui.input(|input| input.modifiers);
        if modifiers.command {
            selection.toggle(shot);
        } else if modifiers.shift {
            selection.extend_to(shot, &grid.shown(overview).collect::<Vec<_>>());
        } else {
            selection.only(shot);
        }
    }
    if cx.has_keys {
        walk(ui, grid, selection, overview);
    }
}

/// Up and Down select the previous and the next shot.
fn walk(ui: &Ui, grid: &mut Grid, selection: &mut Selection, overview: &Overview) {
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let (up, down) = (pressed(Key::ArrowUp), pressed(Key::ArrowDown));
    let Some(front) = selection.front.clone() else { return };
    let next = if down {
        grid.shown(overview).skip_while(|id| **id != front).nth(1)
    } else if up {
        grid.shown(overview).rev().skip_while(|id| **id != front).nth(1)
    } else {
        None
    };
    if let Some(next) = next.cloned() {
        selection.only(next);
        grid.reveal = true;
    }
}

fn heading(ui: &mut Ui, left_top: egui::Pos2, words: &str, scene: &str) {
    let line = Rect::from_min_size(left_top, vec2(ui.available_width(), HEADING - STEP / 2.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(line), |ui| {
        ui.with_layout(egui::Layout::left_to_right(egui::Align::Max), |ui| {
            ui.label(RichText::new(words).strong());
            if !scene.is_empty() && scene != words {
                ui.add(egui::Label::new(theme::small(scene)).truncate());
            }
        });
    });
}

fn cell(
    ui: &Ui,
    rect: Rect,
    entry: &ShotEntry,
    selected: bool,
    cx: &mut PanelContext<'_>,
) -> Response {
    let response = ui.interact(rect, ui.id().with(&entry.id), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(
            WidgetType::SelectableLabel,
            ui.is_enabled(),
            selected,
            entry.accessible_name(),
        )
    });

    let frame = Rect::from_min_size(rect.min, vec2(rect.width(), rect.width()));
    let content = Content::of(cx, &entry.id, rect.width());
    picture::paint(ui, frame, content.as_ref(), "", Color32::WHITE);
    badge::paint_on_picture(ui.painter(), frame, entry.state, shot_actions::state_label(entry, cx));
    progress(ui, frame, entry, cx);
    picture::outline(ui, frame, selected, response.hovered());

    let kind = entry.kind.map_or("no longer in the story", ShotKind::name);
    let lines = [(entry.title.as_str(), 13.0, theme::TEXT), (kind, 11.0, theme::WEAK)];
    let mut top = frame.bottom() + 3.0;
    for (text, size, colour) in lines {
        let text = RichText::new(text).font(FontId::proportional(size)).color(colour);
        let text = egui::WidgetText::from(text).into_galley(
            ui,
            Some(TextWrapMode::Truncate),
            rect.width(),
            egui::TextStyle::Body,
        );
        ui.painter().galley(pos2(rect.left(), top), text.clone(), colour);
        top += text.size().y;
    }

    shot_actions::menu(&response, entry, cx);
    let shot = cx.project.board().shot(&entry.id);
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(&entry.title).strong());
        ui.label(theme::small(entry.id.as_str()));
        if let Some([_, others @ ..]) = shot.map(|shot| shot.scenes.as_slice())
            && !others.is_empty()
        {
            ui.label(format!("Also in: {}", others.join(", ")));
        }
    })
}

/// A thin progress bar along the lower edge of a picture that is being drawn.
fn progress(ui: &Ui, frame: Rect, entry: &ShotEntry, cx: &PanelContext<'_>) {
    let Some((done, of)) = cx.steps_of(&entry.id) else { return };
    let whole = Rect::from_min_max(pos2(frame.left(), frame.bottom() - 3.0), frame.max);
    let part = done as f32 / of.max(1) as f32;
    let done = whole.with_max_x(whole.left() + whole.width() * part);
    ui.painter().rect_filled(whole, 0.0, theme::WELL);
    ui.painter().rect_filled(done, 0.0, theme::ACCENT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width() {
        for width in [100.0, 300.0, 432.0, 700.0] {
            let (columns, side) = columns(width);
            let used = columns as f32 * (side + STEP) - STEP;
            assert!(side >= NARROWEST && used <= width && used > width - columns as f32 - 1.0);
        }
    }
}

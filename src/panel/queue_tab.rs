//! The queue: the current job, waiting jobs, and failures.

use egui::{
    Align, Color32, Label, Layout, RichText, ScrollArea, Sense, TextStyle, Ui, text::LayoutJob,
    vec2,
};

use super::{
    context::PanelContext,
    overview::{Approximately, QueuedJob, ShotEntry},
    picture::{self, Content},
    selection::{Selection, Tab},
    theme::{self, STEP},
    widgets::{byte_size, icon_button},
};
use crate::{project::Action, studio::JobView};

const ROW: f32 = 40.0;
const FAILED_ROW: f32 = 80.0;
/// The lines of a reason. The pointer shows a longer one.
const REASON_LINES: usize = 3;

/// Shows the queue and its buttons.
pub(super) fn queue_tab(ui: &mut Ui, selection: &mut Selection, cx: &mut PanelContext<'_>) {
    let overview = cx.overview;
    let current = cx.current.clone();
    let current_job = current.as_ref().map(|view| view.job.id);
    let waiting: Vec<&QueuedJob> =
        overview.jobs.iter().filter(|job| Some(job.id) != current_job).collect();
    let failed: Vec<&ShotEntry> = overview.failed().collect();

    if waiting.is_empty() && current.is_none() && failed.is_empty() {
        let advice = "`Draw all needed` on the storyboard fills the queue. The queue is saved when \
                      the game closes.";
        return theme::empty_state(ui, "The queue is empty", advice);
    }
    if waiting.len() + usize::from(current.is_some()) > 0 {
        controls(ui, cx);
    }
    if let Some(view) = &current {
        current_job_card(ui, selection, cx, view);
    }
    if !failed.is_empty() {
        // The waiting pictures need the other half.
        let share = if waiting.is_empty() { 1.0 } else { 0.5 };
        failures(ui, selection, cx, &failed, share);
    }
    if waiting.is_empty() {
        return;
    }
    theme::section(ui, &format!("{} waiting", waiting.len()));
    ScrollArea::vertical().id_salt("queue").auto_shrink(false).show_rows(
        ui,
        ROW,
        waiting.len(),
        |ui, rows| {
            for (place, job) in waiting.iter().enumerate().take(rows.end).skip(rows.start) {
                waiting_row(ui, selection, cx, job, place);
            }
        },
    );
}

fn controls(ui: &mut Ui, cx: &mut PanelContext<'_>) {
    let paused = cx.project.studio().is_paused();
    ui.horizontal(|ui| {
        let (name, explanation) = if paused {
            ("Resume drawing", "Continues with the queue")
        } else {
            ("Pause drawing", "Stops drawing immediately and keeps the queue")
        };
        if ui.button(name).on_hover_text(explanation).clicked() {
            cx.request(Action::Pause(!paused));
        }
        if ui
            .button("Cancel all")
            .on_hover_text("Removes all pictures from the queue; finished pictures stay")
            .clicked()
        {
            cx.request(Action::CancelAll);
        }
    });
}

fn current_job_card(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    view: &JobView,
) {
    let JobView { job, progress } = view;
    let paused = cx.project.studio().is_paused();
    theme::card().show(ui, |ui| {
        ui.horizontal_top(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(112.0, 112.0), Sense::hover());
            let content = Content::of(cx, &job.shot, rect.width());
            picture::paint(ui, rect, content.as_ref(), "", Color32::WHITE);
            ui.vertical(|ui| {
                ui.label(theme::small(if paused { "Paused" } else { "Drawing" }));
                title(ui, selection, cx, &job.shot);
                let progress = progress.clone().unwrap_or_default();
                let part = progress.done as f32 / progress.of.max(1) as f32;
                ui.add(theme::progress_bar(part, STEP));
                let mut words = match progress.loading {
                    Some(needs) => {
                        let memory = byte_size(needs.peak());
                        format!("loading the model: drawing needs about {memory} of memory")
                    }
                    None => format!("step {} of {}", progress.done, progress.of),
                };
                if let Some(left) = progress.left.filter(|_| !paused) {
                    words += &format!(", {} left", Approximately(left));
                }
                ui.label(theme::small(words));
                if ui.button("Cancel").on_hover_text("Stops drawing this picture").clicked() {
                    cx.request(Action::Cancel(job.id));
                }
            });
        });
    });
}

/// The title of a shot. A click opens it on the storyboard.
fn title(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    shot: &crate::storyboard::ShotId,
) {
    let title = cx.overview.entry(shot).map_or(shot.as_str(), |entry| &entry.title);
    let label = Label::new(RichText::new(title).strong()).truncate().sense(Sense::click());
    if ui.add(label).on_hover_text("Shows this shot on the storyboard").clicked() {
        selection.only(shot.clone());
        cx.next_tab = Some(Tab::Storyboard);
    }
}

/// Lists the failed pictures in this share of the free height.
fn failures(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    failed: &[&ShotEntry],
    share: f32,
) {
    ui.horizontal(|ui| {
        theme::section(ui, &format!("{} failed", failed.len()));
        if failed.len() > 1 && ui.small_button("Try all again").clicked() {
            let shots = failed.iter().map(|entry| entry.id.clone()).collect();
            cx.request(Action::Draw(shots));
        }
    });
    let height = (ui.available_height() * share).max(120.0);
    ScrollArea::vertical()
        .id_salt("failed")
        .auto_shrink([false, true])
        .max_height(height)
        .show_rows(ui, FAILED_ROW, failed.len(), |ui, rows| {
            for entry in &failed[rows] {
                failed_row(ui, selection, cx, entry);
            }
        });
}

fn failed_row(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    entry: &ShotEntry,
) {
    let error = cx.project.error(&entry.id).map(|error| error.to_string());
    let error = error.as_deref().unwrap_or("no reason was given");
    theme::card().fill(theme::ERROR_FILL).show(ui, |ui| {
        ui.set_height(FAILED_ROW - 2.0 * STEP);
        ui.horizontal_centered(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Try again").clicked() {
                    cx.request(Action::Draw(vec![entry.id.clone()]));
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    title(ui, selection, cx, &entry.id);
                    let font = TextStyle::Small.resolve(ui.style());
                    let mut reason =
                        LayoutJob::simple(error.to_owned(), font, theme::ERROR, f32::INFINITY);
                    reason.wrap.max_rows = REASON_LINES;
                    ui.add(Label::new(reason).wrap()).on_hover_text(error);
                });
            });
        });
    });
}

fn waiting_row(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    job: &QueuedJob,
    place: usize,
) {
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), ROW),
        Layout::right_to_left(Align::Center),
        |ui| {
            ui.push_id(job.id, |ui| {
                let name = cx.overview.entry(&job.shot).map_or("this shot", |entry| &entry.title);
                if icon_button(ui, "✖", &format!("Cancel {name}")).clicked() {
                    cx.request(Action::Cancel(job.id));
                }
                if place > 0
                    && ui
                        .button("Draw next")
                        .on_hover_text("Moves this picture to the front of the queue")
                        .clicked()
                {
                    cx.request(Action::MoveToFront(job.id));
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(ROW, ROW), Sense::hover());
                    let content = Content::of(cx, &job.shot, ROW);
                    picture::paint(ui, rect, content.as_ref(), "", Color32::WHITE);
                    ui.label(theme::small(format!("{}", place + 1)));
                    title(ui, selection, cx, &job.shot);
                });
            });
        },
    );
}

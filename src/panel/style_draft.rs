//! The author's unapplied changes to the style, which the tabs for the style and for models share.

use egui::{Label, RichText, Ui};

use super::{
    context::PanelContext,
    steering::PictureSteering,
    theme::{self, STEP},
    widgets::parse_seed,
};
use crate::{
    diffusion::optimizer,
    model::ModelDefaults,
    project::{Action, ActionId, Project},
    recipe::{Inspiration, Loss, Style, style::LATENTS_MODEL},
    storyboard::{ShotState, Storyboard},
};

/// The author's unapplied changes to the style.
#[derive(Debug, Default)]
pub(super) struct StyleDraft {
    /// `None` if nothing was changed.
    typed: Option<Typed>,
    /// The request that applies it.
    pending: Option<ActionId>,
    /// A version of the overview, a style, and the number of pictures that this style would make stale.
    stale: Option<(u64, Style, usize)>,
    /// The defaults of the model with this name.
    defaults: Option<(String, ModelDefaults)>,
    pub steering: PictureSteering,
}

/// A style while it is typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Typed {
    pub style: Style,
    pub seed: String,
}

impl Typed {
    fn new(style: &Style) -> Self {
        Self { style: style.clone(), seed: style.seed.to_string() }
    }

    /// The style that `Apply` would set.
    ///
    /// # Errors
    /// If the seed, an inspiration or a loss is not valid.
    fn style(&self) -> Result<Style, String> {
        let seed = parse_seed(&self.seed)?.unwrap_or(0);
        Inspiration::check_all(&self.style.inspirations).map_err(|error| error.to_string())?;
        Loss::check_all(&self.style.losses).map_err(|error| error.to_string())?;
        Ok(Style { seed, ..self.style.clone() })
    }
}

impl StyleDraft {
    /// The defaults of a model. Reads its files only when the name changes.
    pub fn defaults(&mut self, model: &str, project: &Project) -> &ModelDefaults {
        let known = self.defaults.take().filter(|(name, _)| name == model);
        let known = known.unwrap_or_else(|| (model.to_owned(), project.defaults(model)));
        &self.defaults.insert(known).1
    }

    /// Processes the answer to a request. Drops an applied draft, so that the current style is shown, and keeps a
    /// refused one.
    pub fn receive(&mut self, id: ActionId, accepted: bool) {
        if self.pending == Some(id) {
            self.pending = None;
            self.typed = self.typed.take().filter(|_| !accepted);
        }
    }

    /// The number of pictures that would become stale. Cached until the project or the draft changes.
    fn stale(&mut self, style: &Style, cx: &PanelContext<'_>) -> usize {
        let version = cx.overview.version;
        match &self.stale {
            Some((of, for_style, stale)) if *of == version && for_style == style => *stale,
            _ => {
                let stale = count_stale(cx.project, style);
                self.stale = Some((version, style.clone(), stale));
                stale
            }
        }
    }
}

/// The number of current pictures that another style would make stale.
fn count_stale(project: &Project, style: &Style) -> usize {
    let style = style.with_sizes_of(&project.defaults(&style.model));
    let board = Storyboard::plan(project.story(), &style, project.art().words());
    let changes = board.shots().iter().filter(|shot| {
        matches!(project.state(&shot.id), ShotState::Drafted | ShotState::Accepted)
            && project.board().shot(&shot.id).is_none_or(|now| now.recipe != shot.recipe)
    });
    changes.count()
}

/// Shows `content`, which changes the draft of the style, and the buttons that apply or drop the draft.
pub(super) fn edit_style(
    ui: &mut Ui,
    draft: &mut StyleDraft,
    cx: &mut PanelContext<'_>,
    content: impl FnOnce(&mut Ui, &mut StyleDraft, &mut PanelContext<'_>, &mut Typed),
) {
    let current = Typed::new(cx.project.style());
    let before = draft.typed.take().unwrap_or_else(|| current.clone());
    let mut typed = before.clone();
    let footer = egui::Panel::bottom(ui.id().with("style buttons"))
        .frame(egui::Frame::new())
        .resizable(false);
    let dropped = footer.show(ui, |ui| buttons(ui, draft, cx, &typed, &current)).inner;
    content(ui, draft, cx, &mut typed);
    if typed != before {
        // Text typed after `Apply` is a new draft.
        draft.pending = None;
    }
    draft.typed = Some(typed).filter(|typed| *typed != current && !dropped);
}

/// Chooses a model. A scheduler that it cannot use is unset, and so are the prediction type and the skipped layers, which
/// belong to a model.
pub(super) fn set_model(style: &mut Style, model: String) {
    if style.model == model {
        return;
    }
    style.model = model;
    style.sampler.prediction_type = None;
    style.sampler.clip_skip = None;
    // Only `latents` uses optimizers, and it uses nothing else.
    let optimizes = style.model == LATENTS_MODEL;
    let is_wrong = |name: &mut String| optimizer::find(name).is_some() != optimizes;
    style.sampler.scheduler.take_if(is_wrong);
}

/// Shows the buttons. Returns whether the author dropped the draft.
fn buttons(
    ui: &mut Ui,
    draft: &mut StyleDraft,
    cx: &mut PanelContext<'_>,
    typed: &Typed,
    current: &Typed,
) -> bool {
    let mut dropped = false;
    let changed = typed != current;
    let wanted = typed.style();
    ui.add_space(STEP);
    match &wanted {
        Err(error) => theme::error_box(ui, error, ""),
        Ok(_) if !changed => {
            ui.add(Label::new(theme::weak("All pictures of the story share this style.")).wrap());
        }
        Ok(style) => {
            let words = match draft.stale(style, cx) {
                0 => "No picture becomes stale.".to_owned(),
                1 => {
                    "1 picture becomes stale. The game shows it until it is drawn again.".to_owned()
                }
                n => format!(
                    "{n} pictures become stale. The game shows them until they are drawn again."
                ),
            };
            ui.add(Label::new(RichText::new(words).color(theme::WARNING)).wrap());
        }
    }
    ui.horizontal_wrapped(|ui| {
        let apply = ui.add_enabled(changed && wanted.is_ok(), theme::primary("Apply"));
        if apply.on_hover_text("Sets the style of all pictures").clicked()
            && let Ok(style) = wanted
        {
            draft.steering.save_images(cx, &style.inspirations, &style.losses);
            draft.pending = Some(cx.request(Action::SetStyle(Some(Box::new(style)))));
        }
        let revert = ui.add_enabled(changed, egui::Button::new("Revert"));
        if revert.on_hover_text("Discards your unapplied changes").clicked() {
            dropped = true;
        }
        if cx.project.art().style().is_some()
            && ui
                .button("Reset to the story's style")
                .on_hover_text("Removes your style, so that the story's applies")
                .clicked()
        {
            cx.request(Action::SetStyle(None));
            dropped = true;
        }
    });
    dropped
}

//! The style tab: the style of the story, and the number of pictures that a change makes stale.

use std::iter;

use egui::{ComboBox, DragValue, Grid, Label, Response, RichText, Ui, vec2};

use super::{
    context::PanelContext,
    loras_form::loras_form,
    prompt_field::prompt_field,
    steering::PictureSteering,
    theme::{self, STEP},
    widgets::{parse_seed, text_field},
};
use crate::{
    diffusion::{optimizer, scheduler},
    model::ModelDefaults,
    project::{Action, ActionId, Project},
    recipe::{
        Inspiration, Loss, MAX_SIDE, MIN_SIDE, Sampler, SigmaSpacing, Size, Sizes, Style,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
    story::check::MAX_STEPS,
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
    steering: PictureSteering,
}

#[derive(Clone, Debug, PartialEq)]
struct Typed {
    style: Style,
    seed: String,
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
    fn defaults(&mut self, model: &str, project: &Project) -> &ModelDefaults {
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

/// Shows the form and its buttons.
pub(super) fn style_tab(ui: &mut Ui, draft: &mut StyleDraft, cx: &mut PanelContext<'_>) {
    let current = Typed::new(cx.project.style());
    let before = draft.typed.take().unwrap_or_else(|| current.clone());
    let mut typed = before.clone();
    let footer = egui::Panel::bottom(ui.id().with("style buttons"))
        .frame(egui::Frame::new())
        .resizable(false);
    let dropped = footer.show(ui, |ui| buttons(ui, draft, cx, &typed, &current)).inner;
    let defaults = draft.defaults(&typed.style.model, cx.project).clone();
    theme::scroll("style").show(ui, |ui| {
        form(ui, &mut typed, &defaults);
        theme::section(ui, "In every picture");
        let Style { inspirations, losses, .. } = &mut typed.style;
        draft.steering.show(ui, cx, None, 0, inspirations, losses);
        ui.add_space(STEP);
    });
    if typed != before {
        // Text typed after `Apply` is a new draft.
        draft.pending = None;
    }
    draft.typed = Some(typed).filter(|typed| *typed != current && !dropped);
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

fn form(ui: &mut Ui, typed: &mut Typed, defaults: &ModelDefaults) {
    let style = &mut typed.style;
    prompt_field(
        ui,
        "prompt",
        "Prompt (of every picture)",
        "gouache, warm light",
        3,
        &mut style.words,
    );
    prompt_field(
        ui,
        "negative prompt",
        "Negative prompt (of every picture)",
        "text, watermark",
        2,
        &mut style.negative_prompt,
    );
    let before = style.model.clone();
    let hint =
        format!("`{BUILT_IN_MODEL}`, `{LATENTS_MODEL}`, a diffusers folder or a .safetensors file");
    text_field(ui, "Model (a built-in one, or a path)", &hint, 1, &mut style.model);
    ui.horizontal(|ui| {
        for (name, what) in [
            (BUILT_IN_MODEL, "The built-in diffusion model"),
            (LATENTS_MODEL, "Losses and an optimizer instead of a diffusion network"),
        ] {
            let name = name.to_owned();
            ui.selectable_value(&mut style.model, name.clone(), name).on_hover_text(what);
        }
    });
    let optimizes = style.model == LATENTS_MODEL;
    if !optimizes || !style.loras.is_empty() {
        loras_form(ui, &mut style.loras);
    }
    if style.model != before {
        // Only `latents` uses optimizers, and it uses nothing else.
        let is_wrong = |name: &mut String| optimizer::find(name).is_some() != optimizes;
        style.sampler.scheduler.take_if(is_wrong);
    }

    theme::section(ui, "Sampling");
    rows(ui, "sampling", |ui| {
        let label = ui.label(if optimizes { "Optimizer" } else { "Scheduler" });
        let before = style.sampler.scheduler.clone();
        let scheduler = &mut style.sampler.scheduler;
        ComboBox::from_id_salt("scheduler")
            .width(188.0)
            .height(480.0)
            .selected_text(title(scheduler.as_deref().unwrap_or(&defaults.scheduler)))
            .show_ui(ui, |ui| {
                ui.selectable_value(scheduler, None, "The model's default");
                for (class_name, title) in schedulers(optimizes) {
                    ui.selectable_value(scheduler, Some(class_name.to_owned()), title);
                }
            })
            .response
            .labelled_by(label.id);
        ui.end_row();
        if *scheduler != before && !has_noise_levels(&style.sampler, defaults) {
            style.sampler.sigmas = None;
        }

        if !optimizes {
            noise_levels(ui, &mut style.sampler, defaults);
        }

        let label = ui.label("Steps");
        optional(ui, &mut style.sampler.steps, defaults.steps, |ui, steps| {
            let steps = DragValue::new(steps).range(1..=MAX_STEPS);
            let usual = match optimizes {
                true => "Iterations of the optimizer; 50 to 200 are usual",
                false => "Denoising steps. More steps are slower and cleaner; 15 to 30 are usual",
            };
            let steps = ui.add(steps.clamp_existing_to_range(false));
            steps.labelled_by(label.id).on_hover_text(usual)
        });
        ui.end_row();

        if !optimizes {
            guidance(ui, &mut style.sampler, defaults);
        }

        let label = ui.label("Seed");
        let seed = theme::field(&mut typed.seed, 1, "").desired_width(172.0);
        ui.add(seed.id_salt("style seed"))
            .labelled_by(label.id)
            .on_hover_text("The seed that the seeds of all shots are derived from");
        ui.end_row();
    });

    theme::section(ui, "Sizes, in pixels");
    rows(ui, "sizes", |ui| {
        let (sizes, default) = (&mut style.sizes, Sizes::default().resolve(defaults));
        size(ui, "Backgrounds", &mut sizes.background, default.background);
        size(ui, "Portraits", &mut sizes.portrait, default.portrait);
        size(ui, "Moments", &mut sizes.moment, default.moment);
        size(ui, "Items", &mut sizes.item, default.item);
    });
    ui.add_space(STEP);
}

/// Whether the scheduler has a choice of noise levels.
fn has_noise_levels(sampler: &Sampler, defaults: &ModelDefaults) -> bool {
    let class = scheduler::find(sampler.scheduler.as_ref().unwrap_or(&defaults.scheduler));
    class.is_some_and(|class| class.has_sigmas)
}

/// The row of the noise levels, if the scheduler has a choice.
fn noise_levels(ui: &mut Ui, sampler: &mut Sampler, defaults: &ModelDefaults) {
    // A story file can have levels without a choice, which the author can unset here.
    if sampler.sigmas.is_none() && !has_noise_levels(sampler, defaults) {
        return;
    }
    let name = |sigmas: Option<SigmaSpacing>| match sigmas {
        None => "The model's default",
        Some(SigmaSpacing::Timesteps) => "By timesteps",
        Some(SigmaSpacing::Karras) => "Karras",
        Some(SigmaSpacing::Exponential) => "Exponential",
        Some(SigmaSpacing::Beta) => "Beta",
    };
    let label = ui.label("Noise levels");
    let combo = ComboBox::from_id_salt("noise levels").width(188.0);
    let response = combo.selected_text(name(sampler.sigmas)).show_ui(ui, |ui| {
        for sigmas in iter::once(None).chain(SigmaSpacing::ALL.map(Some)) {
            ui.selectable_value(&mut sampler.sigmas, sigmas, name(sigmas));
        }
    });
    response.response.labelled_by(label.id).on_hover_text("How noise decreases over the steps");
    ui.end_row();
}

/// The rows of guidance.
fn guidance(ui: &mut Ui, sampler: &mut Sampler, defaults: &ModelDefaults) {
    let label = ui.label("Guidance scale");
    let guidance = &mut sampler.guidance_scale;
    optional(ui, guidance, defaults.guidance_scale, |ui, guidance| {
        let guidance = DragValue::new(guidance).range(1.0..=30.0);
        ui.add(guidance.speed(0.05).clamp_existing_to_range(false))
            .labelled_by(label.id)
            .on_hover_text("How closely pictures follow the prompt. 1 turns guidance off")
    });
    ui.end_row();

    let label = ui.label("Guidance rescale");
    let rescale = &mut sampler.guidance_rescale;
    optional(ui, rescale, defaults.guidance_rescale, |ui, rescale| {
        let rescale = DragValue::new(rescale).range(0.0..=1.0);
        ui.add(rescale.speed(0.01)).labelled_by(label.id).on_hover_text(
            "Avoids overexposed colours at high guidance; 0 is none, 0.5 suits the built-in model",
        )
    });
    ui.end_row();
}

/// The class names and the display names of schedulers, or of optimizers.
fn schedulers(optimizes: bool) -> Vec<(&'static str, &'static str)> {
    match optimizes {
        true => optimizer::CLASSES.map(|class| (class.class_name, class.title)).to_vec(),
        false => {
            let classes = scheduler::classes().into_iter();
            classes.map(|class| (class.class_name, class.title)).collect()
        }
    }
}

/// The display name of a scheduler or an optimizer.
fn title(class_name: &str) -> &str {
    let all = [schedulers(false), schedulers(true)].concat();
    all.into_iter().find(|(name, _)| *name == class_name).map_or(class_name, |(_, title)| title)
}

fn rows(ui: &mut Ui, salt: &str, content: impl FnOnce(&mut Ui)) {
    let grid = Grid::new(salt).num_columns(2).min_col_width(112.0);
    grid.spacing(vec2(2.0 * STEP, STEP)).show(ui, |ui| {
        ui.spacing_mut().interact_size.x = 80.0;
        content(ui);
    });
}

/// Shows a value that follows the model's default until it is changed.
fn optional<T: Copy + PartialEq>(
    ui: &mut Ui,
    value: &mut Option<T>,
    default: T,
    field: impl FnOnce(&mut Ui, &mut T) -> Response,
) {
    ui.horizontal(|ui| {
        let mut shown = value.unwrap_or(default);
        if field(ui, &mut shown).changed() {
            *value = Some(shown);
        }
        unset(ui, value);
    });
}

/// A button that resets a value to the model's default.
fn unset<T>(ui: &mut Ui, value: &mut Option<T>) {
    if value.is_some()
        && ui.small_button("Default").on_hover_text("Follows the model's default again").clicked()
    {
        *value = None;
    }
}

/// Models need multiples of 8 pixels, so typed values are rounded. A value that was set elsewhere is not rounded.
fn size(ui: &mut Ui, name: &str, chosen: &mut Option<Size>, default: Option<Size>) {
    let label = ui.label(name);
    let before = chosen.or(default).unwrap_or(Size::new(256, 256));
    let size = &mut { before };
    ui.horizontal(|ui| {
        for (side, pixels) in [("width", &mut size.width), ("height", &mut size.height)] {
            let mut typed = *pixels;
            let value = DragValue::new(&mut typed)
                .range(MIN_SIDE..=MAX_SIDE)
                .clamp_existing_to_range(false)
                .speed(1.6);
            let response = ui.add(value).labelled_by(label.id).on_hover_text(side);
            if response.changed() {
                *pixels = (typed + 4) / 8 * 8;
            }
            if side == "width" {
                ui.label(theme::weak("×"));
            }
        }
        if *size != before {
            *chosen = Some(*size);
        }
        unset(ui, chosen);
    });
    ui.end_row();
}

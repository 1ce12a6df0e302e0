//! The style tab: the style of the story.

use std::{collections::BTreeMap, iter};

use egui::{ComboBox, DragValue, Grid, Response, Ui, vec2};

use super::{
    context::PanelContext,
    loras_form::loras_form,
    prompt_field::prompt_field,
    style_draft::{StyleDraft, Typed, edit_style, set_model},
    theme::{self, STEP},
    widgets::{capitalized, text_field},
};
use crate::{
    diffusion::{optimizer, scheduler},
    model::{ComponentPlace, ModelDefaults, package::optional_components},
    recipe::{
        GuidanceInterval, MAX_SIDE, MIN_SIDE, PredictionType, Sampler, SigmaSpacing, Size, Sizes,
        Style,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
    story::check::MAX_STEPS,
};

/// The most layers that the form leaves out: all but one of the text encoder of Stable Diffusion 1.
const MAX_SHOWN_CLIP_SKIP: u32 = 11;

/// The smallest share of the steps that the form lets guidance act in.
const MIN_GUIDED: f32 = 0.01;

/// The text encoders of Stable Diffusion XL.
const MAX_SHOWN_TEXT_ENCODERS: usize = 2;

/// Shows the form and its buttons.
pub(super) fn style_tab(ui: &mut Ui, draft: &mut StyleDraft, cx: &mut PanelContext<'_>) {
    edit_style(ui, draft, cx, |ui, draft, cx, typed| {
        let defaults = draft.defaults(&typed.style.model, cx.project).clone();
        theme::scroll("style").show(ui, |ui| {
            form(ui, typed, &defaults);
            theme::section(ui, "In every picture");
            let Style { inspirations, losses, .. } = &mut typed.style;
            draft.steering.show(ui, cx, None, 0, inspirations, losses);
            ui.add_space(STEP);
        });
    });
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
    let mut model = style.model.clone();
    let hint =
        format!("`{BUILT_IN_MODEL}`, `{LATENTS_MODEL}`, a diffusers folder or a .safetensors file");
    text_field(ui, "Model (a built-in one, or a path)", &hint, 1, &mut model);
    ui.horizontal(|ui| {
        for (name, what) in [
            (BUILT_IN_MODEL, "The built-in diffusion model"),
            (LATENTS_MODEL, "Losses and an optimizer instead of a diffusion network"),
        ] {
            let name = name.to_owned();
            ui.selectable_value(&mut model, name.clone(), name).on_hover_text(what);
        }
    });
    set_model(style, model);
    let optimizes = style.model == LATENTS_MODEL;
    if !optimizes || style.vae.is_some() {
        let mut vae = style.vae.clone().unwrap_or_default();
        let hint = "the model's own";
        text_field(ui, "VAE (a file or a folder)", hint, 1, &mut vae);
        style.vae = Some(vae).filter(|vae| !vae.is_empty());
    }
    if !optimizes || !style.text_encoders.is_empty() {
        text_encoders(ui, &mut style.text_encoders);
    }
    if !optimizes || !style.loras.is_empty() {
        loras_form(ui, &mut style.loras);
    }
    components(ui, &mut style.components);

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
                for (class_name, title) in schedulers(optimizes, &defaults.scheduler) {
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
            prediction_type(ui, &mut style.sampler);
            clip_skip(ui, &mut style.sampler);
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

/// A field for each text encoder, and one more.
fn text_encoders(ui: &mut Ui, text_encoders: &mut Vec<String>) {
    let shown = (text_encoders.len() + 1).min(MAX_SHOWN_TEXT_ENCODERS.max(text_encoders.len()));
    text_encoders.resize(shown, String::new());
    for (at, text_encoder) in text_encoders.iter_mut().enumerate() {
        let name = match at {
            0 => "Text encoder (a file or a folder)".to_owned(),
            at => format!("Text encoder {} (of Stable Diffusion XL)", at + 1),
        };
        text_field(ui, &name, "the model's own", 1, text_encoder);
    }
    text_encoders.retain(|text_encoder| !text_encoder.is_empty());
}

/// A field for each optional component that the style names. The tab with models adds others.
fn components(ui: &mut Ui, components: &mut BTreeMap<String, String>) {
    for name in optional_components() {
        if let Some(file) = components.get_mut(name) {
            let label = capitalized(ComponentPlace::Optional(name).name());
            text_field(ui, &format!("{label} (a file or a folder)"), "none", 1, file);
        }
    }
    components.retain(|_, file| !file.is_empty());
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

/// The row of what the denoiser predicts. The built-in model needs no choice.
fn prediction_type(ui: &mut Ui, sampler: &mut Sampler) {
    let name = |prediction_type: Option<PredictionType>| match prediction_type {
        None => "The model's default",
        Some(PredictionType::Epsilon) => "Noise (epsilon)",
        Some(PredictionType::Velocity) => "Velocity (v)",
        Some(PredictionType::Sample) => "Picture (sample)",
    };
    let label = ui.label("Prediction");
    let combo = ComboBox::from_id_salt("prediction type").width(188.0);
    let response = combo.selected_text(name(sampler.prediction_type)).show_ui(ui, |ui| {
        for choice in iter::once(None).chain(PredictionType::ALL.map(Some)) {
            ui.selectable_value(&mut sampler.prediction_type, choice, name(choice));
        }
    });
    response.response.labelled_by(label.id).on_hover_text(
        "What the denoiser predicts. Some single files do not tell it: change it if all pictures of a model are noise",
    );
    ui.end_row();
}

/// The row of the layers that the text encoders leave out.
fn clip_skip(ui: &mut Ui, sampler: &mut Sampler) {
    let label = ui.label("Clip skip");
    optional(ui, &mut sampler.clip_skip, 0, |ui, clip_skip| {
        let clip_skip = DragValue::new(clip_skip).range(0..=MAX_SHOWN_CLIP_SKIP).speed(0.05);
        ui.add(clip_skip.clamp_existing_to_range(false)).labelled_by(label.id).on_hover_text(
            "How many of the last layers of the CLIP text encoder are left out, as in diffusers. \
             1 is \"Clip skip 2\" of A1111, which many anime models need",
        )
    });
    ui.end_row();
}

/// The rows of guidance.
fn guidance(ui: &mut Ui, sampler: &mut Sampler, defaults: &ModelDefaults) {
    let label = ui.label("Guidance scale");
    let guidance = &mut sampler.guidance_scale;
    optional(ui, guidance, defaults.guidance_scale, |ui, guidance| {
        let guidance = DragValue::new(guidance).range(0.0..=30.0);
        ui.add(guidance.speed(0.05).clamp_existing_to_range(false))
            .labelled_by(label.id)
            .on_hover_text(
                "How closely pictures follow the prompt. 1 turns guidance off, and 0 for Z-Image",
            )
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

    let label = ui.label("Guided steps");
    let all = GuidanceInterval::default();
    optional(ui, &mut sampler.guidance_interval, all, |ui, GuidanceInterval { from, to }| {
        let text = "The steps in which guidance acts, as shares of all steps. Without guidance in the first and the last \
                    steps, pictures vary more and are drawn faster; 0.1 to 0.8 suits many models";
        let percent = |value, range| {
            let shown = DragValue::new(value).range(range).speed(0.005).fixed_decimals(2);
            shown.clamp_existing_to_range(false)
        };
        let (end, beginning) = (*to, *from);
        let from = ui.add(percent(from, 0.0..=end - MIN_GUIDED)).labelled_by(label.id);
        ui.label("to");
        let to = ui.add(percent(to, beginning + MIN_GUIDED..=1.0)).labelled_by(label.id);
        from.on_hover_text(text) | to.on_hover_text(text)
    });
    ui.end_row();
}

/// The class names and the display names of the schedulers for models with this default, or of optimizers.
fn schedulers(optimizes: bool, default: &str) -> Vec<(&'static str, &'static str)> {
    match optimizes {
        true => optimizer::CLASSES.map(|class| (class.class_name, class.title)).to_vec(),
        false => {
            let is_flow = scheduler::find(default).is_some_and(|class| class.is_flow);
            let classes = scheduler::classes().into_iter();
            let classes = classes.filter(|class| class.is_flow == is_flow);
            classes.map(|class| (class.class_name, class.title)).collect()
        }
    }
}

/// The display name of a scheduler or an optimizer.
fn title(class_name: &str) -> &str {
    let of_optimizer = optimizer::CLASSES.into_iter().find(|class| class.class_name == class_name);
    let title = scheduler::find(class_name).map(|class| class.title);
    title.or(of_optimizer.map(|class| class.title)).unwrap_or(class_name)
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

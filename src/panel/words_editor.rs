//! The author's changes to the prompt of a shot.

use std::collections::HashMap;

use egui::{Key, Modifiers, Ui};

use super::{
    context::PanelContext,
    prompt_field::prompt_field,
    steering::PictureSteering,
    theme::{self, STEP},
    widgets::parse_seed,
};
use crate::{
    project::{Action, ActionId, Project},
    recipe::{Inspiration, Loss},
    storyboard::{PromptSource, Shot, ShotId, ShotWords},
};

/// The author's unapplied changes.
#[derive(Debug, Default)]
pub(super) struct WordsDrafts {
    drafts: HashMap<ShotId, WordsDraft>,
    /// The forms of the shots with drafts, and of the shot that is shown.
    forms: HashMap<ShotId, PictureSteering>,
}

/// The author's unapplied changes to a shot.
#[derive(Clone, Debug)]
struct WordsDraft {
    typed: Typed,
    /// The request that applies it.
    pending: Option<ActionId>,
}

#[derive(Clone, Debug, PartialEq)]
struct Typed {
    words: String,
    negative_prompt: String,
    seed: String,
    inspirations: Vec<Inspiration>,
    losses: Vec<Loss>,
}

impl WordsDrafts {
    /// Processes the answer to a request. Drops an applied draft, so that the current values are shown, and keeps a
    /// refused one.
    pub fn receive(&mut self, id: ActionId, accepted: bool) {
        self.drafts.retain(|_, draft| {
            let is_answered = draft.pending == Some(id);
            if is_answered {
                draft.pending = None;
            }
            !(is_answered && accepted)
        });
    }
}

impl Typed {
    /// The current values.
    fn current(shot: &Shot, own: &ShotWords) -> Self {
        Self {
            words: own.words.clone().unwrap_or_else(|| words_of(shot)),
            negative_prompt: own.negative_prompt.clone().unwrap_or_default(),
            seed: own.seed.map(|seed| seed.to_string()).unwrap_or_default(),
            inspirations: own.inspirations.clone(),
            losses: own.losses.clone(),
        }
    }

    /// The values that `Apply` would set. An unedited prompt continues to follow the story.
    ///
    /// # Errors
    /// If the seed, an inspiration or a loss is not valid.
    fn to_words(&self, shot: &Shot, own: &ShotWords) -> Result<ShotWords, String> {
        let now = Self::current(shot, own);
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let seed = parse_seed(&self.seed)?;
        let words = if self.words == now.words { own.words.clone() } else { text(&self.words) };
        let (inspirations, losses) = (self.inspirations.clone(), self.losses.clone());
        Inspiration::check_all(&inspirations).map_err(|error| error.to_string())?;
        Loss::check_all(&losses).map_err(|error| error.to_string())?;
        let negative_prompt = text(&self.negative_prompt);
        Ok(ShotWords { words, negative_prompt, seed, inspirations, losses })
    }
}

/// The prompt without the style's words.
fn words_of(shot: &Shot) -> String {
    let own = shot.sources.iter().filter(|piece| piece.from != PromptSource::Style);
    own.map(|piece| piece.words.as_str()).collect::<Vec<_>>().join(", ")
}

fn own_words(project: &Project, shot: &Shot) -> ShotWords {
    project.art().words().get(&shot.id).cloned().unwrap_or_default()
}

/// Shows the fields and buttons.
pub(super) fn words_editor(
    ui: &mut Ui,
    drafts: &mut WordsDrafts,
    cx: &mut PanelContext<'_>,
    shot: &Shot,
) {
    let own = own_words(cx.project, shot);
    let current = Typed::current(shot, &own);
    let new = || WordsDraft { typed: current.clone(), pending: None };
    let before = drafts.drafts.remove(&shot.id).unwrap_or_else(new);
    let mut typed = before.typed.clone();

    theme::section(ui, "Your changes");
    let mut focused = false;
    ui.spacing_mut().item_spacing.y = STEP / 2.0;
    for (name, hint, rows, text) in [
        ("Prompt (the style's prompt is added)", "", 3, &mut typed.words),
        ("Negative prompt (added to the story's)", "people, text", 1, &mut typed.negative_prompt),
    ] {
        focused |= prompt_field(ui, (name, &shot.id), name, hint, rows, text).has_focus();
    }
    let hint = format!("{} (from the story)", shot.recipe.seed);
    let hint = if own.seed.is_none() { &hint } else { "from the story" };
    let label = ui.label(theme::small("Seed"));
    let seed = theme::field(&mut typed.seed, 1, hint).id_salt(("Seed", &shot.id));
    focused |= ui.add(seed).labelled_by(label.id).has_focus();
    ui.spacing_mut().item_spacing.y = STEP;
    drafts.forms.retain(|id, _| *id == shot.id || drafts.drafts.contains_key(id));
    let form = drafts.forms.entry(shot.id.clone()).or_default();
    let of_style = cx.project.style().losses.len();
    let Typed { inspirations, losses, .. } = &mut typed;
    focused |= ui
        .push_id(&shot.id, |ui| form.show(ui, cx, Some(&shot.id), of_style, inspirations, losses))
        .inner;

    let wanted = typed.to_words(shot, &own);
    if let Err(error) = &wanted {
        theme::error_box(ui, error, "");
    }
    let changed = typed != current;
    let shortcut = || ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
    let mut apply = changed && wanted.is_ok() && focused && shortcut();
    let mut revert = false;
    ui.horizontal_wrapped(|ui| {
        let can_apply = changed && wanted.is_ok();
        apply |= ui
            .add_enabled(can_apply, theme::primary("Apply and draw"))
            .on_hover_text("Saves your changes and draws the shot (Ctrl+Enter)")
            .on_disabled_hover_text("There is nothing to apply")
            .clicked();
        revert = ui
            .add_enabled(changed, egui::Button::new("Revert"))
            .on_hover_text("Discards your unapplied changes")
            .clicked();
        if own != ShotWords::default()
            && ui
                .button("Reset to the story")
                .on_hover_text("Removes your changes to this shot")
                .clicked()
        {
            revert = true;
            set(cx, shot, ShotWords::default());
        }
    });

    // Text typed after `Apply` is a new draft.
    let mut pending = before.pending.filter(|_| typed == before.typed);
    if apply && let Ok(words) = wanted {
        form.save_images(cx, &words.inspirations, &words.losses);
        pending = Some(set(cx, shot, words));
    }
    if changed && !revert {
        drafts.drafts.insert(shot.id.clone(), WordsDraft { typed, pending });
    }
}

/// Requests the new values and a drawing with them. Returns the id of the first request.
fn set(cx: &mut PanelContext<'_>, shot: &Shot, words: ShotWords) -> ActionId {
    let id = cx.request(Action::SetWords { shot: shot.id.clone(), words });
    cx.request(Action::Draw(vec![shot.id.clone()]));
    id
}

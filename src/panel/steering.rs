//! The forms for inspirations and losses: of a part, of a shot and of the style of the story.

mod curves;
mod extracted;
mod image_chooser;
mod image_picker;
mod inspirations_form;
mod losses_form;
mod rows;

use egui::{CollapsingHeader, Ui};

use super::context::PanelContext;
use crate::{
    project::Action,
    recipe::{Images, Inspiration, Loss, Size},
    storyboard::ShotId,
};

pub(super) use curves::{CurveKey, Curves};
use image_chooser::ImageChooser;
use inspirations_form::inspirations_form;
pub(super) use inspirations_form::name_of_use;
use losses_form::losses_form;

/// The forms for one list of inspirations and one of losses.
#[derive(Debug, Default)]
pub(super) struct SteeringForms {
    chooser: ImageChooser,
    /// The values of the losses.
    pub curves: Curves,
}

/// The forms of a shot or of the style. Their images are new until the author applies the changes.
#[derive(Debug, Default)]
pub(super) struct PictureSteering {
    forms: SteeringForms,
    images: Images,
}

/// Where the lists belong.
pub(super) struct SteeringOf<'a> {
    /// Where the values of the losses are.
    pub curves: CurveKey<'a>,
    /// The new images. All others are in the art folder.
    pub images: &'a mut Images,
    /// The size of the picture. `None` for pictures of several sizes.
    pub size: Option<Size>,
}

impl SteeringForms {
    /// Shows both lists, folded up at first. Returns whether a text field has the focus.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        mut of: SteeringOf<'_>,
        inspirations: &mut Vec<Inspiration>,
        losses: &mut Vec<Loss>,
    ) -> bool {
        let title = |name: &str, count: usize| match count {
            0 => name.to_owned(),
            count => format!("{name} ({count})"),
        };
        self.chooser.retain(of.images);
        let chooser = &mut self.chooser;
        let header = CollapsingHeader::new(title("Inspirations", inspirations.len()));
        let shown = header
            .id_salt("inspirations")
            .show(ui, |ui| inspirations_form(ui, cx, chooser, &mut of, inspirations));
        let mut focused = shown.body_returned == Some(true);
        let header = CollapsingHeader::new(title("Losses", losses.len()));
        let shown = header
            .id_salt("losses")
            .show(ui, |ui| losses_form(ui, cx, chooser, &mut of, &self.curves, losses));
        focused |= shown.body_returned == Some(true);
        focused
    }
}

impl PictureSteering {
    /// Shows the lists of a shot, or of the style without one. Its losses have the indices from `first_loss` on in the
    /// recipe. Returns whether a text field has the focus.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        shot: Option<&ShotId>,
        first_loss: usize,
        inspirations: &mut Vec<Inspiration>,
        losses: &mut Vec<Loss>,
    ) -> bool {
        self.forms.curves.update_of_picture(shot, cx);
        let curves = CurveKey { part: None, first: first_loss };
        let shot = shot.and_then(|shot| cx.project.board().shot(shot));
        let size = shot.map(|shot| shot.recipe.size);
        let of = SteeringOf { curves, images: &mut self.images, size };
        self.forms.show(ui, cx, of, inspirations, losses)
    }

    /// Requests to save the new images that the lists refer to.
    pub(super) fn save_images(
        &mut self,
        cx: &mut PanelContext<'_>,
        inspirations: &[Inspiration],
        losses: &[Loss],
    ) {
        let of_losses = losses.iter().filter_map(|loss| loss.kind.image());
        let ids = inspirations.iter().filter_map(|it| it.kind.image()).chain(of_losses);
        let images: Images =
            ids.filter_map(|id| Some((id.clone(), self.images.get(id)?.clone()))).collect();
        if !images.is_empty() {
            cx.request(Action::AddImages(images));
        }
    }
}

//! Inspirations: the texts and images that a part or a picture follows.

use std::{collections::BTreeMap, fmt, sync::Arc};

use egui::{
    Color32, ColorImage, DragValue, Sense, Slider, SliderClamping, TextureHandle, TextureOptions,
    Ui, Vec2, vec2,
};
use image::RgbaImage;

use super::image_picker::ImagePicker;
use crate::{
    panel::{
        context::PanelContext,
        picture::{self, Content},
        theme,
        thumbnails::Texture,
        widgets::{icon_button, text_field},
    },
    picture::scaled_down,
    recipe::{
        BlobId, ImageUse, Images, Inspiration, InspirationKind, MAX_INSPIRATIONS, MAX_WEIGHT,
    },
};

/// The longest side of the picture of an inspiration, in points.
const THUMBNAIL: f32 = 48.0;

/// The state of the form.
#[derive(Default)]
pub(super) struct InspirationsForm {
    /// The use of the image that the author is choosing.
    choosing: Option<(ImageUse, ImagePicker)>,
    textures: BTreeMap<BlobId, TextureHandle>,
}

/// The name of a use in plain words, and its explanation.
const fn words(usage: ImageUse) -> (&'static str, &'static str) {
    match usage {
        ImageUse::Style => {
            ("Look like this", "In the style of an image: its strokes, colours and contrasts")
        }
        ImageUse::Content => (
            "Laid out like this",
            "Shapes and light where another image of the same shape has them",
        ),
        ImageUse::Outline => (
            "Hold this outline",
            "Edges along the lines of a drawing of the same shape: dark lines on a light ground",
        ),
        ImageUse::Scribble => (
            "Roughly these colours",
            "Rough colours where an image of the same shape has them, free where it is transparent",
        ),
    }
}

/// The name of a use in plain words.
pub(in crate::panel) const fn name_of_use(usage: ImageUse) -> &'static str {
    words(usage).0
}

impl InspirationsForm {
    /// Shows the inspirations. Returns whether a text field has the focus.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        inspirations: &mut Vec<Inspiration>,
        images: &mut Images,
    ) -> bool {
        self.textures.retain(|id, _| images.contains_key(id));
        self.buttons(ui, inspirations);
        let mut is_typing = self.picker(ui, cx, inspirations, images);
        let mut removed = None;
        for (index, inspiration) in inspirations.iter_mut().enumerate() {
            theme::card().inner_margin(6).show(ui, |ui| {
                ui.push_id(index, |ui| {
                    let (is_removed, is_typing_here) = self.row(ui, cx, inspiration, images);
                    removed = is_removed.then_some(index).or(removed);
                    is_typing |= is_typing_here;
                });
            });
        }
        if let Some(index) = removed {
            inspirations.remove(index);
        }
        is_typing
    }

    /// The buttons that add an inspiration.
    fn buttons(&mut self, ui: &mut Ui, inspirations: &mut Vec<Inspiration>) {
        let has_room = inspirations.len() < MAX_INSPIRATIONS;
        ui.add_enabled_ui(has_room, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
                for usage in ImageUse::ALL {
                    let (name, tooltip) = words(usage);
                    let is_open = self.choosing.as_ref().is_some_and(|(open, _)| *open == usage);
                    let button = egui::Button::selectable(is_open, name).frame_when_inactive(true);
                    if ui.add(button).on_hover_text(tooltip).clicked() {
                        self.choosing = (!is_open).then(|| (usage, ImagePicker::default()));
                    }
                }
                let tooltip = "Another text beside the prompt, with its own weight";
                if ui.button("Also this").on_hover_text(tooltip).clicked() {
                    inspirations.push(Inspiration::new(InspirationKind::Text(String::new())));
                }
            });
        });
    }

    /// The picker while the author chooses an image. Returns whether its text field has the focus.
    fn picker(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        inspirations: &mut Vec<Inspiration>,
        images: &mut Images,
    ) -> bool {
        let Some((usage, picker)) = &mut self.choosing else { return false };
        let usage = *usage;
        let picked = theme::card().inner_margin(6).show(ui, |ui| {
            let text = format!("Choose the image for “{}”", words(usage).0);
            ui.add(egui::Label::new(text).wrap());
            picker.show(ui, cx, usage)
        });
        if picker.opened() {
            // Most of it may be below the visible area.
            picked.response.scroll_to_me(None);
        }
        let picked = picked.inner;
        if let Some(image) = picked.image {
            let id = BlobId::of_image(&image);
            images.insert(id.clone(), image);
            inspirations.push(Inspiration::new(InspirationKind::Image(usage, id)));
            self.choosing = None;
        }
        if picked.is_cancelled {
            self.choosing = None;
        }
        picked.is_typing
    }

    /// One inspiration. Returns whether it was removed, and whether its text field has the focus.
    fn row(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        inspiration: &mut Inspiration,
        images: &Images,
    ) -> (bool, bool) {
        let (mut is_removed, mut is_typing) = (false, false);
        let name = match &inspiration.kind {
            InspirationKind::Text(_) => "Also this",
            InspirationKind::Image(usage, _) => words(*usage).0,
        };
        ui.horizontal(|ui| {
            ui.label(name);
            is_removed = icon_button(ui, "x", "Remove this inspiration").clicked();
        });
        match &mut inspiration.kind {
            InspirationKind::Text(text) => {
                is_typing = text_field(ui, "Text", "velvet", 1, text).has_focus();
            }
            InspirationKind::Image(_, id) => self.thumbnail(ui, cx, id, images.get(id)),
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().slider_width = 72.0;
            let slider = Slider::new(&mut inspiration.weight, 0.1..=MAX_WEIGHT).logarithmic(true);
            ui.add(slider.max_decimals(2).clamping(SliderClamping::Edits).text("weight"));
        });
        steps(ui, inspiration);
        (is_removed, is_typing)
    }
}

impl InspirationsForm {
    /// Shows the image of an inspiration. `None` if it is in the art folder.
    fn thumbnail(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        id: &BlobId,
        image: Option<&Arc<RgbaImage>>,
    ) {
        let content = match image {
            Some(image) => {
                let texture = self.textures.entry(id.clone()).or_insert_with(|| upload(ui, image));
                Content::new(Texture::Ready(texture.id()), texture.size_vec2())
            }
            None => Content::image(ui, cx, id),
        };
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(THUMBNAIL), Sense::hover());
        picture::paint(ui, rect, Some(&content), "", Color32::WHITE);
    }
}

impl fmt::Debug for InspirationsForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InspirationsForm").field("choosing", &self.choosing).finish_non_exhaustive()
    }
}

/// The steps that follow the inspiration.
fn steps(ui: &mut Ui, inspiration: &mut Inspiration) {
    ui.horizontal_wrapped(|ui| {
        let mut from = inspiration.from * 100.0;
        let mut to = inspiration.end() * 100.0;
        let tooltip = "The first steps decide the layout, the last ones details";
        ui.label(theme::small("steps")).on_hover_text(tooltip);
        if ui.add(DragValue::new(&mut from).range(0.0..=to - 1.0).suffix(" %")).changed() {
            inspiration.from = from / 100.0;
        }
        ui.label(theme::small("to"));
        if ui.add(DragValue::new(&mut to).range(from + 1.0..=100.0).suffix(" %")).changed() {
            inspiration.to = Some(to / 100.0);
        }
    });
}

fn upload(ui: &Ui, image: &RgbaImage) -> TextureHandle {
    let image = scaled_down(image, 2 * THUMBNAIL as u32);
    let size = [image.width() as usize, image.height() as usize];
    let pixels = ColorImage::from_rgba_unmultiplied(size, image.as_raw());
    ui.ctx().load_texture("inspiration", pixels, TextureOptions::LINEAR)
}
